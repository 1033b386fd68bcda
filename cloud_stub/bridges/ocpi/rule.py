"""The cost of a bill by OCPI's own rule: volumes and prices with 4 decimals, prices without VAT, step_size 1
(Wh, second), then minimum and maximum. OCPI does not define how the sum is rounded; here once, half up.

OCPI's rule has no money limit of an order and no cap of staying on, so it may differ from the total by those,
too. The CDR's remark states the difference.

All amounts are in ninths of 10^-8 currency: 0.0001 kWh or h at 0.0001 per unit are 9 of them, and a second
(25/9 of 0.0001 h) at 0.0001 per hour is 25 of them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from .numbers import half_up, net_minor_e4, net_price_e4

_E4, _WH, _SECOND = 9, 90, 25
_AMOUNT = 9 * 10**4  # of 0.0001 currency
_CURRENCY = 9 * 10**8


def total_minor(
    rate: Mapping[str, Any],
    energies: Sequence[tuple[int, int]],
    times: Sequence[tuple[int, int]],
    parking_e4: int,
) -> int:
    """The total with tax, in minor units. rate: as locked. energies, times: (volume_e4, price) of each
    charging period, the price in the rate's unit.
    """
    tax = rate.get("tax_per_mille") or 0
    digits = rate["minor_digits"]
    if not any(volume for volume, _ in energies):
        return 0
    cost = _cost(energies, _WH, tax) + _cost(times, _SECOND, tax)
    cost += _AMOUNT * net_minor_e4(rate["session_fee_minor"], digits, tax)
    if "idle" in rate:
        cost += _cost([(parking_e4, rate["idle"]["price"])], _SECOND, tax)
    total = half_up(cost * (1000 + tax) * 10**digits, 1000 * _CURRENCY)
    if rate.get("maximum_minor") is not None:
        total = min(total, rate["maximum_minor"])
    if rate.get("minimum_minor") is not None:
        total = max(total, rate["minimum_minor"])
    return total


def _cost(volumes: Sequence[tuple[int, int]], step: int, tax: int) -> int:
    """The sum of the volumes is rounded up to whole steps; the difference costs the last period's price."""
    prices = [net_price_e4(price, tax) for _, price in volumes]
    taken = [_E4 * volume for volume, _ in volumes]
    if taken:
        taken[-1] += -sum(taken) % step
    return sum(volume * price for volume, price in zip(taken, prices, strict=True))
