"""Prices that look like a slip, such as 80 for 0.80: they are refused until somebody has confirmed them."""

from collections.abc import Iterator
from typing import Any

from ..base.problems import Problem

TIMES = 10  # so many times the price before, or less than that part of it, is unusual

# The highest electricity or service price per kWh, and the highest session fee, that a first version may have
# without being asked about, in whole units of the currency. With other currencies nothing is asked there.
_HIGHEST_OF_CURRENCIES = {
    5: "AUD BGN BHD CAD CHF EUR GBP GEL JOD KWD NZD OMR SGD TND USD",
    20: "AED BRL CNY DKK GTQ HKD ILS MAD MOP MXN MYR NOK PEN PLN QAR RON SAR SEK TRY TWD ZAR",
    200: "BDT CZK DOP EGP INR ISK JPY KES MDL NPR PHP RSD RUB THB UAH UYU",
    2000: "ARS CLP HUF KRW KZT LKR NGN PKR",
}
_HIGHEST = {
    currency: highest for highest, names in _HIGHEST_OF_CURRENCIES.items() for currency in names.split()
}
_PARTS = ("electricity_price", "service_price")


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
        for i, (start, *prices, _) in enumerate(periods):
            for place, (part, price) in enumerate(zip(_PARTS, prices, strict=True)):
                field = f"{path}[{i}].{part}"
                if periods_before is not None:
                    earlier = next(row for row in reversed(periods_before) if row[0] <= start)[1 + place]
                    if _is_far_from(price, earlier):
                        yield {"field": field, "value": price, "before": earlier}
                elif highest is not None and price > highest * 1_000_000:
                    yield {"field": field, "value": price, "before": None}
    fee = rate["session_fee_minor"]
    if before is not None:
        if _is_far_from(fee, before["session_fee_minor"]):
            yield {"field": "session_fee_minor", "value": fee, "before": before["session_fee_minor"]}
    elif highest is not None and fee > highest * 10 ** rate["minor_digits"]:
        yield {"field": "session_fee_minor", "value": fee, "before": None}


def _days(
    rate: dict[str, Any], before: dict[str, Any] | None
) -> Iterator[tuple[str, list[Any], list[Any] | None]]:
    """(path, periods, the periods before) of each day; a day that is new is compared with the usual one."""
    usual = before["periods"] if before else None
    of_name = {day["name"]: day["periods"] for day in before.get("days", ())} if before else {}
    yield "periods", rate["periods"], usual
    for j, day in enumerate(rate.get("days", ())):
        yield f"days[{j}].periods", day["periods"], of_name.get(day["name"], usual)


def _is_far_from(value: int, before: int) -> bool:
    return before > 0 and (value >= TIMES * before or value * TIMES <= before)


def _sentence(found: dict[str, Any]) -> str:
    after = f", after {found['before']}" if found["before"] is not None else ""
    return f"{found['field']}: {found['value']}{after}"
