"""What else the cloud says to the whole pile: stops, resets, reports and acknowledgements."""

from pile_protocol import topics
from tests.portable.kit import AT, DEVICE_ID, OTHER_KEY, Pile, order, rejected, sealed

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
        pile.receive_bytes(name, sealed(order()))
    assert pile.said() == [] and pile.connector().order is None


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
    assert pile.controller.dropped == 1 and pile.connector().fault == "GroundFailure"
    pile.store.refusing = False
    pile.command("reset", connector=1)
    assert pile.connector().fault is None and pile.kept_faults() == {}


def test_a_fault_outlives_a_power_cut():
    pile = faulted()
    pile.boot(AT + 60)
    assert pile.connector().status() == "Faulted"
    pile.order(issued_at=AT + 60, expires_at=AT + 120)
    rejected(pile, "ConnectorFaulted")


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
