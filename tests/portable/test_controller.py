"""The whole pile without a machine: what each message does; nothing is lost, doubled or closed unasked."""

from pile.admission import FREE_BYTES_MIN
from pile.controller import HELLO_ANSWER_MS, RETRY_MS
from pile.journal import USED_MAX
from pile.outbox import Outbox
from pile.records import framed, unframed
from pile.session import BLIND_RESUME_S, RECOVERY_WAIT_MS
from pile_protocol import messages, pricing, topics, wire
from tests.portable.kit import (
    AT,
    DEVICE_ID,
    KEY,
    OTHER_KEY,
    REGISTER_MWH,
    MemoryStore,
    Pile,
    order,
    rate,
    sealed,
)

NONCE = "0123456789abcdef"


def rejected(pile, reason, order_id="o1"):
    """The one thing the pile said, and that no relay moved for it."""
    pile.cycle()
    said = pile.said()
    assert said == [(order_id, "Rejected", reason)], (reason, said)
    assert not pile.connector().commanded


def totals_agree(settlement, locked=None, limit_minor=None):
    """A settlement keeps its table, and prices like the cloud would."""
    messages.validate(wire.SETTLEMENT, settlement)
    locked = locked or rate()
    begins = [step[0] for step in locked["steps"]]
    energies = [(begins.index(row[0]), row[4]) for row in settlement["periods"]]
    total, fee, periods = pricing.bill(locked, energies, limit_minor)
    assert (settlement["total_minor"], settlement["session_fee_minor"], settlement["periods"]) == (
        total,
        fee,
        periods,
    )
    assert sum([row[4] for row in periods]) == settlement["energy_mwh"]
    assert settlement["end_register_mwh"] - settlement["start_register_mwh"] == settlement["energy_mwh"]
    assert settlement["rate_digest"] == pricing.digest(locked)


# -- a whole order -------------------------------------------------------------------------------------------


def test_a_whole_order():
    pile = Pile()
    pile.order()
    assert not pile.connector().commanded, "the relay moves in a step, not in a message"
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
    assert pile.controller.journal.load(1) is None and pile.connector().session is None


def test_an_order_is_durable_before_its_relay_closes():
    pile = Pile()
    pile.order()
    assert ("write", "order-1") in pile.store.log
    pile.cycle()
    assert pile.connector().commanded


def test_an_id_is_durable_by_its_order_before_it_is_by_itself():
    for cycles in (0, 1):  # a cut before the first cycle, and after it
        pile = Pile()
        pile.order()
        pile.cycle(cycles)
        assert ("used" in pile.store.files) is (cycles == 1), "the relay waited for it"
        pile.boot(AT + 4_000)
        pile.cycle(10)
        assert len(pile.settlements()) == 1 and pile.controller.journal.load(1) is None
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
    assert [row[4] for row in settlement["periods"]] == [99 * 200, 51 * 200]


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


def test_meter_messages_keep_their_table():
    pile = Pile()
    pile.charge(cycles=50, limits={"duration_s": 100, "energy_mwh": 10**6, "cost_minor": 500})
    name, message = pile.controller.mailbox.peek()
    while name != topics.METER:
        pile.controller.mailbox.done(name, message)
        name, message = pile.controller.mailbox.peek()
    messages.validate(wire.METER, message)
    assert message["power_mw"] == 7_200_000 and message["energy_mwh"] == 40 * 200


def test_status_and_hello_keep_their_tables():
    pile = Pile(connectors=2)
    for _ in range(2):
        messages.validate(wire.STATUS, pile.controller.status(1, 1, 0))
        messages.validate(wire.HELLO, pile.controller.hello(NONCE))
        pile.charge()
    assert pile.controller.hello(NONCE)["orders"] == [["o1", "Charging"]]


def test_a_fresh_status_is_due_whenever_it_would_read_differently():
    def estop(pile):
        pile.readings().estop = True

    def fault(pile):
        pile.readings().ground_fault = True

    def unplug(pile):
        pile.readings().plugged = False

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

    pile.order()
    cycle()
    cycle()
    pile.controller.connectors[0].session.stop("Remote")
    cycle()
    cycle()
    assert due == [("Preparing", False), ("Charging", True), ("Finishing", False), ("Available", True)]


# -- refusals ------------------------------------------------------------------------------------------------


def test_each_reason_to_refuse():
    def unplug(pile):
        pile.readings().plugged = False

    def press_estop(pile):
        pile.readings().estop = True

    def silence_meter(pile):
        pile.set_register(None)

    def latch(pile):
        pile.readings().ground_fault = True
        pile.cycle()
        pile.readings().ground_fault = False

    def forget_clock(pile):
        pile.boot()

    def fill_flash(pile):
        pile.store.free = FREE_BYTES_MIN - 1

    def fill_outbox(pile):
        pile.controller.outbox = Outbox(MemoryStore(), capacity=0)

    def refuse_writes(pile):
        pile.store.refusing = True

    for prepare, changes, reason in (
        (None, {"device_id": "pile-0002"}, "WrongDevice"),
        (None, {"connector": 2}, "UnknownConnector"),
        (None, {"issued_at": AT - 61, "expires_at": AT - 1}, "Expired"),
        (None, {"issued_at": AT + 31}, "NotYetValid"),
        (None, {"expires_at": AT + 3_600}, "Malformed"),
        (None, {"limits": {"duration_s": 0}}, "Malformed"),
        (None, {"rate": rate(until_at=AT + 60)}, "PricesIncomplete"),
        (unplug, {}, "NotPlugged"),
        (press_estop, {}, "ConnectorFaulted"),
        (latch, {}, "ConnectorFaulted"),
        (silence_meter, {}, "NoMeter"),
        (forget_clock, {}, "NoClock"),
        (fill_flash, {}, "StorageFailure"),
        (fill_outbox, {}, "OutboxFull"),
        (refuse_writes, {}, "StorageFailure"),
    ):
        pile = Pile()
        if prepare:
            prepare(pile)
        pile.order(**changes)
        rejected(pile, reason)
        assert "order-1" not in pile.store.files, reason


def test_bad_seals_and_bytes_are_rejected_and_counted():
    pile = Pile()
    pile.receive(topics.ORDER, order(), OTHER_KEY)
    rejected(pile, "BadSeal")
    for data in (b"", b"{}", b"\xff" * 100, b"[" * 5000, b"x" * 100_000):
        pile.controller.receive(topics.ORDER, data)
    assert pile.controller.dropped == 6
    assert not pile.connector().commanded and pile.store.log == []
    pile.charge()
    assert pile.connector().commanded, "bad bytes kept a good order from starting"


def test_every_altered_byte_of_an_order_leaves_the_relay_alone():
    pile = Pile()
    data = sealed(order())
    for i in range(len(data)):
        pile.controller.receive(topics.ORDER, data[:i] + bytes((data[i] ^ 1,)) + data[i + 1 :])
        assert pile.connector().session is None, i
    assert pile.controller.dropped == len(data) and pile.store.log == []


def test_a_busy_connector_keeps_its_order():
    pile = Pile()
    pile.charge("o1")
    pile.said()
    pile.order("o2")
    assert pile.said() == [("o2", "Rejected", "ConnectorBusy")]
    pile.cycle()
    assert pile.connector().session.order_id == "o1" and pile.connector().commanded


def test_an_order_refused_by_the_flash_does_not_start_when_it_writes_again():
    pile = Pile()
    pile.store.refusing = True
    pile.order()
    rejected(pile, "StorageFailure")
    pile.store.refusing = False
    pile.cycle(50)
    assert not pile.connector().commanded and pile.settlements() == []


def test_the_outbox_bound_refuses_orders_and_an_acknowledgement_lifts_it():
    pile = Pile()
    pile.charge("o1")
    pile.stop("o1")
    pile.controller.outbox._capacity = 1
    pile.said()
    pile.order("o2")
    rejected(pile, "OutboxFull", "o2")
    assert pile.controller.status(0, 0, 0)["outbox_full"] is True
    pile.acknowledge(pile.settlements()[0])
    assert pile.controller.status(0, 0, 0)["outbox_full"] is False
    pile.order("o3")
    assert pile.said() == [("o3", "Accepted", None)]


# -- duplicates and used ids ---------------------------------------------------------------------------------


def test_a_duplicate_of_a_running_order_is_told_again_and_changes_nothing():
    pile = Pile()
    pile.order()
    pile.order()
    assert pile.said() == [("o1", "Accepted", None)] * 2
    pile.cycle(5)
    pile.said()
    pile.store.log = []
    pile.order()
    assert pile.said() == [("o1", "Charging", None)] and pile.store.log == []
    pile.stop()
    assert len(pile.settlements()) == 1


def test_an_id_starts_a_pile_once():
    pile = Pile()
    pile.charge()
    pile.stop()
    pile.said()
    pile.order()
    rejected(pile, "UsedOrder")
    pile.boot(AT + 10)
    pile.order()
    rejected(pile, "UsedOrder")
    assert len(pile.settlements()) == 1


def test_a_rejected_id_is_used_up_too():
    """Else an order refused for an unplugged car would start by itself when its duplicate comes later."""
    pile = Pile()
    pile.readings().plugged = False
    pile.order()
    rejected(pile, "NotPlugged")
    pile.readings().plugged = True
    pile.order()
    rejected(pile, "UsedOrder")
    pile.boot(AT + 10)
    pile.order()
    rejected(pile, "UsedOrder")


def test_ids_of_others_and_expired_ones_take_no_room():
    pile = Pile()
    for n in range(USED_MAX + 1):
        pile.order("w%d" % n, device_id="pile-0002")
        pile.order("x%d" % n, issued_at=AT - 100, expires_at=AT)
    pile.said()
    pile.order()
    assert pile.said() == [("o1", "Accepted", None)]


def test_more_valid_orders_than_can_be_remembered_are_refused():
    pile = Pile()
    pile.readings().plugged = False
    for n in range(USED_MAX):
        pile.order("x%d" % n)
    pile.readings().plugged = True
    pile.said()
    pile.order()
    rejected(pile, "StorageFailure")


# -- commands ------------------------------------------------------------------------------------------------


def test_a_stop_ends_its_own_order_only():
    pile = Pile(connectors=2)
    pile.charge("o1")
    pile.charge("o2", connector=2)
    for order_id in ("o3", "o", "o11", None):
        pile.command("stop", order_id=order_id)
    pile.cycle(5)
    assert pile.connector(1).commanded and pile.connector(2).commanded
    pile.stop("o2")
    assert pile.connector(1).commanded and not pile.connector(2).commanded
    assert [s["order_id"] for s in pile.settlements()] == ["o2"]


def test_a_stop_counts_however_late_it_comes():
    pile = Pile()
    pile.charge()
    pile.command("stop", order_id="o1", issued_at=AT - 7_200, expires_at=AT - 7_100)
    pile.cycle(5)
    assert not pile.connector().commanded


def test_commands_that_are_not_the_clouds():
    pile = Pile()
    pile.charge()
    dropped = pile.controller.dropped
    pile.command("stop", order_id="o1", device_id="pile-0002")
    pile.receive(topics.COMMAND, order())
    pile.receive(
        topics.COMMAND,
        {
            "kind": "command",
            "device_id": DEVICE_ID,
            "action": "stop",
            "order_id": "o1",
            "issued_at": AT,
            "expires_at": AT + 60,
        },
        OTHER_KEY,
    )
    pile.cycle(5)
    assert pile.connector().commanded and pile.controller.dropped == dropped + 3


def test_unknown_topics_are_not_acted_on():
    pile = Pile()
    for name in (None, topics.RATE, topics.HELLO, topics.SETTLEMENT, "nonsense"):
        pile.controller.receive(name, sealed(order()))
    assert pile.said() == [] and pile.connector().session is None


def test_report_tells_everything_anew():
    pile = Pile()
    pile.charge()
    pile.said()
    pile.controller.mailbox.status_due = False
    pile.command("report")
    assert pile.said() == [("o1", "Charging", None)] and pile.controller.mailbox.status_due


def test_an_expired_report_or_reset_is_dropped():
    pile = Pile()
    for action in ("report", "reset"):
        for at, expires_at in ((AT, AT), (None, AT + 60)):
            pile.boot(at)
            pile.command(action, connector=1, issued_at=AT - 60, expires_at=expires_at)
            assert pile.controller.dropped == 1, (action, at)


def faulted():
    """A pile whose connector latched a fault, whose cause is gone, five seconds into its time."""
    pile = Pile()
    pile.cycle(50)
    pile.readings().ground_fault = True
    pile.cycle()
    pile.readings().ground_fault = False
    assert pile.connector().status() == "Faulted"
    return pile


def test_a_reset_clears_a_fault_that_it_could_know_of():
    pile = faulted()
    pile.command("reset", connector=1)
    pile.cycle()
    assert pile.connector().status() == "Available"
    pile.boot(AT + 10)
    pile.cycle()
    assert pile.connector().status() == "Available", "the fault came back with the power"


def test_a_reset_older_than_the_fault_clears_nothing():
    pile = faulted()
    pile.command("reset", connector=1, issued_at=AT + 4)
    pile.cycle()
    assert pile.connector().status() == "Faulted" and pile.controller.dropped == 1


def test_a_reset_names_its_connector():
    pile = faulted()
    for number in (None, 2, 8):
        pile.command("reset", connector=number)
    pile.cycle()
    assert pile.connector().status() == "Faulted" and pile.controller.dropped == 3


def test_a_reset_of_a_cause_that_is_still_there_latches_again():
    pile = faulted()
    pile.readings().ground_fault = True
    pile.command("reset", connector=1)
    pile.cycle()
    assert pile.connector().status() == "Faulted"


def test_a_reset_for_a_connector_that_the_board_no_longer_has():
    """Its fault was still in flash after a change of the board, and the reset ended the firmware."""
    pile = Pile(connectors=2)
    pile.readings(2).ground_fault = True
    pile.cycle()
    store = pile.store
    pile = Pile()
    pile.store = store
    pile.boot(AT)
    pile.command("reset", connector=2)
    pile.cycle()
    assert pile.connector().status() == "Available" and pile.controller.dropped == 1


def test_a_reset_that_the_flash_refuses_is_dropped_and_can_be_sent_again():
    """The refused write went up into the network's reader as if the connection had broken; and the fault was
    forgotten in memory but not in flash."""
    pile = faulted()
    pile.store.refusing = True
    pile.command("reset", connector=1)
    assert pile.controller.dropped == 1 and pile.connector().latch.fault == "GroundFailure"
    pile.store.refusing = False
    pile.command("reset", connector=1)
    assert pile.connector().latch.fault is None and pile.controller.journal.faults() == {}


def test_a_fault_outlives_a_power_cut():
    pile = faulted()
    pile.boot(AT + 60)
    assert pile.connector().status() == "Faulted"
    pile.order(issued_at=AT + 60, expires_at=AT + 120)
    rejected(pile, "ConnectorFaulted")


# -- time ----------------------------------------------------------------------------------------------------


def time(pile, at, nonce=NONCE, **changes):
    message = {"kind": "time", "device_id": DEVICE_ID, "nonce": nonce, "at": at}
    message.update(changes)
    pile.receive(topics.TIME, message)
    return pile.clock.at()


def test_time_is_believed_as_the_answer_to_a_hello():
    pile = Pile(told_at=None)
    assert not pile.controller.knows_time
    pile.controller.hello(NONCE)
    assert time(pile, AT) == AT and pile.controller.knows_time


def test_time_with_another_nonce_or_a_second_time_is_not():
    pile = Pile(told_at=None)
    assert time(pile, AT) is None, "nobody asked"
    pile.controller.hello(NONCE)
    assert time(pile, AT, "f" * 16) is None
    assert time(pile, AT, device_id="pile-0002") is None
    assert time(pile, AT) == AT
    assert time(pile, AT + 500) == AT, "a replay set the clock"
    pile.controller.hello("f" * 16)
    assert time(pile, AT + 500) == AT, "the nonce of an earlier hello was believed"
    assert pile.controller.dropped == 5


def test_time_that_took_too_long_is_asked_for_again():
    pile = Pile(told_at=None)
    pile.controller.hello(NONCE)
    pile.cycle(1, HELLO_ANSWER_MS + 1)
    assert time(pile, AT) is None
    pile.controller.hello("f" * 16)
    pile.cycle(1, HELLO_ANSWER_MS)
    assert time(pile, AT, "f" * 16) == AT


def test_hours_of_clock_change_in_a_running_order_change_neither_its_price_nor_its_end():
    locked = rate(steps=[[AT - 7_200, 1_000_000, 0, "valley"], [AT + 3_600, 9_000_000, 0, "peak"]])
    for jump_s in (7_200, -7_200, 86_400 * 400):
        pile = Pile()
        pile.charge(cycles=10, rate=locked, limits={"duration_s": 60})
        pile.controller.hello(NONCE)
        assert time(pile, AT + jump_s) == AT + jump_s
        pile.cycle(700)
        (settlement,) = pile.settlements()
        totals_agree(settlement, locked)
        assert settlement["stop_reason"] == "TimeLimitReached"
        assert settlement["ended_at"] - settlement["started_at"] == 60, jump_s
        assert [row[1] for row in settlement["periods"]] == [1_000_000], jump_s


def test_a_tick_wrap_within_a_running_order():
    pile = Pile(ticks_ms=(1 << 30) - 30_000)
    pile.charge(cycles=610, limits={"duration_s": 60})
    (settlement,) = pile.settlements()
    assert settlement["ended_at"] == AT + 60 and settlement["energy_mwh"] == 599 * 200
    totals_agree(settlement)


# -- acknowledgements ----------------------------------------------------------------------------------------


def test_an_acknowledged_settlement_is_not_sent_again():
    pile = Pile()
    pile.charge()
    pile.stop()
    (settlement,) = pile.settlements()
    pile.acknowledge(settlement)
    assert pile.controller.outbox.head() is None
    pile.boot(AT + 10)
    assert pile.controller.outbox.head() is None and pile.controller.outbox.last_seq == 1


def test_an_acknowledgement_of_something_else_deletes_nothing():
    pile = Pile()
    pile.charge()
    pile.stop()
    (settlement,) = pile.settlements()
    for name, value in (("seq", 2), ("mac", "0" * 64), ("seq", 0)):
        wrong = dict(settlement)
        wrong[name] = value
        pile.acknowledge(wrong)
    assert pile.controller.outbox.head()[0] == 1 and pile.controller.dropped == 3
    pile.acknowledge(settlement)
    pile.acknowledge(settlement)
    assert pile.controller.outbox.head() is None and pile.controller.dropped == 4


def test_an_acknowledgement_that_the_flash_refuses_leaves_the_settlement():
    pile = Pile()
    pile.charge()
    pile.stop()
    (settlement,) = pile.settlements()
    pile.store.refusing = True
    pile.acknowledge(settlement)
    assert pile.controller.outbox.head()[0] == 1 and pile.controller.dropped == 1
    pile.store.refusing = False
    pile.acknowledge(settlement)
    assert pile.controller.outbox.head() is None


# -- power cuts ----------------------------------------------------------------------------------------------


def cut_while_charging(**changes):
    """A pile that lost its power after a minute of an order, 599 cycles into it."""
    pile = Pile()
    pile.charge(cycles=599, **changes)
    pile.said()
    return pile


def settled(pile, stop_reason):
    """The one settlement of o1, checked."""
    (settlement,) = pile.settlements()
    totals_agree(settlement)
    assert (settlement["order_id"], settlement["stop_reason"], settlement["recovered"]) == (
        "o1",
        stop_reason,
        True,
    )
    assert not pile.connector().commanded and pile.controller.journal.load(1) is None
    return settlement


def test_it_resumes_within_the_orders_window():
    pile = cut_while_charging()
    pile.boot()
    pile.cycle(20)
    assert not pile.connector().commanded, "closed without knowing the time"
    assert pile.controller.hello(NONCE)["orders"] == [["o1", "Accepted"]]
    time(pile, AT + 300)
    pile.cycle(11)
    assert pile.connector().commanded
    pile.stop()
    settlement = settled(pile, "Remote")
    assert settlement["energy_mwh"] == (599 + 11) * 200 - 200, "the first cycle only closes the relay"
    assert settlement["ended_at"] == AT + 301


def test_it_settles_when_the_window_is_over():
    pile = cut_while_charging()
    pile.boot()
    pile.controller.hello(NONCE)
    time(pile, AT + 3_600)
    pile.cycle()
    assert settled(pile, "PowerLoss")["ended_at"] == AT + 59


def test_it_settles_when_the_plug_is_gone():
    pile = cut_while_charging()
    pile.boot()
    pile.readings().plugged = False
    pile.cycle()
    settled(pile, "PowerLoss")


def test_it_settles_without_a_clock_after_a_while():
    pile = cut_while_charging()
    pile.boot()
    pile.cycle(RECOVERY_WAIT_MS // 100 - 1)
    assert pile.settlements() == []
    pile.cycle()
    assert settled(pile, "PowerLoss")["ended_at"] == AT + 59


def test_a_stop_from_the_phone_ends_a_recovering_order():
    pile = cut_while_charging()
    pile.boot()
    pile.command("stop", order_id="o1")
    pile.cycle()
    settled(pile, "PowerLoss")


def test_a_meter_that_lost_its_memory_bills_the_last_checkpoint():
    pile = cut_while_charging()
    checkpoint_mwh = pile.controller.journal.register_mwh(1)
    pile.boot(AT + 60)
    pile.set_register(0)
    pile.cycle()
    settlement = settled(pile, "PowerLoss")
    assert settlement["end_register_mwh"] == checkpoint_mwh
    assert 0 <= 599 * 200 - settlement["energy_mwh"] <= 2 * 2_000, "more than two seconds of charging lost"


def test_a_fault_from_before_the_cut_ends_the_order():
    pile = cut_while_charging()
    pile.readings().ground_fault = True
    pile.cycle()
    pile.boot(AT + 60)
    pile.cycle()
    settled(pile, "GroundFault")
    assert pile.connector().status() == "Faulted"


def test_a_cut_between_acceptance_and_the_first_cycle():
    pile = Pile()
    pile.order()
    pile.boot(AT + 5)
    pile.cycle(10)
    assert pile.connector().commanded
    pile.stop()
    assert settled(pile, "Remote")["started_at"] == AT


def test_a_cut_while_the_relay_opens():
    """A stopped order came back as a running one: the relay closed again for somebody who had stopped."""
    pile = cut_while_charging()
    pile.command("stop", order_id="o1")
    pile.cycle()
    pile.boot(AT + 60)
    pile.cycle(50)
    settled(pile, "Remote")


def test_a_cut_after_the_settlement_before_the_order_left_flash():
    pile = cut_while_charging()
    order_file = pile.store.files["order-1"]
    pile.stop()
    pile.store.files["order-1"] = order_file
    pile.boot(AT + 100)
    pile.cycle(50)
    assert len(pile.settlements()) == 1 and not pile.connector().commanded
    assert "order-1" not in pile.store.files


def test_a_cut_in_every_cycle_of_an_order_settles_it_once():
    """Power fails every few cycles; the order goes on each time, to one settlement of what was delivered."""
    pile = Pile()
    pile.order(limits={"duration_s": 3_600, "energy_mwh": 20_000})
    at = AT
    while not pile.settlements():
        pile.cycle(7)
        at += 1
        pile.boot(at)
        assert at < AT + 200, "the order never ends"
    settlement = pile.settlements()[0]
    totals_agree(settlement)
    assert settlement["energy_mwh"] <= pile._registers[1] - REGISTER_MWH
    pile.boot(at)
    pile.cycle(20)
    assert len(pile.settlements()) == 1


def test_the_id_of_a_recovering_order_stays_used():
    pile = cut_while_charging()
    del pile.store.files["used"]
    for _ in range(USED_MAX + 2):
        pile.boot()
    pile.cycle(RECOVERY_WAIT_MS // 100)
    pile.said()
    assert len(pile.settlements()) == 1
    pile.clock.tell(AT + 10, "Cloud")
    pile.order()
    rejected(pile, "UsedOrder")
    pile.order("o2")
    assert pile.said() == [("o2", "Accepted", None)], "each restart took room among the used ids"


def test_an_order_sealed_with_another_key_is_not_billed():
    pile = cut_while_charging()
    journal = pile.controller.journal
    journal.open_order(1, "o1", sealed(order(), OTHER_KEY), AT, REGISTER_MWH)
    pile.boot(AT + 60)
    pile.cycle(10)
    assert pile.settlements() == [] and not pile.connector().commanded
    assert pile.connector().latch.fault == "InternalError" and journal.load(1) is None


def goes_on(name, damage):
    """Whether an order survives what happened to a file. Lost faults are faults; and an order without any
    reading never began, as far as anybody knows, and has expired."""
    if name == "faults":
        return not damage
    if name == "check-1":
        return bool(damage)
    return name != "order-1"


def test_a_record_from_before_its_order_was_made_does_not_stop_the_pile():
    """Its checksum was right, so it was believed; no price held at its start, and every boot ended there."""
    pile = Pile()
    pile.charge()
    content = unframed(pile.store.files["order-1"])
    pile.store.files["order-1"] = framed(b"o1 1 5\n" + content.partition(b"\n")[2])
    pile.boot(AT + 2)
    pile.cycle(3)
    assert pile.connector().latch.fault == "InternalError" and not pile.relays[1]


def test_damaged_files_never_close_a_relay_or_stop_the_pile():
    for name in ("order-1", "check-1", "used", "faults", "acked", "out-00000001"):
        for damage in (b"", b"\x00" * 70, b"\xff" * 200, b"foreign\n"):
            pile = Pile()
            pile.charge("o0")
            pile.stop("o0")
            pile.charge("o1")
            pile.store.files[name] = damage
            pile.boot(AT + 60)
            pile.cycle(5)
            closed = pile.connector().commanded
            assert closed is goes_on(name, damage), (name, damage)
            assert pile.controller.status(0, 0, 0)["damaged"] >= 1 or not damage.strip(b"\n"), (name, damage)
            if closed:
                pile.stop("o1")
                assert pile.settlements()[-1]["order_id"] == "o1", (name, damage)
            if pile.connector().latch.fault:
                pile.command("reset", connector=1, issued_at=AT + 61, expires_at=AT + 100)
            pile.charge("o2", issued_at=AT + 60, expires_at=AT + 120)
            pile.stop("o2")
            assert pile.settlements()[-1]["order_id"] == "o2", (name, damage)


# -- flash that refuses --------------------------------------------------------------------------------------


def test_flash_that_refuses_stops_the_order_and_settles_it_once_it_writes_again():
    pile = Pile()
    pile.charge(cycles=25)
    pile.said()
    pile.store.refusing = True
    pile.cycle(30)
    assert not pile.connector().commanded
    assert pile.connector().latch.fault == "InternalError" and pile.settlements() == []
    assert ("o1", "Settled", "Other") not in pile.said(), "settled without a durable settlement"
    pile.store.refusing = False
    pile.cycle(RETRY_MS // 100 + 5)
    (settlement,) = pile.settlements()
    totals_agree(settlement)
    assert settlement["stop_reason"] == "Other"
    assert ("o1", "Settled", "Other") in pile.said()
    pile.cycle(50)
    assert len(pile.settlements()) == 1
    assert pile.connector().status() == "Faulted"


def test_flash_that_refuses_at_the_very_end_doubles_nothing():
    """Each write of the settling is refused in turn, and tried again; the power fails after it as well."""
    for refused in range(8):
        for cut in (False, True):
            pile = Pile()
            pile.charge(cycles=25)
            pile.command("stop", order_id="o1")
            pile.store.refuse_after = refused
            pile.cycle(15)
            pile.store.refuse_after = None
            if cut:
                pile.boot(AT + 30)
            pile.cycle(30)
            pile.stop()
            (settlement,) = pile.settlements()
            totals_agree(settlement)
            assert pile.connector().session is None and pile.controller.journal.load(1) is None, (
                refused,
                cut,
            )


def test_one_connectors_trouble_with_flash_stops_both():
    pile = Pile(connectors=2)
    pile.charge("o1", 15)
    pile.charge("o2", 15, connector=2)
    pile.store.refusing = True
    pile.cycle(30)
    assert not pile.connector(1).commanded and not pile.connector(2).commanded
    pile.store.refusing = False
    pile.cycle(30)
    assert sorted([s["order_id"] for s in pile.settlements()]) == ["o1", "o2"]


def test_a_relay_opens_at_its_limit_though_the_flash_refuses():
    pile = Pile()
    pile.charge(cycles=11, limits={"duration_s": 3_600, "energy_mwh": 2_600})
    pile.store.refusing = True
    pile.cycle(3)
    assert not pile.connector().commanded
    assert pile._registers[1] - REGISTER_MWH <= 2_600 + 200


def test_it_boots_though_the_flash_refuses():
    """A pile that cannot write must still greet, be seen as faulty, and keep its relays open."""
    for name in (None, "used", "order-1"):
        pile = cut_while_charging()
        if name == "used":
            del pile.store.files["used"]
        elif name:
            pile.controller.journal.open_order(1, "o1", sealed(order(), OTHER_KEY), AT, REGISTER_MWH)
        pile.store.refusing = True
        pile.boot(AT + 60)
        pile.cycle(60)
        assert not pile.connector().commanded, name
        messages.validate(wire.STATUS, pile.controller.status(0, 0, 0))
        assert pile.connector().latch.fault == "InternalError", name
        pile.store.refusing = False
        pile.cycle(30)
        assert len(pile.settlements()) == (0 if name == "order-1" else 1), name


# -- faults and welds ----------------------------------------------------------------------------------------


def test_a_welded_relay_is_told_and_its_energy_not_billed():
    for feedback in (True, False):
        pile = Pile(feedback=feedback)
        pile.charge(cycles=30)
        pile.welded.add(1)
        pile.command("stop", order_id="o1")
        pile.cycle(40)
        (settlement,) = pile.settlements()
        most = (30 + 1) * 200 if feedback else (30 + 1 + 4) * 200
        assert settlement["energy_mwh"] <= most, (feedback, settlement["energy_mwh"])
        assert pile.connector().latch.fault == "PowerSwitchFailure", feedback
        assert pile.connector().status() == "Faulted"


def test_a_relay_that_does_not_close_is_a_fault_and_the_order_is_settled():
    pile = Pile()
    pile.stuck_open.add(1)
    pile.charge(cycles=30)
    (settlement,) = pile.settlements()
    assert (settlement["stop_reason"], settlement["energy_mwh"]) == ("Other", 0)
    assert pile.connector().status() == "Faulted"


def test_two_connectors_charge_each_at_its_own_rate():
    pile = Pile(connectors=2)
    dear = rate(rate_id="r2", steps=[[AT - 60, 5_000_000, 0, "peak"]])
    pile.order("o1")
    pile.order("o2", connector=2, rate=dear)
    pile.power_mw[2] = 72_000_000
    pile.cycle(100)
    pile.readings(2).plugged = False
    pile.cycle(10)
    pile.stop("o1")
    second, first = pile.settlements()
    totals_agree(first)
    totals_agree(second, dear)
    assert (first["order_id"], first["connector"], first["energy_mwh"]) == ("o1", 1, 110 * 200)
    assert (second["order_id"], second["connector"], second["energy_mwh"]) == ("o2", 2, 99 * 2_000)
    assert second["stop_reason"] == "EVDisconnected" and (second["seq"], first["seq"]) == (1, 2)


def test_both_connectors_recover_from_one_cut():
    pile = Pile(connectors=2)
    pile.order("o1")
    pile.order("o2", connector=2)
    pile.cycle(50)
    pile.boot(AT + 30)
    pile.readings(2).plugged = False
    pile.cycle(10)
    assert pile.connector(1).commanded and not pile.connector(2).commanded
    pile.stop("o1")
    assert [(s["order_id"], s["stop_reason"]) for s in pile.settlements()] == [
        ("o2", "PowerLoss"),
        ("o1", "Remote"),
    ]


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
        (pile.controller.status(0, 0, 0), pile.controller.hello(NONCE), pile.settlements(), pile.store.files)
    )
    assert repr(KEY)[2:20] not in text and "".join(["%02x" % b for b in KEY]) not in text


def test_without_a_plug_switch_it_resumes_only_for_a_short_while():
    """Hours after a power cut another vehicle may stand there: it must not charge on the first one's bill."""
    for away_s, resumes in ((BLIND_RESUME_S - 60, True), (BLIND_RESUME_S + 60, False)):
        pile = cut_while_charging()
        pile.boot()
        pile.readings().plugged = None
        pile.controller.hello(NONCE)
        time(pile, AT + 59 + away_s)
        pile.cycle(2)
        assert pile.connector().commanded is resumes, away_s
        if not resumes:
            assert settled(pile, "PowerLoss")["ended_at"] == AT + 59


def test_an_order_ends_before_its_cost_leaves_the_settlements_table():
    """A mistyped fee once made settlements that no cloud could take, and nothing behind them got out."""
    pile = Pile()
    fee = messages.MAX_MINOR - 10
    pile.order("o1", rate=rate(session_fee_minor=fee, steps=[[AT - 60, 1_000_000, 0, "flat"]]))
    pile.cycle(2_000)
    (settlement,) = pile.settlements()
    assert (settlement["stop_reason"], settlement["total_minor"]) == ("CostLimitReached", messages.MAX_MINOR)


def test_a_fault_for_flash_that_refused_is_kept_once_it_writes_again():
    pile = Pile()
    pile.charge()
    pile.store.refusing = True
    pile.cycle(20)
    pile.store.refusing = False
    pile.cycle(30)
    pile.boot()
    assert pile.connector().latch.fault == "InternalError"
