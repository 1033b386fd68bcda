"""The rules for settlements: against order, locked rate, their own sums, and what the pile reported before.

RULES is the table. docs/protocol.md shows it, together with the rules of chains.py, and a test holds the two
equal. A settlement that breaks a rule is stored with the rule's flag.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import orjson

from pile_protocol import messages, pricing

from ..db.rows import OrderRow

MALFORMED = "Malformed"
UNKNOWN_ORDER = "UnknownOrder"
ALREADY_SETTLED = "AlreadySettled"

TIME_SLACK_S = 10  # between a reading and the message about it, on clocks that count whole seconds
# How long an order may go on after its limit: a reading may be 5 s old, the relay takes up to 1.5 s to open,
# and the last reading up to 10 s.
FINISH_S = 20
# A pile without an energy limit stops here, 1 kWh below the most that a settlement can state.
_ENERGY_MAX_MWH = messages.MAX_ENERGY_MWH - 1_000_000

Bill = tuple[int, int, list[list[Any]]]


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
        """pricing.bill of its energies; None if its periods are not those of the locked rate."""
        return _bill(self.rate, self.limits, self.fields["periods"])

    @property
    def life_s(self) -> int:
        """For how long the order could be accepted. The clock of a pile that accepted it is at most that far
        ahead of the cloud's.
        """
        return self.order.expires_at - self.order.created_at

    def carried_mwh(self, seconds: int) -> int:
        """The most that the connector carries in `seconds`, rounded up."""
        return -(-self.power_w * 1000 * seconds // 3600)


class Rule(NamedTuple):
    """flag: what a settlement that breaks it is marked with. against, when: the text of docs/protocol.md."""

    flag: str
    against: str
    when: str
    is_broken: Callable[[Case], bool]


def compute(order: OrderRow, fields: dict[str, Any]) -> Bill | None:
    """pricing.bill of a settlement's energies at its order's locked rate; None if its periods are not of that
    rate.
    """
    return _bill(orjson.loads(order.rate_json), orjson.loads(order.limits_json), fields["periods"])


def _bill(rate: dict[str, Any], limits: dict[str, Any], periods: list[list[Any]]) -> Bill | None:
    energies = energy_by_step(rate["steps"], periods)
    return None if energies is None else pricing.bill(rate, energies, limits.get("cost_minor"))


def energy_by_step(steps: list[list[Any]], periods: list[list[Any]]) -> list[tuple[int, int]] | None:
    """(step index, mWh) of each period; None unless every period is one of the steps, in their order."""
    index_of = {step[0]: index for index, step in enumerate(steps)}
    found: list[tuple[int, int]] = []
    for from_at, electricity_price, service_price, label, energy_mwh, *_ in periods:
        index = index_of.get(from_at)
        if index is None or steps[index] != [from_at, electricity_price, service_price, label]:
            return None
        if found and index <= found[-1][0]:
            return None
        found.append((index, energy_mwh))
    return found


def check(case: Case) -> list[str]:
    """The flags of a settlement, in the order of the table."""
    return [rule.flag for rule in RULES if rule.is_broken(case)]


def _is_wrong_device(case: Case) -> bool:
    return case.fields["device_id"] != case.device_id or case.order.device_id != case.device_id


def _is_wrong_connector(case: Case) -> bool:
    return case.fields["connector"] != case.order.connector


def _is_other_rate(case: Case) -> bool:
    fields, order = case.fields, case.order
    return fields["rate_id"] != order.rate_id or fields["rate_digest"] != order.rate_digest


def _is_other_currency(case: Case) -> bool:
    fields, rate = case.fields, case.rate
    return (fields["currency"], fields["minor_digits"]) != (rate["currency"], rate["minor_digits"])


def _is_not_the_registers(case: Case) -> bool:
    fields = case.fields
    return fields["energy_mwh"] != fields["end_register_mwh"] - fields["start_register_mwh"]


def _is_not_the_periods(case: Case) -> bool:
    return case.fields["energy_mwh"] != sum(period[4] for period in case.fields["periods"])


def _starts_outside(case: Case) -> bool:
    order = case.order
    earliest, latest = order.created_at - TIME_SLACK_S, order.expires_at + TIME_SLACK_S
    return not earliest <= case.fields["started_at"] <= latest


def _ends_outside(case: Case) -> bool:
    started_at, ended_at = case.fields["started_at"], case.fields["ended_at"]
    return ended_at < started_at or ended_at > case.order.window_end_at + FINISH_S


def _ends_in_future(case: Case) -> bool:
    return case.fields["ended_at"] > case.now + case.life_s + TIME_SLACK_S


def _has_energy_outside(case: Case) -> bool:
    steps = case.rate["steps"]
    ends = [*(step[0] for step in steps[1:]), case.order.window_end_at]
    end_of = {step[0]: end for step, end in zip(steps, ends, strict=True)}
    started_at, ended_at = case.fields["started_at"], case.fields["ended_at"]
    return any(
        from_at > ended_at + TIME_SLACK_S or end_of.get(from_at, started_at) < started_at - TIME_SLACK_S
        for from_at, *_ in case.fields["periods"]
    )


def _exceeds_energy(case: Case) -> bool:
    limit_mwh = case.limits.get("energy_mwh")
    return limit_mwh is not None and case.fields["energy_mwh"] > limit_mwh + case.carried_mwh(FINISH_S)


def _exceeds_cost(case: Case) -> bool:
    """A bill never exceeds the limit (TotalMismatch); this is about the energy behind it."""
    limit_minor = case.limits.get("cost_minor")
    energies = energy_by_step(case.rate["steps"], case.fields["periods"])
    if limit_minor is None or not energies:
        return False
    steps, digits = case.rate["steps"], case.rate["minor_digits"]
    fee_minor = case.rate["session_fee_minor"]
    highest_price = max(steps[index][1] + steps[index][2] for index, _ in energies)
    # A limit at or below the fee is reached by the first energy.
    allowed_pico = max(limit_minor, fee_minor) * pricing.pico_per_minor(digits)
    allowed_pico += case.carried_mwh(FINISH_S) * highest_price
    return pricing.cost_pico(steps, energies, fee_minor, digits) > allowed_pico


def _exceeds_duration(case: Case) -> bool:
    fields = case.fields
    return fields["ended_at"] - fields["started_at"] > case.limits["duration_s"] + FINISH_S


def _exceeds_power(case: Case) -> bool:
    fields, reading = case.fields, case.reading
    if fields["energy_mwh"] > case.carried_mwh(max(0, fields["ended_at"] - fields["started_at"]) + FINISH_S):
        return True
    if reading is None:
        return False
    after_mwh = fields["end_register_mwh"] - reading.register_mwh
    return after_mwh > case.carried_mwh(max(0, fields["ended_at"] - reading.at) + FINISH_S)


def _contradicts_reports(case: Case) -> bool:
    fields, reading, finishing_at = case.fields, case.reading, case.order.finishing_at
    if finishing_at is not None and fields["ended_at"] > finishing_at + case.life_s + FINISH_S:
        return True
    if reading is None:
        return False
    if reading.register_mwh < fields["start_register_mwh"]:
        return True
    # These two end at an earlier reading than the last meter value: the last durable one, and the last one
    # before the power came back.
    if fields["recovered"] or fields["stop_reason"] == "VehicleChanged":
        return False
    return reading.register_mwh > fields["end_register_mwh"] or reading.at > fields["ended_at"] + TIME_SLACK_S


def _has_wrong_reason(case: Case) -> bool:
    fields, limits, reason = case.fields, case.limits, case.fields["stop_reason"]
    if reason == "Remote":
        return case.order.stop_requested_at is None
    if reason in ("PowerLoss", "PowerQuality"):
        return not fields["recovered"]
    if reason == "EnergyLimitReached":
        return fields["energy_mwh"] < min(limits.get("energy_mwh", _ENERGY_MAX_MWH), _ENERGY_MAX_MWH)
    if reason == "TimeLimitReached":
        return fields["ended_at"] - fields["started_at"] < limits["duration_s"] - TIME_SLACK_S
    if reason == "CostLimitReached" and case.computed is not None:
        limit_minor = limits.get("cost_minor", messages.MAX_MINOR)
        return case.computed[0] < limit_minor and case.rate["session_fee_minor"] < limit_minor
    return False


def _has_other_periods(case: Case) -> bool:
    return case.computed is None


def _has_other_total(case: Case) -> bool:
    return case.computed is not None and case.fields["total_minor"] != case.computed[0]


def _has_other_lines(case: Case) -> bool:
    if case.computed is None:
        return False
    _, fee_minor, periods = case.computed
    return case.fields["session_fee_minor"] != fee_minor or case.fields["periods"] != periods


RULES = (
    Rule(
        "WrongDevice", "order, topic", "another pile than the order's, or than the sender", _is_wrong_device
    ),
    Rule("WrongConnector", "order", "another connector", _is_wrong_connector),
    Rule("RateMismatch", "locked rate", "another `rate_id` or `rate_digest`", _is_other_rate),
    Rule("CurrencyMismatch", "locked rate", "another currency, or number of its digits", _is_other_currency),
    Rule(
        "RegisterMismatch", "itself", "`energy_mwh` is not the registers' difference", _is_not_the_registers
    ),
    Rule("EnergyMismatch", "itself", "`energy_mwh` is not the sum of the periods", _is_not_the_periods),
    Rule(
        "StartOutsideOrder",
        "order",
        f"`started_at` more than {TIME_SLACK_S} s before the order was made or after `expires_at`",
        _starts_outside,
    ),
    Rule(
        "EndOutsideOrder",
        "order",
        f"`ended_at` before `started_at`, or more than {FINISH_S} s after `expires_at` plus the longest"
        " duration",
        _ends_outside,
    ),
    Rule(
        "EndInFuture",
        "the cloud's clock",
        f"`ended_at` later than the receipt by more than the order's life plus {TIME_SLACK_S} s"
        " (a pile whose clock is further ahead refuses the order)",
        _ends_in_future,
    ),
    Rule(
        "PeriodOutsideTime",
        "itself",
        f"a period more than {TIME_SLACK_S} s outside `started_at` to `ended_at`",
        _has_energy_outside,
    ),
    Rule(
        "EnergyLimitExceeded",
        "order",
        f"more energy than the limit plus what the connector carries in {FINISH_S} s",
        _exceeds_energy,
    ),
    Rule(
        "CostLimitExceeded",
        "order, locked rate",
        "energy worth more than the limit plus what the connector carries in"
        f" {FINISH_S} s at the highest price used (a total above the limit: TotalMismatch)",
        _exceeds_cost,
    ),
    Rule(
        "DurationLimitExceeded",
        "order",
        f"`ended_at` less `started_at` above the limit by more than {FINISH_S} s",
        _exceeds_duration,
    ),
    Rule(
        "PowerTooHigh",
        "the connector's power",
        "more energy than the connector carries from `started_at`, or from the last meter value, until"
        f" {FINISH_S} s after `ended_at`",
        _exceeds_power,
    ),
    Rule(
        "ReportsMismatch",
        "meter values, `order/status`",
        f"the last meter value is below `start_register_mwh`, or (unless `recovered` or VehicleChanged) above"
        f" `end_register_mwh` or {TIME_SLACK_S} s after `ended_at`; or `ended_at` lies after the receipt of"
        f" Finishing by more than the order's life plus {FINISH_S} s",
        _contradicts_reports,
    ),
    Rule(
        "StopReasonMismatch",
        "order",
        "a limit's reason without that limit being reached, Remote without a stop having been asked for,"
        " PowerLoss or PowerQuality without `recovered`",
        _has_wrong_reason,
    ),
    Rule("PeriodsMismatch", "locked rate", "periods that are not steps of the rate", _has_other_periods),
    Rule("TotalMismatch", "locked rate", "`total_minor` comes out otherwise", _has_other_total),
    Rule("LinesMismatch", "locked rate", "the session fee or a line comes out otherwise", _has_other_lines),
)

# What store.py finds itself: flag, against, when.
OTHER_FLAGS = (
    (
        MALFORMED,
        "its table",
        "rightly sealed, but a field is off: kept as it came; only the chain's rules look at it",
    ),
    (UNKNOWN_ORDER, "orders", "there is no such order; only the chain's rules look at it"),
    (ALREADY_SETTLED, "settlements", "the order has a settlement"),
)
