"""The local day in absolute time. The expected instants are written out by hand, in UTC."""

import itertools
from datetime import datetime, timezone
from zoneinfo import ZoneInfo

import pytest

from cloud_stub.rates import expansion

BERLIN = "Europe/Berlin"
SHANGHAI = "Asia/Shanghai"
NIGHT_AND_DAY = [[0, 1, 1, "valley"], [360, 2, 2, "flat"]]


def utc(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=timezone.utc).timestamp())


def steps(periods: list, zone: str, from_at: int, until_at: int) -> list:
    """With the same periods every day."""
    return expansion.steps(lambda _: periods, zone, from_at, until_at)


def starts(found: list) -> list[tuple[int, str]]:
    return [(step[0], step[3]) for step in found]


def test_one_period_is_one_step_from_the_first_second():
    assert steps([[0, 5, 6, "flat"]], BERLIN, 1_700_000_123, 1_700_086_400) == [[1_700_000_123, 5, 6, "flat"]]


def test_midnight_is_a_step_where_the_price_changes():
    periods = [[0, 1, 0, "valley"], [420, 2, 0, "flat"], [1320, 3, 0, "peak"]]
    found = steps(periods, SHANGHAI, utc("2026-05-01T13:30"), utc("2026-05-02T00:00"))
    assert starts(found) == [
        (utc("2026-05-01T13:30"), "flat"),  # 21:30 there
        (utc("2026-05-01T14:00"), "peak"),  # 22:00
        (utc("2026-05-01T16:00"), "valley"),  # midnight
        (utc("2026-05-01T23:00"), "flat"),  # 07:00
    ]


def test_equal_neighbours_are_one_step_also_over_midnight():
    periods = [[0, 1, 1, "valley"], [360, 2, 2, "flat"], [720, 2, 2, "flat"], [1320, 1, 1, "valley"]]
    found = steps(periods, SHANGHAI, utc("2026-05-01T13:00"), utc("2026-05-02T04:30"))
    assert starts(found) == [
        (utc("2026-05-01T13:00"), "flat"),
        (utc("2026-05-01T14:00"), "valley"),
        (utc("2026-05-01T22:00"), "flat"),
    ]


def test_a_step_that_would_begin_at_the_end_is_not_there():
    found = steps(NIGHT_AND_DAY, SHANGHAI, utc("2026-05-01T20:00"), utc("2026-05-01T22:00"))
    assert starts(found) == [(utc("2026-05-01T20:00"), "valley")]


def test_a_step_begins_at_the_very_second():
    found = steps(NIGHT_AND_DAY, SHANGHAI, utc("2026-05-01T22:00"), utc("2026-05-01T22:01"))
    assert starts(found) == [(utc("2026-05-01T22:00"), "flat")]


def test_spring_in_berlin_makes_the_night_an_hour_shorter():
    # On 29 March 2026 the clock went from 02:00 to 03:00 at 01:00 UTC.
    found = steps(NIGHT_AND_DAY, BERLIN, utc("2026-03-28T22:00"), utc("2026-03-29T12:00"))
    assert starts(found) == [
        (utc("2026-03-28T22:00"), "flat"),
        (utc("2026-03-28T23:00"), "valley"),  # midnight, UTC+1
        (utc("2026-03-29T04:00"), "flat"),  # 06:00, UTC+2
    ]


def test_a_period_inside_the_hour_that_spring_skips_never_holds():
    periods = [[0, 1, 0, "valley"], [130, 9, 0, "sharp"], [150, 2, 0, "flat"]]  # sharp: 02:10 to 02:30
    found = steps(periods, BERLIN, utc("2026-03-28T23:00"), utc("2026-03-29T06:00"))
    assert starts(found) == [(utc("2026-03-28T23:00"), "valley"), (utc("2026-03-29T01:00"), "flat")]


def test_a_period_that_starts_inside_the_skipped_hour_holds_from_the_jump():
    periods = [[0, 1, 0, "valley"], [150, 2, 0, "flat"]]  # from 02:30
    found = steps(periods, BERLIN, utc("2026-03-28T23:00"), utc("2026-03-29T06:00"))
    assert starts(found) == [(utc("2026-03-28T23:00"), "valley"), (utc("2026-03-29T01:00"), "flat")]


def test_autumn_in_berlin_makes_the_night_an_hour_longer():
    # On 25 October 2026 the clock went from 03:00 to 02:00 at 01:00 UTC.
    found = steps(NIGHT_AND_DAY, BERLIN, utc("2026-10-24T21:00"), utc("2026-10-25T12:00"))
    assert starts(found) == [
        (utc("2026-10-24T21:00"), "flat"),
        (utc("2026-10-24T22:00"), "valley"),  # midnight, UTC+2
        (utc("2026-10-25T05:00"), "flat"),  # 06:00, UTC+1
    ]


def test_a_period_inside_the_hour_that_autumn_repeats_holds_twice():
    periods = [[0, 1, 0, "valley"], [150, 9, 0, "sharp"], [165, 1, 0, "valley"]]  # sharp: 02:30 to 02:45
    found = steps(periods, BERLIN, utc("2026-10-24T22:00"), utc("2026-10-25T04:00"))
    assert starts(found) == [
        (utc("2026-10-24T22:00"), "valley"),
        (utc("2026-10-25T00:30"), "sharp"),
        (utc("2026-10-25T00:45"), "valley"),
        (utc("2026-10-25T01:30"), "sharp"),
        (utc("2026-10-25T01:45"), "valley"),
    ]


def test_the_jump_back_itself_is_a_step_where_it_changes_the_price():
    periods = [[0, 1, 0, "valley"], [150, 2, 0, "flat"]]  # from 02:30
    found = steps(periods, BERLIN, utc("2026-10-24T22:00"), utc("2026-10-25T04:00"))
    assert starts(found) == [
        (utc("2026-10-24T22:00"), "valley"),
        (utc("2026-10-25T00:30"), "flat"),
        (utc("2026-10-25T01:00"), "valley"),  # 02:00 again
        (utc("2026-10-25T01:30"), "flat"),
    ]


def test_quarter_hours_for_the_longest_order_fit_into_a_message():
    periods = [[15 * i, i, 0, "flat"] for i in range(96)]
    for start in ("2026-03-28T10:07", "2026-10-24T10:07", "2026-05-01T10:07"):
        assert len(steps(periods, BERLIN, utc(start), utc(start) + 86_400 + 300)) <= 100


@pytest.mark.parametrize(
    "zone", [BERLIN, SHANGHAI, "Australia/Lord_Howe", "Pacific/Chatham", "America/St_Johns"]
)
@pytest.mark.parametrize(
    "day", ["2026-03-08", "2026-03-28", "2026-04-04", "2026-10-03", "2026-10-24", "2026-10-31"]
)
def test_every_second_of_two_days_has_the_price_of_its_wall_clock(zone: str, day: str):
    periods = [[0, 1, 0, "valley"], [95, 2, 0, "flat"], [150, 3, 0, "peak"], [1437, 4, 0, "sharp"]]
    from_at = utc(day + "T00:00") + 17
    until_at = from_at + 2 * 86_400
    found = steps(periods, zone, from_at, until_at)
    assert all(a[1:] != b[1:] for a, b in itertools.pairwise(found))
    for at in range(from_at, until_at, 7 * 60):
        local = datetime.fromtimestamp(at, ZoneInfo(zone))
        minute = local.hour * 60 + local.minute
        expected = [price for start, price, _, _ in periods if start <= minute][-1]
        assert [price for start, price, _, _ in found if start <= at][-1] == expected
