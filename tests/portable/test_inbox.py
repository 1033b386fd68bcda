"""Messages wait in a bounded queue, and act one in each cycle."""

from pile.inbox import QUEUE_BYTES_MAX, QUEUE_MESSAGES_MAX
from pile_protocol import messages, topics
from tests.portable.kit import AT, Pile, order, rejected, sealed


def test_a_message_that_arrives_only_waits():
    """The control cycle ran on the stack of the task that reads from the broker: a driver's error in it was
    logged as one of the network, and ended the connection."""
    pile = Pile()
    pile.store.log = []
    before_ms = pile.clock.now_ms
    assert pile.controller.receive(topics.ORDER, sealed(order()))
    assert pile.connector().order is None and pile.store.log == [] and pile.said() == []
    assert pile.clock.now_ms == before_ms
    assert pile.controller.work(pile.clock.now_ms), "the next cycle is due at once"
    assert pile.said() == [("o1", "Accepted", None)]
    assert not pile.controller.work(pile.clock.now_ms)


def test_messages_act_in_the_order_they_came():
    pile = Pile()
    for n in range(3):
        assert pile.controller.receive(topics.ORDER, sealed(order("o%d" % n)))
    pile.cycle()
    said = [(order_id, state) for order_id, state, _ in pile.said() if state != "Charging"]
    assert said == [("o0", "Accepted"), ("o1", "Rejected"), ("o2", "Rejected")]


def test_the_queue_is_bounded_in_messages_and_bytes():
    pile = Pile()
    for _ in range(QUEUE_MESSAGES_MAX):
        assert pile.controller.receive(topics.COMMAND, b"x")
    assert not pile.controller.receive(topics.COMMAND, b"x")
    pile.cycle()
    assert pile.controller.dropped == QUEUE_MESSAGES_MAX
    assert pile.controller.receive(topics.ORDER, bytes(QUEUE_BYTES_MAX // 2))
    assert not pile.controller.receive(topics.ORDER, bytes(QUEUE_BYTES_MAX // 2 + 1))
    pile.cycle()
    assert pile.controller.receive(topics.ORDER, bytes(messages.MESSAGE_MAX_BYTES)), "any message fits alone"
    pile.cycle()
    assert pile.controller.inbox.is_empty


def test_an_order_refused_for_time_makes_the_pile_ask_for_the_time():
    """The cloud's clock was corrected by 45 s: every pile refused its orders for up to an hour."""
    for changes, reason in (
        ({"issued_at": AT + 45, "expires_at": AT + 105}, "NotYetValid"),
        ({"issued_at": AT - 105, "expires_at": AT - 45}, "Expired"),
    ):
        pile = Pile()
        pile.controller.hello("f" * 16)
        pile.cycle(101)
        assert not pile.controller.hello_due
        pile.order(**changes)
        rejected(pile, reason)
        assert pile.controller.hello_due
        pile.controller.hello("e" * 16)
        pile.order("o2", **changes)
        assert not pile.controller.hello_due, "once in 10 s"
        pile.cycle(100)
        assert pile.controller.hello_due
        pile.controller.hello("d" * 16)
        pile.tell_time(AT + 45, "d" * 16)
        assert not pile.controller.hello_due


def test_an_order_of_another_key_or_for_another_reason_asks_for_nothing():
    pile = Pile()
    pile.cycle(200)
    pile.order(rate=dict(order()["rate"], until_at=AT + 60))
    pile.receive(topics.ORDER, order("o3", issued_at=AT - 600, expires_at=AT - 540), bytes(32))
    assert not pile.controller.hello_due
