"""The whole pile with flash that refuses to write, and with relays that do not move."""

from pile import controller
from pile.keeper import RETRY_MS
from pile_protocol import topics
from tests.portable.kit import AT, Pile, order, raises, sealed, totals_agree

# -- flash that refuses --------------------------------------------------------------------------------------


def test_flash_that_refuses_stops_the_order_and_settles_it_once_it_writes_again():
    pile = Pile()
    pile.charge(cycles=25)
    pile.said()
    pile.store.refusing = True
    pile.cycle(30)
    assert not pile.connector().commanded
    assert pile.connector().fault == "InternalError" and pile.settlements() == []
    assert ("o1", "Settled", "InternalError") not in pile.said(), "settled without a durable settlement"
    pile.store.refusing = False
    pile.cycle(RETRY_MS // 100 + 5)
    (settlement,) = pile.settlements()
    totals_agree(settlement)
    assert settlement["stop_reason"] == "InternalError"
    assert ("o1", "Settled", "InternalError") in pile.said()
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
            assert pile.connector().order is None and pile.kept_order() is None, (
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
    assert pile.delivered_mwh() <= 2_600 + 200


def test_a_fault_for_flash_that_refused_is_kept_once_it_writes_again():
    pile = Pile()
    pile.charge()
    pile.store.refusing = True
    pile.cycle(20)
    pile.store.refusing = False
    pile.cycle(30)
    pile.boot()
    assert pile.connector().fault == "InternalError"


# -- a heap that is full -------------------------------------------------------------------------------------
#
# The task that reads from the broker outlives a MemoryError of the cycle that its message began.


def exhausted(*_):
    raise MemoryError


def test_a_settlement_is_made_once_though_the_heap_has_no_room_to_tell_it():
    pile = Pile()
    pile.charge(cycles=25)
    mailbox = pile.controller.mailbox
    tell = mailbox.order_status

    def tell_all_but_the_end(order_id, connector, state, reason, at):
        if state == "Settled":
            raise MemoryError
        tell(order_id, connector, state, reason, at)

    mailbox.order_status = tell_all_but_the_end
    pile.command("stop", order_id="o1")
    raises(MemoryError, pile.cycle, 15)
    mailbox.order_status = tell
    pile.cycle(15)
    (settlement,) = pile.settlements()
    totals_agree(settlement)
    assert pile.controller.outbox.depth == 1 and pile.connector().order is None
    assert pile.kept_order() is None
    pile.charge("o2")
    assert pile.closed()


def test_an_order_that_the_heap_has_no_room_for_is_not_left_in_flash():
    pile = Pile()
    session = controller.Session
    controller.Session = exhausted
    try:
        raises(MemoryError, pile.receive_bytes, topics.ORDER, sealed(order()))
    finally:
        controller.Session = session
    pile.cycle(5)
    pile.boot(AT + 5)
    pile.cycle(5)
    assert not pile.closed() and pile.connector().order is None


# -- relays --------------------------------------------------------------------------------------------------


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
        assert pile.connector().fault == "PowerSwitchFailure", feedback
        assert pile.connector().status() == "Faulted"


def test_a_relay_that_does_not_close_is_a_fault_and_the_order_is_settled():
    pile = Pile()
    pile.stuck_open.add(1)
    pile.charge(cycles=30)
    (settlement,) = pile.settlements()
    assert (settlement["stop_reason"], settlement["energy_mwh"]) == ("PowerSwitchStuckOpen", 0)
    assert pile.connector().status() == "Faulted"
