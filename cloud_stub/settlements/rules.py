"""The rules for settlements: against order, locked rate, their own sums, and what the pile reported before.

RULES is the table. docs/protocol.md shows it, together with the rules of chains.py, and a test holds the two
equal. A settlement that breaks a rule is stored with the rule's flag.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from pile_protocol import components, messages, pricing

from . import use_checks as use
from .case import FINISH_S, TIME_SLACK_S, Case, lines

MALFORMED = "Malformed"
UNKNOWN_ORDER = "UnknownOrder"
ALREADY_SETTLED = "AlreadySettled"

# A pile without an energy limit stops here, 1 kWh below the most that a settlement can state.
_ENERGY_MAX_MWH = messages.MAX_ENERGY_MWH - 1_000_000

# What a meter may have counted between the last durable reading and a power cut: 10 s at 43 kW. A pile that
# is shown more bills nothing of it.
_CUT_MWH = 120_000
_REASONS_OF_A_CUT = ("PowerLoss", "PowerQuality", "Remote")  # Remote: asked for while the pile recovers


class Rule(NamedTuple):
    """flag: what a settlement that breaks it is marked with. against, when: the text of docs/protocol.md."""

    flag: str
    against: str
    when: str
    is_broken: Callable[[Case], bool]


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
    return ended_at < started_at or ended_at > case.rate["until_at"] + FINISH_S


def _ends_in_future(case: Case) -> bool:
    return case.over_at > case.now + case.life_s + TIME_SLACK_S


def _has_energy_outside(case: Case) -> bool:
    steps = case.rate["steps"]
    ends = [*(step[0] for step in steps[1:]), case.rate["until_at"]]
    end_of = {step[0]: end for step, end in zip(steps, ends, strict=True)}
    started_at, ended_at = case.fields["started_at"], case.fields["ended_at"]
    periods = case.fields["periods"]
    late = [row for row in periods if row[0] > ended_at + TIME_SLACK_S]
    return any(end_of.get(row[0], started_at) < started_at - TIME_SLACK_S for row in periods) or (
        bool(late) and not _is_of_a_cut(case, late)
    )


def _is_of_a_cut(case: Case, late: list[list[Any]]) -> bool:
    """Whether these periods after `ended_at`, the last durable reading, are what a power cut explains. A pile
    that does not know when the power was cut bills what the meter counted after that reading at the lowest
    price that may have held.
    """
    fields = case.fields
    _, electricity_price, service_price, _, energy_mwh, *_ = late[0]
    held = [step for step in case.rate["steps"] if step[0] <= max(fields["ended_at"], fields["started_at"])]
    return (
        fields["recovered"]
        and fields["stop_reason"] in _REASONS_OF_A_CUT
        and len(late) == 1
        and energy_mwh <= _CUT_MWH
        and bool(held)
        and electricity_price + service_price < held[-1][1] + held[-1][2]
    )


def _exceeds_energy(case: Case) -> bool:
    limit_mwh = case.limits.get("energy_mwh")
    return limit_mwh is not None and case.fields["energy_mwh"] > limit_mwh + case.carried_mwh(FINISH_S)


def _exceeds_cost(case: Case) -> bool:
    """A bill never exceeds the limit (TotalMismatch); this is about what is behind it."""
    rate, usage, limit_minor = case.rate, case.usage, case.limits.get("cost_minor")
    if limit_minor is None or not usage or limit_minor >= rate.get("maximum_minor", limit_minor + 1):
        return False
    # A limit at or below the fee is reached by the first energy.
    allowed_minor = max(limit_minor, rate["session_fee_minor"]) + _minor_in(case, usage, FINISH_S) + 1
    return components.bill(_unbounded(rate), usage)["total_minor"] > allowed_minor


def _unbounded(rate: dict[str, Any]) -> dict[str, Any]:
    """The rate without minimum and maximum."""
    return {name: value for name, value in rate.items() if name not in ("minimum_minor", "maximum_minor")}


def _reaches_cost(case: Case, usage: components.Usage) -> bool:
    """Whether charging can have reached the money limit as the pile looks at it: as if the first energy had
    flowed, and with the time since its newest sample of the power in the dearest tier.
    """
    rate = case.rate
    limit_minor = case.limits.get("cost_minor", messages.MAX_MINOR)
    if limit_minor >= rate.get("maximum_minor", limit_minor + 1):
        return False
    tiers_ms = list(usage.tiers_ms)
    if tiers_ms:
        tiers_ms[-1] += FINISH_S * 1000
    energies = usage.energies if usage.has_energy() else [(0, 1)]
    most = components.Usage(energies, usage.times, tiers_ms)
    return components.bill(_unbounded(rate), most)["total_minor"] >= limit_minor


def _minor_in(case: Case, usage: components.Usage, seconds: int) -> int:
    """The most that energy, time and staying cost in `seconds`, rounded up."""
    rate = case.rate
    price = max((rate["steps"][index][1] + rate["steps"][index][2] for index, _ in usage.energies), default=0)
    hour_price = max(rate.get("time_prices", (0,))) + rate.get("idle", {}).get("price", 0)
    hour_price += max((tier_price for _, tier_price in rate.get("tiers", ())), default=0)
    pico = case.carried_mwh(seconds) * price + -(-hour_price * seconds * 1_000_000 // 3600)
    return -(-pico // pricing.pico_per_minor(rate["minor_digits"]))


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
    return reading.register_mwh > fields["end_register_mwh"] or reading.at > case.over_at + TIME_SLACK_S


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
    if reason == "CostLimitReached" and case.usage is not None:
        return not _reaches_cost(case, case.usage)
    return False


def _has_other_periods(case: Case) -> bool:
    return case.computed is None


def _has_other_total(case: Case) -> bool:
    return case.computed is not None and case.fields["total_minor"] != case.computed["total_minor"]


def _has_other_lines(case: Case) -> bool:
    if case.computed is None:
        return False
    wanted = lines(case.computed, case.fields)
    return any(case.fields.get(name) != value for name, value in wanted.items() if name != "total_minor")


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
        f"`ended_at`, or the end of `idle`, later than the receipt by more than the order's life plus"
        f" {TIME_SLACK_S} s (a pile whose clock is further ahead refuses the order)",
        _ends_in_future,
    ),
    Rule(
        "PeriodOutsideTime",
        "itself",
        f"a period more than {TIME_SLACK_S} s before `started_at` or after `ended_at`. A `recovered` order"
        f" that a power cut ended may have one after `ended_at`, of at most {_CUT_MWH // 1000} Wh and cheaper"
        " than the price at `ended_at`",
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
        "energy and time worth more than the limit plus what they cost at most in"
        f" {FINISH_S} s (a total above the limit: TotalMismatch)",
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
        f" `end_register_mwh` or {TIME_SLACK_S} s after `ended_at`, or the end of `idle`; or `ended_at` lies"
        f" after the receipt of Finishing by more than the order's life plus {FINISH_S} s",
        _contradicts_reports,
    ),
    Rule(
        "StopReasonMismatch",
        "order",
        "a limit's reason without that limit being reached, Remote without a stop having been asked for,"
        " PowerLoss or PowerQuality without `recovered`",
        _has_wrong_reason,
    ),
    Rule(
        "TimeTooLong",
        "itself",
        f"`times` or `tiers` sum up to more than {TIME_SLACK_S} s above `ended_at` less `started_at`, differ"
        " by more than that, or have more than that above what a step shares with this time",
        use.counts_too_much_time,
    ),
    Rule(
        "TimeTooShort",
        "the connector's power",
        f"more energy than the connector carries in the time of `times` or `tiers` plus {FINISH_S} s",
        use.counts_too_little_time,
    ),
    Rule(
        "TiersTooHigh",
        "itself",
        f"less energy than {100 - use.TIER_PERCENT} % of the lower bounds of the tiers times their time, less"
        f" {TIME_SLACK_S} s each",
        use.has_dearer_tiers,
    ),
    Rule(
        "TiersTooLow",
        "itself, the connector's power",
        "more energy than twice the upper bounds of the tiers times their time, plus what the connector"
        f" carries in {FINISH_S} s",
        use.has_cheaper_tiers,
    ),
    Rule(
        "IdleMismatch",
        "itself, locked rate",
        f"`idle` begins more than {FINISH_S} s from `ended_at`, is longer than {use.STAY_MAX_S // 3600} h, or"
        f" charges more than its time less the free time, by more than {TIME_SLACK_S} s",
        use.stays_impossibly,
    ),
    Rule(
        "PeriodsMismatch",
        "locked rate",
        "periods, times, tiers or staying that are not of the rate",
        _has_other_periods,
    ),
    Rule("TotalMismatch", "locked rate", "`total_minor` comes out otherwise", _has_other_total),
    Rule(
        "LinesMismatch",
        "locked rate",
        "the session fee, a line or the tax comes out otherwise",
        _has_other_lines,
    ),
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
