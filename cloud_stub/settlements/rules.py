"""What a settlement is checked against: its order, the order's locked rate, its own sums and times."""

from collections.abc import Iterator
from typing import Any

import orjson

from pile_protocol import pricing

from ..db.rows import OrderRow

MALFORMED = "Malformed"

TIME_SLACK_S = 10  # between a reading and the word about it, on clocks that count whole seconds


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


def check(order: OrderRow | None, device_id: str, settlement: dict[str, Any]) -> tuple[list[str], int | None]:
    """(flags, the total computed here) of a settlement against its order's row, which may be None."""
    if order is None:
        return ["UnknownOrder"], None
    rate = orjson.loads(order.rate_json)
    flags = list(_binding_flags(order, rate, device_id, settlement))
    flags += _energy_flags(settlement)
    flags += _time_flags(order, rate["steps"], settlement)
    computed = _computed(order, rate, settlement)
    if computed is None:
        return [*flags, "PeriodsMismatch"], None
    total_minor, fee_minor, periods = computed
    if settlement["total_minor"] != total_minor:
        flags.append("TotalMismatch")
    if settlement["session_fee_minor"] != fee_minor or settlement["periods"] != periods:
        flags.append("LinesMismatch")
    return flags, total_minor


def compute(order: OrderRow, settlement: dict[str, Any]) -> tuple[int, int, list[list[Any]]] | None:
    """pricing.bill of the energies a settlement tells, at its order's locked rate; None: not of that rate."""
    return _computed(order, orjson.loads(order.rate_json), settlement)


def _computed(
    order: OrderRow, rate: dict[str, Any], settlement: dict[str, Any]
) -> tuple[int, int, list[list[Any]]] | None:
    energies = energy_by_step(rate["steps"], settlement["periods"])
    if energies is None:
        return None
    return pricing.bill(rate, energies, orjson.loads(order.limits_json).get("cost_minor"))


def _binding_flags(
    order: OrderRow, rate: dict[str, Any], device_id: str, settlement: dict[str, Any]
) -> Iterator[str]:
    if settlement["device_id"] != device_id or order.device_id != device_id:
        yield "WrongDevice"
    if settlement["connector"] != order.connector:
        yield "WrongConnector"
    if settlement["rate_id"] != order.rate_id or settlement["rate_digest"] != order.rate_digest:
        yield "RateMismatch"
    if (settlement["currency"], settlement["minor_digits"]) != (rate["currency"], rate["minor_digits"]):
        yield "CurrencyMismatch"


def _energy_flags(settlement: dict[str, Any]) -> Iterator[str]:
    if settlement["energy_mwh"] != settlement["end_register_mwh"] - settlement["start_register_mwh"]:
        yield "RegisterMismatch"
    if settlement["energy_mwh"] != sum(period[4] for period in settlement["periods"]):
        yield "EnergyMismatch"


def _time_flags(order: OrderRow, steps: list[list[Any]], settlement: dict[str, Any]) -> Iterator[str]:
    started_at, ended_at = settlement["started_at"], settlement["ended_at"]
    if not order.created_at - TIME_SLACK_S <= started_at <= order.expires_at + TIME_SLACK_S:
        yield "StartOutsideOrder"
    if ended_at < started_at or ended_at > order.window_end_at + TIME_SLACK_S:
        yield "EndOutsideOrder"
    ends = [*(step[0] for step in steps[1:]), order.window_end_at]
    end_of = {step[0]: end for step, end in zip(steps, ends, strict=True)}
    for from_at, *_ in settlement["periods"]:
        if from_at > ended_at + TIME_SLACK_S or end_of.get(from_at, started_at) < started_at - TIME_SLACK_S:
            yield "PeriodOutsideTime"
            return
