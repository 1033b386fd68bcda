"""Prices that look like a slip, such as 80 for 0.80: they are refused until somebody has confirmed them."""

from collections.abc import Iterator
from typing import Any

from ..base.problems import Problem
from .days import rows_of

TIMES = 10  # so many times the price before, or less than that part of it, is unusual

# The highest electricity or service price per kWh, price per hour, and session fee, that a first version may
# have without being asked about, in whole units of the currency. With other currencies nothing is asked.
_HIGHEST_OF_CURRENCIES = {
    5: "AUD BGN BHD CAD CHF EUR GBP GEL JOD KWD NZD OMR SGD TND USD",
    20: "AED BRL CNY DKK GTQ HKD ILS MAD MOP MXN MYR NOK PEN PLN QAR RON SAR SEK TRY TWD ZAR",
    200: "BDT CZK DOP EGP INR ISK JPY KES MDL NPR PHP RSD RUB THB UAH UYU",
    2000: "ARS CLP HUF KRW KZT LKR NGN PKR",
}
_HIGHEST = {
    currency: highest for highest, names in _HIGHEST_OF_CURRENCIES.items() for currency in names.split()
}
_PARTS = (("electricity_price", 1), ("service_price", 2), ("time_price", 4))  # places in days.Period


def require_usual(rate: dict[str, Any], before: dict[str, Any] | None) -> None:
    """Raises Problem (PriceUnusual), whose `unusual` names each price. before: the version before it."""
    found = list(unusual(rate, before))
    if found:
        title = "Prices that look like a slip; publish them again with allow_unusual if they are meant"
        raise Problem(422, "PriceUnusual", title, "; ".join(map(_sentence, found)), unusual=found)


def unusual(rate: dict[str, Any], before: dict[str, Any] | None) -> Iterator[dict[str, Any]]:
    """`{field, value, before}` of each unusual price; `before` is null where it is high for the currency.

    rate, before: as model.build makes them.
    """
    if before is not None and before["currency"] != rate["currency"]:
        before = None
    highest = _HIGHEST.get(rate["currency"])
    for path, periods, periods_before in _days(rate, before):
        for i, period in enumerate(periods):
            for part, place in _PARTS:
                field, price = f"{path}[{i}].{part}", period[place]
                if periods_before is not None:
                    earlier = next(row for row in reversed(periods_before) if row[0] <= period[0])[place]
                    if _is_far_from(price, earlier):
                        yield {"field": field, "value": price, "before": earlier}
                elif highest is not None and price > highest * 1_000_000:
                    yield {"field": field, "value": price, "before": None}
    unit = 10 ** rate["minor_digits"]
    earlier_of = {field: value for field, value, _ in _amounts(before, 1)} if before is not None else {}
    for field, value, high in _amounts(rate, unit):
        earlier = earlier_of.get(field)
        if earlier is not None:
            if _is_far_from(value, earlier):
                yield {"field": field, "value": value, "before": earlier}
        elif highest is not None and high is not None and value > highest * high:
            yield {"field": field, "value": value, "before": None}


def _amounts(rate: dict[str, Any], unit: int) -> Iterator[tuple[str, int, int | None]]:
    """(field, value, how many times the highest price of a kWh is high for it) of what a rate has once. None:
    it is only compared with the version before. unit: minor units of one whole.
    """
    yield "session_fee_minor", rate["session_fee_minor"], unit
    for i, (_, price) in enumerate(rate.get("tiers", ())):
        yield f"tiers[{i}].price", price, 1_000_000
    if "idle" in rate:
        yield "idle.price", rate["idle"]["price"], 12 * 1_000_000  # staying on is often sold by the minute
        yield "idle.max_minor", rate["idle"]["max_minor"], 20 * unit
    if "minimum_minor" in rate:
        yield "minimum_minor", rate["minimum_minor"], 4 * unit
    if "maximum_minor" in rate:
        yield "maximum_minor", rate["maximum_minor"], None


def _days(
    rate: dict[str, Any], before: dict[str, Any] | None
) -> Iterator[tuple[str, list[Any], list[Any] | None]]:
    """(path, periods, the periods before) of each day; a day that is new is compared with the usual one."""
    usual = rows_of(before) if before else None
    of_name = {day["name"]: rows_of(day) for day in before.get("days", ())} if before else {}
    yield "periods", rows_of(rate), usual
    for j, day in enumerate(rate.get("days", ())):
        yield f"days[{j}].periods", rows_of(day), of_name.get(day["name"], usual)


def _is_far_from(value: int, before: int) -> bool:
    return before > 0 and (value >= TIMES * before or value * TIMES <= before)


def _sentence(found: dict[str, Any]) -> str:
    after = f", after {found['before']}" if found["before"] is not None else ""
    return f"{found['field']}: {found['value']}{after}"
