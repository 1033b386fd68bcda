"""The clock: forward through the tick wrap, and told times that take effect at once."""

from pile.clock import CALENDAR, CLOUD, TICKS_MASK_MS, UNSET, Clock
from tests.portable.kit import AT

TICKS_PERIOD_MS = TICKS_MASK_MS + 1


def test_it_counts_from_boot_whatever_the_ticks_say():
    clock = Clock(123_456)
    assert clock.now_ms == 0
    assert clock.tick(123_556) == 100
    assert clock.tick(123_556) == 100


def test_it_goes_on_through_the_tick_wrap():
    clock = Clock(TICKS_PERIOD_MS - 50)
    assert clock.tick(TICKS_PERIOD_MS - 1) == 49
    assert clock.tick(0) == 50
    assert clock.tick(50) == 100


def test_a_month_of_wraps_loses_nothing():
    step_ms = 86_400_000
    clock = Clock(0)
    clock.tell(AT, CLOUD)
    ticks_ms = 0
    for day in range(1, 32):
        ticks_ms = (ticks_ms + step_ms) % TICKS_PERIOD_MS
        assert clock.tick(ticks_ms) == day * step_ms
    assert clock.at() == AT + 31 * 86_400


def test_ticks_that_never_wrap_do_as_well():
    clock = Clock(TICKS_PERIOD_MS * 5 + 10)
    assert clock.tick(TICKS_PERIOD_MS * 5 + 30) == 20


def test_without_a_source_there_is_no_time():
    clock = Clock(0)
    clock.tick(1000)
    assert clock.at() is None and clock.source == UNSET


def test_a_told_time_runs_on_by_whole_seconds():
    clock = Clock(0)
    clock.tick(700)
    clock.tell(AT, CLOUD)
    assert clock.at() == AT
    clock.tick(1699)
    assert clock.at() == AT
    clock.tick(1700)
    assert clock.at() == AT + 1


def test_a_told_time_takes_effect_in_both_directions():
    clock = Clock(0)
    for at in (AT, AT + 7_200, AT - 7_200, 2**31 - 1, 2**31, 2**32):
        clock.tell(at, CLOUD)
        clock.tick((clock.now_ms + 1000) % TICKS_PERIOD_MS)
        assert clock.at() == at + 1, at


def test_now_ms_never_steps_with_the_told_time():
    clock = Clock(0)
    clock.tick(5000)
    clock.tell(AT, CLOUD)
    clock.tell(AT - 86_400, CLOUD)
    assert clock.now_ms == 5000


def test_the_calendar_does_not_overrule_the_cloud():
    clock = Clock(0)
    clock.tell(AT, CALENDAR)
    assert (clock.at(), clock.source) == (AT, CALENDAR)
    clock.tell(AT + 10, CALENDAR)
    assert clock.at() == AT + 10
    clock.tell(AT + 20, CLOUD)
    clock.tell(AT + 900, CALENDAR)
    assert (clock.at(), clock.source) == (AT + 20, CLOUD)
