"""The whole pile without a machine: orders from start to settlement, and what is said of them."""

from pile_protocol import messages, topics, wire
from tests.portable.kit import AT, DEVICE_ID, KEY, NONCE, REGISTER_MWH, Pile, rate, rejected, totals_agree

# -- a whole order -------------------------------------------------------------------------------------------


def test_a_whole_order():
    pile = Pile()
    pile.order()
    pile.cycle(21)
    pile.stop()
    assert pile.said() == [
        ("o1", "Accepted", None),
        ("o1", "Charging", None),
        ("o1", "Finishing", "Remote"),
        ("o1", "Settled", "Remote"),
    ]
    (settlement,) = pile.settlements()
    totals_agree(settlement)
    for name, value in (
        ("order_id", "o1"),
        ("device_id", DEVICE_ID),
        ("connector", 1),
        ("seq", 1),
        ("prev_mac", None),
        ("start_register_mwh", REGISTER_MWH),
        ("energy_mwh", 21 * 200),
        ("started_at", AT),
        ("ended_at", AT + 2),
        ("stop_reason", "Remote"),
        ("recovered", False),
        ("total_minor", 1),
    ):
        assert settlement[name] == value, (name, settlement[name])
    assert pile.kept_order() is None and pile.connector().order is None


def test_an_order_is_durable_before_its_relay_closes():
    pile = Pile()
    pile.order()
    assert ("write", "order-1") in pile.store.log
    pile.cycle()
    assert pile.connector().commanded


def test_an_id_is_durable_by_its_order_before_it_is_by_itself():
    for kept in (False, True):
        pile = Pile()
        pile.store.refuse_after = (
            None if kept else 4
        )  # the order file, and the removal of older price steps and times
        pile.order()
        assert pile.connector().commanded or not kept
        assert ("used" in pile.store.files) is kept
        pile.store.refuse_after = None
        pile.boot(AT + 4_000)
        pile.cycle(10)
        assert len(pile.settlements()) == 1 and pile.kept_order() is None, kept
        pile.boot(AT + 10)
        pile.said()
        pile.order()
        rejected(pile, "UsedOrder")


def test_no_order_leaves_flash_before_its_id_is_kept():
    pile = Pile()
    pile.order()
    pile.cycle()
    pile.stop()
    log = pile.store.log
    assert log.index(("write", "used")) < log.index(("remove", "order-1"))


def test_a_settlement_is_durable_before_anything_says_settled():
    pile = Pile()
    pile.charge()
    pile.store.log = []
    pile.stop()
    log = [name for what, name in pile.store.log if name in ("out-00000001", "order-1")]
    assert log == ["out-00000001", "order-1"], "the order left flash before its settlement was there"


def test_settlements_are_a_chain():
    pile = Pile()
    for n in range(1, 4):
        pile.charge("o%d" % n)
        pile.stop("o%d" % n)
    settlements = pile.settlements()
    assert [s["seq"] for s in settlements] == [1, 2, 3]
    assert [s["prev_mac"] for s in settlements] == [None, settlements[0]["mac"], settlements[1]["mac"]]
    pile.boot(AT + 100)
    pile.charge("o4", issued_at=AT + 100, expires_at=AT + 160)
    pile.stop("o4")
    assert pile.settlements()[3]["prev_mac"] == settlements[2]["mac"]


def test_an_order_that_no_energy_flowed_in_costs_nothing():
    pile = Pile()
    pile.power_mw[1] = 0
    pile.charge(rate=rate(session_fee_minor=500))
    pile.stop()
    (settlement,) = pile.settlements()
    assert (settlement["total_minor"], settlement["session_fee_minor"], settlement["periods"]) == (0, 0, [])


def test_a_rate_change_in_the_clock_is_the_orders_not_the_clouds():
    locked = rate(steps=[[AT - 60, 1_000_000, 0, "valley"], [AT + 10, 9_000_000, 0, "peak"]])
    pile = Pile()
    pile.charge(cycles=150, rate=locked)
    pile.stop()
    (settlement,) = pile.settlements()
    totals_agree(settlement, locked)
    assert [row[4] for row in settlement["periods"]] == [100 * 200, 50 * 200]


def test_an_order_ends_before_its_cost_leaves_the_settlements_table():
    """A mistyped fee once made settlements that no cloud could take, and nothing behind them got out."""
    pile = Pile()
    fee = messages.MAX_MINOR - 10
    pile.order("o1", rate=rate(session_fee_minor=fee, steps=[[AT - 60, 1_000_000, 0, "flat"]]))
    pile.cycle(2_000)
    (settlement,) = pile.settlements()
    assert (settlement["stop_reason"], settlement["total_minor"]) == ("CostLimitReached", messages.MAX_MINOR)


def test_two_connectors_charge_each_at_its_own_rate():
    pile = Pile(connectors=2)
    dear = rate(rate_id="r2", steps=[[AT - 60, 5_000_000, 0, "peak"]])
    pile.order("o1")
    pile.order("o2", connector=2, rate=dear)
    pile.power_mw[2] = 72_000_000
    pile.cycle(100)
    pile.plugged[2] = False
    pile.cycle(60)
    pile.stop("o1")
    second, first = pile.settlements()
    totals_agree(first)
    totals_agree(second, dear)
    assert (first["order_id"], first["connector"], first["energy_mwh"]) == ("o1", 1, 160 * 200)
    assert (second["order_id"], second["connector"], second["energy_mwh"]) == ("o2", 2, 100 * 2_000)
    assert second["stop_reason"] == "EVDisconnected" and (second["seq"], first["seq"]) == (1, 2)


def test_a_checkpoint_is_written_once_a_second_and_only_while_it_moves():
    pile = Pile()
    pile.charge(cycles=5)
    pile.store.log = []
    pile.cycle(100)
    assert pile.store.log == [("write", "check-1")] * 10
    pile.power_mw[1] = 0
    pile.cycle(20)
    pile.store.log = []
    pile.cycle(100)
    assert pile.store.log == []


# -- what is said --------------------------------------------------------------------------------------------


def test_meter_messages_keep_their_table_and_tell_a_current_that_is_measured():
    for current_ma in (None, 31_300):
        pile = Pile()
        if current_ma is not None:
            pile.readings().current_ma.take(current_ma, 0)
        pile.charge(cycles=50, limits={"duration_s": 100, "energy_mwh": 10**6, "cost_minor": 500})
        name, message = pile.controller.mailbox.peek()
        while name != topics.METER:
            pile.controller.mailbox.done(name, message)
            name, message = pile.controller.mailbox.peek()
        messages.validate(wire.METER, message)
        assert message["power_mw"] == 7_200_000 and message["energy_mwh"] == 41 * 200
        assert message.get("current_ma") == current_ma


def test_status_and_hello_keep_their_tables():
    pile = Pile(connectors=2)
    for _ in range(2):
        messages.validate(wire.STATUS, pile.controller.status({}))
        messages.validate(wire.HELLO, pile.controller.hello(NONCE))
        pile.charge()
    assert pile.controller.hello(NONCE)["orders"] == [["o1", "Charging"]]


def test_a_fresh_status_is_due_whenever_it_would_read_differently():
    def estop(pile):
        pile.readings().estop = True

    def fault(pile):
        pile.readings().ground_fault = True

    def unplug(pile):
        pile.plugged[1] = False

    def nothing(pile):
        pass

    for change, due in ((estop, True), (fault, True), (unplug, True), (nothing, False)):
        pile = Pile()
        pile.cycle(3)
        pile.controller.mailbox.status_due = False
        change(pile)
        pile.cycle()
        assert pile.controller.mailbox.status_due is due, change
        pile.controller.mailbox.status_due = False
        pile.cycle(20)
        assert not pile.controller.mailbox.status_due, change


def test_no_status_is_due_while_a_relay_is_on_its_way():
    """It would be out of date before it is read."""
    pile = Pile()
    pile.cycle()
    due = []

    def cycle():
        pile.controller.mailbox.status_due = False
        pile.cycle()
        due.append((pile.connector().status(), pile.controller.mailbox.status_due))

    def note():
        due.append((pile.connector().status(), pile.controller.mailbox.status_due))

    pile.controller.mailbox.status_due = False
    pile.order()
    note()
    cycle()
    pile.controller.mailbox.status_due = False
    pile.command("stop", order_id="o1")
    note()
    cycle()
    assert due == [("Preparing", False), ("Charging", True), ("Finishing", False), ("Available", True)]


def test_what_is_said_while_nobody_listens_is_bounded_and_the_newest_kept():
    pile = Pile()
    for n in range(40):
        pile.order("w%d" % n, device_id="pile-0002")
    said = pile.said()
    assert len(said) == 16 and said[-1][0] == "w39"


def test_the_key_never_leaves_the_pile():
    pile = Pile()
    pile.charge()
    pile.stop()
    text = repr(
        (pile.controller.status({}), pile.controller.hello(NONCE), pile.settlements(), pile.store.files)
    )
    assert repr(KEY)[2:20] not in text and "".join(["%02x" % b for b in KEY]) not in text
