"""What is held for an order is the most that it can cost."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cloud_stub.rates import highest_cost
from pile_protocol import components


@st.composite
def cases(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, int], int, components.Usage]:
    """A locked rate, limits, the connector's power in W, and what an order within them may use."""
    price = st.integers(0, 5_000_000)
    steps = draw(st.lists(st.tuples(price, price), min_size=1, max_size=4))
    rate: dict[str, Any] = {
        "minor_digits": draw(st.sampled_from((0, 2, 3))),
        "session_fee_minor": draw(st.integers(0, 500)),
        "steps": [[1_700_000_000 + 60 * i, *each, "flat"] for i, each in enumerate(steps)],
    }
    if draw(st.booleans()):
        rate["time_prices"] = [draw(price) for _ in steps]
    if draw(st.booleans()):
        rate["tiers"] = [[200_000, draw(price)], [400_000, 6_000_000]]
    if draw(st.booleans()):
        rate["idle"] = {"price": 1 + draw(price), "after_s": 60, "max_minor": draw(st.integers(1, 5000))}
    if draw(st.booleans()):
        rate["minimum_minor"] = draw(st.integers(1, 1000))
    if draw(st.booleans()):
        rate["maximum_minor"] = max(rate.get("minimum_minor", 0), draw(st.integers(500, 5000)))
    limits = {"duration_s": draw(st.integers(1, 86_400))}
    if draw(st.booleans()):
        limits["energy_mwh"] = draw(st.integers(1, 10**8))
    power_w = draw(st.integers(100, 50_000))
    most_mwh = min(power_w * 1000 * limits["duration_s"] // 3600, limits.get("energy_mwh", 10**9))
    charged_ms = draw(st.integers(0, limits["duration_s"] * 1000))
    energy_mwh = draw(st.integers(0, most_mwh))
    split = draw(st.integers(0, len(steps) - 1))
    energies, times = [(split, energy_mwh)], [(split, charged_ms)] if "time_prices" in rate else []
    below = draw(st.integers(0, charged_ms))
    tiers_ms = [below, charged_ms - below] if "tiers" in rate else []
    idle_ms = draw(st.integers(0, 86_400_000)) if "idle" in rate else 0
    return rate, limits, power_w, components.Usage(energies, times, tiers_ms, idle_ms)


@given(cases())
def test_no_order_costs_more_than_the_highest_cost(case: Any):
    rate, limits, power_w, usage = case
    highest = highest_cost.highest_minor(rate, limits, power_w)
    assert components.bill(rate, usage)["total_minor"] <= highest
    assert highest_cost.highest_minor(rate, limits | {"cost_minor": 7}, power_w) == min(7, highest)


def test_the_highest_cost_is_reached():
    rate = {
        "minor_digits": 2,
        "session_fee_minor": 50,
        "steps": [[0, 800_000, 400_000, "flat"]],
        "time_prices": [600_000],
        "tiers": [[200_000, 900_000]],
        "idle": {"price": 6_000_000, "after_s": 0, "max_minor": 2000},
    }
    usage = components.Usage([(0, 20_000_000)], [(0, 7_200_000)], [7_200_000], 86_400_000)
    assert components.bill(rate, usage)["total_minor"] == 2400 + 120 + 180 + 2000 + 50
    assert highest_cost.highest_minor(rate, {"duration_s": 7200}, 10_000) == 4750
