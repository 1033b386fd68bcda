"""What the whole pile refuses, and that no order starts it twice."""

from pile.admission import FREE_BYTES_MIN
from pile.journal import USED_MAX
from pile.outbox import Outbox
from pile_protocol import topics
from tests.portable.kit import AT, OTHER_KEY, MemoryStore, Pile, order, rate, rejected

# -- refusals ------------------------------------------------------------------------------------------------


def test_each_reason_to_refuse():
    def unplug(pile):
        pile.plugged[1] = False

    def press_estop(pile):
        pile.readings().estop = True

    def silence_meter(pile):
        pile.silence_meter()

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
    pile.store.log = []
    pile.receive(topics.ORDER, order(), OTHER_KEY)
    rejected(pile, "BadSeal")
    for data in (b"", b"{}", b"\xff" * 100, b"[" * 5000, b"x" * 100_000):
        pile.receive_bytes(topics.ORDER, data)
    assert pile.controller.dropped == 6
    assert not pile.connector().commanded and pile.store.log == []
    pile.charge()
    assert pile.connector().commanded, "bad bytes kept a good order from starting"


def test_a_busy_connector_keeps_its_order():
    pile = Pile()
    pile.charge("o1")
    pile.said()
    pile.order("o2")
    assert pile.said() == [("o2", "Rejected", "ConnectorBusy")]
    pile.cycle()
    assert pile.connector().order.order_id == "o1" and pile.connector().commanded


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
    assert pile.controller.status({})["outbox_full"] is True
    pile.acknowledge(pile.settlements()[0])
    assert pile.controller.status({})["outbox_full"] is False
    pile.order("o3")
    assert pile.said() == [("o3", "Accepted", None)]


# -- duplicates and used ids ---------------------------------------------------------------------------------


def test_a_duplicate_of_a_running_order_is_told_again_and_changes_nothing():
    pile = Pile()
    pile.order()
    pile.order()
    assert pile.said() == [("o1", "Accepted", None), ("o1", "Charging", None), ("o1", "Charging", None)]
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
    pile.plugged[1] = False
    pile.order()
    rejected(pile, "NotPlugged")
    pile.plugged[1] = True
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
    pile.plugged[1] = False
    for n in range(USED_MAX):
        pile.order("x%d" % n)
    pile.plugged[1] = True
    pile.said()
    pile.order()
    rejected(pile, "StorageFailure")
