"""What a settlement states of times, tiers and staying is held against everything that bounds it."""

from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_stub.db.rows import OrderRow
from cloud_stub.settlements import rules
from cloud_stub.settlements.case import Case
from pile_protocol import components, pricing, seal, topics, wire
from tests.portable import kit
from tests.portable.last_release import FILES

KWH = 1_000_000
AT = 1_800_000_000
HOUR_S = 3600
POWER_W = 3_000
RATE = {
    "rate_id": "r",
    "currency": "CNY",
    "minor_digits": 2,
    "session_fee_minor": 0,
    "steps": [[AT, 0, 0, "flat"], [AT + HOUR_S, 0, 0, "peak"]],
    "until_at": AT + 12 * HOUR_S,
    "time_prices": [600_000, 900_000],
    "tiers": [[200_000, 500_000], [400_000, 900_000]],
    "idle": {"price": 6_000_000, "after_s": 600, "max_minor": 2000},
    "tax_per_mille": 190,
}


def case(changes: dict[str, Any] | None = None, *, mwh: int = 300_000, **lies: Any) -> Case:
    """An order of two hours at 150 W, over which the vehicle stayed on for half an hour. lies: members of the
    settlement; changes: members of the locked rate, None for one that it does not have.
    """
    rate = {name: value for name, value in (RATE | (changes or {})).items() if value is not None}
    limits = {"duration_s": 11 * HOUR_S} | lies.pop("limits", {})
    times = lies.pop("times_ms", [HOUR_S * 1000, HOUR_S * 1000])
    tiers_ms = lies.pop("tiers_ms", [2 * HOUR_S * 1000, 0])
    stay_s = lies.pop("stay_s", 1800)
    ended_at = lies.get("ended_at", AT + 2 * HOUR_S)
    order: dict[str, Any] = dict.fromkeys(OrderRow._fields) | {
        "order_id": "o",
        "device_id": "PILE-1",
        "connector": 1,
        "rate_id": "r",
        "rate_digest": pricing.digest(rate),
        "rate_json": orjson.dumps(rate).decode(),
        "limits_json": orjson.dumps(limits).decode(),
        "created_at": AT,
        "expires_at": AT + 60,
        "window_end_at": rate["until_at"] + 86_400,
    }
    idle_ms = max(0, stay_s - 600) * 1000 if "idle" in rate else 0
    later_mwh = mwh // 2 if times[1] else 0
    energies = [(0, mwh - later_mwh), (1, later_mwh)]
    usage = components.Usage(
        energies if later_mwh else energies[:1],
        list(enumerate(times)) if "time_prices" in rate else [],
        tiers_ms if "tiers" in rate else [],
        idle_ms,
    )
    bill = components.bill(rate, usage, limits.get("cost_minor"))
    if "idle" in rate:
        stay = {"since_at": ended_at, "until_at": ended_at + stay_s, "time_ms": idle_ms}
        bill["idle"] = stay | {"idle_minor": bill.pop("idle_minor")}
    fields = {
        "device_id": "PILE-1",
        "connector": 1,
        "rate_id": "r",
        "rate_digest": pricing.digest(rate),
        "start_register_mwh": 0,
        "end_register_mwh": mwh,
        "energy_mwh": mwh,
        "started_at": AT,
        "ended_at": ended_at,
        **bill,
        "currency": "CNY",
        "minor_digits": 2,
        "stop_reason": "Local",
        "recovered": False,
    } | lies
    return Case(fields, "PILE-1", OrderRow(**order), AT + 24 * HOUR_S, POWER_W, None)


def test_an_honest_one_breaks_no_rule():
    assert rules.check(case()) == []


@pytest.mark.parametrize(
    "lies, flags",
    [
        # an hour has 3,600,000 ms; ten seconds are allowed
        ({"times_ms": [HOUR_S * 1000 + 11_000, HOUR_S * 1000 - 11_000]}, ["TimeTooLong"]),
        ({"times_ms": [HOUR_S * 1000 + 9_000, HOUR_S * 1000 - 9_000]}, []),
        (
            {"tiers_ms": [2 * HOUR_S * 1000 - 11_000, 0]},
            ["TimeTooLong"],
        ),  # another sum than that of the steps
        ({"tiers_ms": [2 * HOUR_S * 1000 + 9_000, 0]}, []),
        ({"times_ms": [0, 60_000], "tiers_ms": [60_000, 0]}, ["TimeTooShort", "TiersTooLow"]),
        # 150 W cannot be two hours above 200 W
        ({"tiers_ms": [0, 2 * HOUR_S * 1000]}, ["TiersTooHigh"]),
        ({"tiers_ms": [HOUR_S * 1000, HOUR_S * 1000]}, []),
        # nor can 1,500 W be two hours below 200 W
        ({"mwh": 3 * KWH}, ["TiersTooLow"]),
        ({"mwh": 3 * KWH, "tiers_ms": [0, 2 * HOUR_S * 1000]}, []),
        ({"stay_s": 0}, []),
        ({"stay_s": 26 * HOUR_S}, ["EndInFuture", "IdleMismatch"]),
        ({"stay_s": 23 * HOUR_S}, ["EndInFuture"]),
    ],
)
def test_times_are_bounded_by_each_other_and_by_the_energy(lies: dict[str, Any], flags: list[str]):
    assert rules.check(case(**lies)) == flags


@pytest.mark.parametrize(
    "changes, flags",
    [
        ({"since_at": AT + 2 * HOUR_S + 21}, ["IdleMismatch"]),
        ({"since_at": AT + HOUR_S}, ["IdleMismatch"]),
        ({"until_at": AT + 2 * HOUR_S - 1}, ["IdleMismatch"]),
        ({"until_at": AT + 2 * HOUR_S + 1700}, ["IdleMismatch"]),  # 20 minutes are billed, 18 were not free
        ({"until_at": AT + 2 * HOUR_S + 1795}, []),
        ({"idle_minor": 121}, ["LinesMismatch"]),
    ],
)
def test_staying_is_held_against_the_end_and_the_free_time(changes: dict[str, int], flags: list[str]):
    honest = case().fields["idle"]
    assert honest["idle_minor"] == 200  # 20 minutes at 6 an hour
    assert rules.check(case(idle=honest | changes)) == flags


@pytest.mark.parametrize(
    "lies, flags",
    [
        ({"tax_minor": 0}, ["LinesMismatch"]),
        ({"total_minor": 1}, ["TotalMismatch"]),
        ({"times": []}, ["TotalMismatch", "LinesMismatch"]),
        ({"times": [[AT, 600_001, 1, 0]]}, ["PeriodsMismatch"]),
        ({"tiers": [[200_000, 1, 1, 0]]}, ["PeriodsMismatch"]),
    ],
)
def test_every_line_is_computed_again(lies: dict[str, Any], flags: list[str]):
    found = rules.check(case(**lies))
    assert [flag for flag in found if flag not in ("TimeTooShort", "TimeTooLong", "TiersTooLow")] == flags


def test_lines_that_the_rate_does_not_have_are_no_lines_of_it():
    plain: dict[str, Any] = dict.fromkeys(("time_prices", "tiers", "idle", "tax_per_mille"))
    assert rules.check(case(plain)) == []
    assert "PeriodsMismatch" in rules.check(case(plain, tiers=[[200_000, 500_000, 7_200_000, 100]]))


def test_time_worth_far_more_than_the_money_limit_is_flagged():
    """The total is the limit, but the pile did not stop."""
    assert rules.check(case(limits={"cost_minor": 100})) == ["CostLimitExceeded"]
    total = case().fields["total_minor"]
    assert rules.check(case(limits={"cost_minor": total - 5})) == []  # of a few seconds
    assert (
        rules.check(case({"maximum_minor": 80}, limits={"cost_minor": 100})) == []
    )  # it could go on for free


def test_an_order_that_its_money_limit_ended_early_is_not_flagged():
    """Where no energy flowed the bill is 0, and a pile takes the time since its newest sample of the power as
    of the dearest tier: such bills were flagged, and their drivers' money held.
    """
    idle: dict[str, Any] = {"idle": None}

    def reached(changes: dict[str, Any], cost_minor: int, mwh: int = 300_000) -> Case:
        return case(changes, mwh=mwh, limits={"cost_minor": cost_minor}, stop_reason="CostLimitReached")

    waited = reached(idle, 150, mwh=0)
    assert waited.fields["total_minor"] == 0 and rules.check(waited) == []
    assert rules.check(reached(idle, 300, mwh=0)) == ["StopReasonMismatch"]
    total_minor = case(idle).fields["total_minor"]
    dear = idle | {"tiers": [[200_000, 500_000], [400_000, 36_000_000]]}  # a minor unit a second
    for above_minor, flags in ((18, []), (22, ["StopReasonMismatch"])):
        assert rules.check(reached(dear, total_minor + above_minor)) == flags, above_minor
    capped = idle | {"maximum_minor": 100}
    assert rules.check(reached(capped, 100)) == ["StopReasonMismatch"]


@st.composite
def loads(draw: st.DrawFn) -> tuple[int, list[int], list[int]]:
    """(mWh, ms per step, ms per tier) as a pile counts them from a sample of the power each second, for the
    lower of two neighbours.
    """
    stretches = draw(
        st.lists(st.tuples(st.integers(0, 3_000_000), st.integers(60, 2400)), min_size=1, max_size=3)
    )
    samples = [power_mw for power_mw, seconds in stretches for _ in range(seconds)][: 2 * HOUR_S]
    tiers_ms = [0, 0]
    energy_uj = 0
    for before, after in pairwise(samples):
        tiers_ms[min(before, after) > 200_000] += 1000
        energy_uj += (before + after) * 500
    steps_ms = [1000 * min(len(samples) - 1, HOUR_S), 1000 * max(0, len(samples) - 1 - HOUR_S)]
    return energy_uj // 3_600_000, steps_ms, tiers_ms


@given(loads())
def test_no_honest_load_is_flagged(load: tuple[int, list[int], list[int]]):
    mwh, times_ms, tiers_ms = load
    honest = case(mwh=mwh, times_ms=times_ms, tiers_ms=tiers_ms, ended_at=AT + sum(times_ms) // 1000)
    assert rules.check(honest) == []


def test_settlements_that_the_last_release_wrote_are_read_and_computed_again():
    """Their bytes, as they stand in the flash of a pile that was not updated yet."""
    lines = FILES["out-00000001"].split(b"\n")
    sealed = [line.partition(b" ")[2] for line in lines if b'"kind":"settlement"' in line]
    assert len(sealed) == 2
    locked = kit.rate()
    for data in sealed:
        fields = wire.decode(topics.SETTLEMENT, data)
        seal.check(data, kit.KEY)
        assert fields["rate_digest"] == pricing.digest(locked)
        order: dict[str, Any] = dict.fromkeys(OrderRow._fields) | {
            "order_id": fields["order_id"],
            "device_id": kit.DEVICE_ID,
            "connector": 1,
            "rate_id": "r1",
            "rate_digest": pricing.digest(locked),
            "rate_json": orjson.dumps(locked).decode(),
            "limits_json": b'{"duration_s":3600}',
            "created_at": kit.AT,
            "expires_at": kit.AT + 60,
            "stop_requested_at": kit.AT,
        }
        found = Case(fields, kit.DEVICE_ID, OrderRow(**order), kit.AT + 60, POWER_W * 10, None)
        assert rules.check(found) == []
        assert found.computed is not None and found.computed["total_minor"] == fields["total_minor"]
