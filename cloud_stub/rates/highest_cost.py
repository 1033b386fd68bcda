"""The most that an order can cost, from what is known before it begins."""

from typing import Any

from pile_protocol import messages, pricing

_PICO_PER_HOUR = 1_000_000  # of a price of 1 (10^-6 currency per hour)


def highest_minor(locked_rate: dict[str, Any], limits: dict[str, int], power_w: int) -> int:
    """Minor units. locked_rate: of schedule.lock_rate. limits: of the order, `duration_s` among them.
    power_w: the most that its connector carries.

    All energy that the limits and the connector allow at the dearest price of the order's time, all time at
    the dearest price per hour and in the dearest tier, the cap of staying on, the session fee; then the
    rate's minimum and maximum, and the money limit.
    """
    digits, duration_s = locked_rate["minor_digits"], limits["duration_s"]
    energy_mwh = -(-power_w * 1000 * duration_s // 3600)
    energy_mwh = min(energy_mwh, limits.get("energy_mwh", messages.MAX_ENERGY_MWH))
    energy_price = max(step[1] + step[2] for step in locked_rate["steps"])
    hour_price = max(locked_rate.get("time_prices", (0,)))
    hour_price += max((price for _, price in locked_rate.get("tiers", ())), default=0)
    unit_pico = pricing.pico_per_minor(digits)
    pico = energy_mwh * energy_price + -(-hour_price * duration_s * _PICO_PER_HOUR // 3600)
    fixed_minor = locked_rate["session_fee_minor"] + locked_rate.get("idle", {}).get("max_minor", 0)
    minor = -(-pico // unit_pico) + fixed_minor
    minor = max(minor, locked_rate.get("minimum_minor", 0))
    most_minor = min(messages.MAX_MINOR, limits.get("cost_minor", messages.MAX_MINOR))
    return min(minor, locked_rate.get("maximum_minor", minor), most_minor)
