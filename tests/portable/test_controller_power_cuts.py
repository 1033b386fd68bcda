"""The whole pile after a power cut: nothing is lost, doubled or closed unasked, whatever the flash holds."""

from pile.checksum import framed, unframed
from pile.journal import USED_MAX
from pile.safety import Limits
from pile.session import RECOVERY_WAIT_MS
from pile_protocol import messages, wire
from tests.portable.kit import AT, NONCE, OTHER_KEY, REGISTER_MWH, Pile, order, rejected, sealed, totals_agree

# -- back with its order -------------------------------------------------------------------------------------


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
    assert not pile.connector().commanded and pile.kept_order() is None
    return settlement


def test_it_resumes_within_the_orders_window():
    pile = cut_while_charging()
    pile.boot()
    pile.cycle(20)
    assert not pile.connector().commanded, "closed without knowing the time"
    assert pile.controller.hello(NONCE)["orders"] == [["o1", "Accepted"]]
    pile.tell_time(AT + 300)
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
    pile.tell_time(AT + 3_600)
    pile.cycle()
    assert settled(pile, "PowerLoss")["ended_at"] == AT + 59


def test_it_settles_when_the_plug_is_gone():
    pile = cut_while_charging()
    pile.plugged[1] = False
    pile.boot()
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
    settled(pile, "Remote")


def test_a_meter_that_lost_its_memory_bills_the_last_checkpoint():
    pile = cut_while_charging()
    checkpoint_mwh = pile.kept_register_mwh()
    pile.set_register(0)
    pile.boot(AT + 60)
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


def test_without_a_plug_switch_it_resumes_only_for_a_short_while():
    """Hours after a power cut another vehicle may stand there: it must not charge on the first one's bill."""
    gap_s = Limits().gap_ms // 1000
    for away_s, resumes in ((gap_s - 20, True), (gap_s + 20, False)):
        pile = cut_while_charging()
        pile.plug_switch = False
        pile.boot()
        pile.controller.hello(NONCE)
        pile.tell_time(AT + 59 + away_s)
        pile.cycle(2)
        assert pile.connector().commanded is resumes, away_s
        if not resumes:
            assert settled(pile, "PowerLoss")["ended_at"] == AT + 59


def test_both_connectors_recover_from_one_cut():
    pile = Pile(connectors=2)
    pile.order("o1")
    pile.order("o2", connector=2)
    pile.cycle(50)
    pile.plugged[2] = False
    pile.boot(AT + 30)
    pile.cycle(10)
    assert pile.connector(1).commanded and not pile.connector(2).commanded
    pile.stop("o1")
    assert [(s["order_id"], s["stop_reason"]) for s in pile.settlements()] == [
        ("o2", "PowerLoss"),
        ("o1", "Remote"),
    ]


# -- a cut at any moment -------------------------------------------------------------------------------------


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
    assert not pile.closed() and pile.settlements() == []
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
    assert settlement["energy_mwh"] <= pile.delivered_mwh()
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


# -- flash that is damaged or refuses ------------------------------------------------------------------------


def test_an_order_sealed_with_another_key_is_not_billed():
    pile = cut_while_charging()
    journal = pile.controller.journal
    journal.open_order(1, "o1", sealed(order(), OTHER_KEY), AT, REGISTER_MWH)
    pile.boot(AT + 60)
    pile.cycle(10)
    assert pile.settlements() == [] and not pile.connector().commanded
    assert pile.connector().fault == "InternalError" and pile.kept_order() is None


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
    assert pile.connector().fault == "InternalError" and not pile.relays[1]


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
            assert pile.controller.status({})["damaged"] >= 1 or not damage.strip(b"\n"), (name, damage)
            if closed:
                pile.stop("o1")
                assert pile.settlements()[-1]["order_id"] == "o1", (name, damage)
            if pile.connector().fault:
                pile.command("reset", connector=1, issued_at=AT + 61, expires_at=AT + 100)
            pile.charge("o2", issued_at=AT + 60, expires_at=AT + 120)
            pile.stop("o2")
            assert pile.settlements()[-1]["order_id"] == "o2", (name, damage)


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
        messages.validate(wire.STATUS, pile.controller.status({}))
        assert pile.connector().fault == "InternalError", name
        pile.store.refusing = False
        pile.cycle(30)
        assert len(pile.settlements()) == (0 if name == "order-1" else 1), name
