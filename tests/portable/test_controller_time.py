"""The whole pile's time: which it believes, and that no change of it reaches a running order."""

from pile.clock import CALENDAR
from pile.controller import HELLO_ANSWER_MS
from pile_protocol import topics
from tests.portable.kit import AT, NONCE, Pile, order, rate, rejected, sealed, totals_agree


def test_time_is_believed_as_the_answer_to_a_hello():
    pile = Pile(told_at=None)
    assert not pile.controller.knows_time
    pile.controller.hello(NONCE)
    assert pile.tell_time(AT) == AT and pile.controller.knows_time


def test_time_with_another_nonce_or_a_second_time_is_not():
    pile = Pile(told_at=None)
    assert pile.tell_time(AT) is None, "nobody asked"
    pile.controller.hello(NONCE)
    assert pile.tell_time(AT, "f" * 16) is None
    assert pile.tell_time(AT, device_id="pile-0002") is None
    assert pile.tell_time(AT) == AT
    assert pile.tell_time(AT + 500) == AT, "a replay set the clock"
    pile.controller.hello("f" * 16)
    assert pile.tell_time(AT + 500) == AT, "the nonce of an earlier hello was believed"
    assert pile.controller.dropped == 5


def test_time_that_took_too_long_is_asked_for_again():
    pile = Pile(told_at=None)
    pile.controller.hello(NONCE)
    pile.cycle(1, HELLO_ANSWER_MS + 1)
    assert pile.tell_time(AT) is None
    pile.controller.hello("f" * 16)
    pile.cycle(1, HELLO_ANSWER_MS)
    assert pile.tell_time(AT, "f" * 16) == AT


def test_an_order_of_long_ago_is_not_revived_by_a_calendar():
    pile = Pile()
    old = sealed(order("old"))
    pile.receive_bytes(topics.ORDER, old)
    pile.cycle(20)
    pile.stop("old")
    pile.cycle(1, 600_000)
    pile.charge("new", issued_at=AT + 600, expires_at=AT + 660)  # its id takes the place of the old one's
    pile.stop("new")
    pile.boot()
    pile.clock.tell(AT + 1, CALENDAR)
    pile.receive_bytes(topics.ORDER, old)
    rejected(pile, "NoClock", "old")
    pile.controller.hello(NONCE)
    pile.tell_time(AT + 700)
    pile.charge("next", issued_at=AT + 700, expires_at=AT + 760)
    assert pile.closed()


def test_a_reset_of_long_ago_is_not_revived_by_a_calendar():
    pile = Pile(told_at=None)
    pile.readings().ground_fault = True
    pile.cycle()
    pile.readings().ground_fault = False
    pile.clock.tell(AT, CALENDAR)
    pile.command("reset", connector=1)
    assert pile.connector().fault and pile.controller.dropped == 1


def test_hours_of_clock_change_in_a_running_order_change_neither_its_price_nor_its_end():
    locked = rate(steps=[[AT - 7_200, 1_000_000, 0, "valley"], [AT + 3_600, 9_000_000, 0, "peak"]])
    for jump_s in (7_200, -7_200, 86_400 * 400):
        pile = Pile()
        pile.charge(cycles=10, rate=locked, limits={"duration_s": 60})
        pile.controller.hello(NONCE)
        assert pile.tell_time(AT + jump_s) == AT + jump_s
        pile.cycle(700)
        (settlement,) = pile.settlements()
        totals_agree(settlement, locked)
        assert settlement["stop_reason"] == "TimeLimitReached"
        assert settlement["ended_at"] - settlement["started_at"] == 60, jump_s
        assert [row[1] for row in settlement["periods"]] == [1_000_000], jump_s


def test_a_clock_that_is_set_back_makes_no_settled_order_valid_again():
    """Its id was forgotten as soon as it had expired: a late copy ran, and was billed, a second time."""
    pile = Pile()
    pile.charge("o1", 10)
    pile.stop("o1")
    pile.cycle(700)
    pile.order("o2", issued_at=pile.clock.at(), expires_at=pile.clock.at() + 60)
    pile.cycle(20)
    pile.stop("o2")
    pile.controller.hello(NONCE)
    assert pile.tell_time(AT + 45) == AT + 45
    pile.said()
    pile.order("o1")
    rejected(pile, "UsedOrder")
