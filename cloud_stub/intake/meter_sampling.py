"""Meter values: all are shown to watchers, and one in each `sample_s` is stored, by the pile's clock and by
the cloud's.
"""

from typing import Any

from ..base.budgets import Budget
from ..orders.hub import METERS_KEPT, Hub

BURST = 120  # values of one order that may come at once, when a connection is back


class MeterSampling:
    """Remembers when this process last stored a value of each order."""

    def __init__(self, hub: Hub, sample_s: int):
        self._hub = hub
        self._sample_s = sample_s
        self._sampled_at: dict[tuple[str, str], int] = {}
        self._budget = Budget(BURST, sample_s)

    def is_due(self, device_id: str, meter: dict[str, Any]) -> bool:
        """Show a value to the order's watchers. Returns whether it is due to be stored.

        The first value of an order is always due, because storing it checks that the order is this pile's.
        """
        sampled_at = self._sampled_at.get((device_id, meter["order_id"]))
        if sampled_at is None:
            return True
        self._hub.put_meter(device_id, meter)
        return meter["at"] >= sampled_at + self._sample_s

    def is_affordable(self, device_id: str, meter: dict[str, Any]) -> bool:
        """Whether one more value that is due may be stored, by the cloud's clock; it counts."""
        return self._budget.take((device_id, meter["order_id"]))

    def stored(self, device_id: str, meter: dict[str, Any]) -> None:
        name = (device_id, meter["order_id"])
        self._sampled_at.pop(name, None)
        self._sampled_at[name] = meter["at"]
        if len(self._sampled_at) > METERS_KEPT:
            del self._sampled_at[next(iter(self._sampled_at))]
        self._hub.put_meter(device_id, meter)
