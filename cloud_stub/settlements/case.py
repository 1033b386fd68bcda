"""A settlement that is to be checked: its order, what else the rules look at, and the bill computed again."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import orjson

from pile_protocol import components
from pile_protocol.errors import PricingError

from ..db.rows import OrderRow

# How long an order may go on after its limit: a reading may be 5 s old, the relay takes up to 1.5 s to open,
# and the last reading up to 10 s.
FINISH_S = 20
TIME_SLACK_S = 10  # between a reading and the message about it, on clocks that count whole seconds

Bill = dict[str, Any]  # of components.bill


class Reading(NamedTuple):
    """The newest stored meter value of an order. It is not sealed."""

    at: int
    register_mwh: int


@dataclass(frozen=True)
class Case:
    """A settlement that can be read, its order, and all else that the rules look at.

    power_w: the most that the connector carries.
    """

    fields: dict[str, Any]
    device_id: str
    order: OrderRow
    now: int
    power_w: int
    reading: Reading | None

    @cached_property
    def rate(self) -> dict[str, Any]:
        return orjson.loads(self.order.rate_json)

    @cached_property
    def limits(self) -> dict[str, Any]:
        return orjson.loads(self.order.limits_json)

    @cached_property
    def computed(self) -> Bill | None:
        """As compute() gives it."""
        if self.usage is None:
            return None
        return components.bill(self.rate, self.usage, self.limits.get("cost_minor"))

    @cached_property
    def usage(self) -> components.Usage | None:
        """What it states of energy and times; None if its rows are not those of the locked rate."""
        return _usage(self.rate, self.fields)

    @property
    def span_ms(self) -> int:
        """The longest time for which its relay can have been closed."""
        return (max(0, self.fields["ended_at"] - self.fields["started_at"]) + TIME_SLACK_S) * 1000

    @property
    def over_at(self) -> int:
        """When the order was over: at the end of charging, or of staying on after it."""
        ended_at = self.fields["ended_at"]
        return max(ended_at, self.fields["idle"]["until_at"]) if "idle" in self.fields else ended_at

    @property
    def life_s(self) -> int:
        """For how long the order could be accepted. The clock of a pile that accepted it is at most that far
        ahead of the cloud's.
        """
        return self.order.expires_at - self.order.created_at

    def carried_mwh(self, seconds: int) -> int:
        """The most that the connector carries in `seconds`, rounded up."""
        return -(-self.power_w * 1000 * seconds // 3600)


def compute(order: OrderRow, fields: dict[str, Any]) -> Bill | None:
    """components.bill of what a settlement states, at its order's locked rate; None if its rows are not of
    that rate.
    """
    rate, limits = orjson.loads(order.rate_json), orjson.loads(order.limits_json)
    usage = _usage(rate, fields)
    return None if usage is None else components.bill(rate, usage, limits.get("cost_minor"))


def _usage(rate: dict[str, Any], fields: dict[str, Any]) -> components.Usage | None:
    try:
        return components.usage_of(rate, fields)
    except PricingError:
        return None


def lines(bill: Bill, fields: dict[str, Any]) -> dict[str, Any]:
    """The members of a settlement that the bill decides; those of `idle` that it does not are of `fields`."""
    found = dict(bill)
    idle_minor = found.pop("idle_minor", None)
    if idle_minor is not None and fields.get("idle"):
        found["idle"] = fields["idle"] | {"idle_minor": idle_minor}
    return found
