"""A settled order as the text of a message: every line of its bill, in the driver's language."""

from collections.abc import Iterator
from datetime import datetime
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

from ...base.decimals import decimal
from ...settlements.bills import as_text


def message(view: dict[str, Any], pile: str, zone: str, link: str, words: SimpleNamespace) -> tuple[str, str]:
    """(subject, text). view: payments.views.order_view of a settled order; pile: its name or id."""
    bill = view["settlement"]
    total = _money(bill["total_minor"], bill)
    parts = [
        [words.test] if (view["payment"] or {}).get("is_test") else [],
        [f"{words.total}: {total}"],
        list(_lines(view, bill, zone, words)),
        list(_paid(view, bill, words)),
        list(_facts(bill, pile, zone, words)),
        [words.link, link, words.secret],
        [words.automatic],
    ]
    text = "\n\n".join("\n".join(part) for part in parts if part) + "\n"
    subject = words.subject.format(total=total, pile=pile)
    return " ".join(subject.split()), text  # a name may contain line ends; a subject must not


def _lines(view: dict[str, Any], bill: dict[str, Any], zone: str, words: SimpleNamespace) -> Iterator[str]:
    for from_at, electricity, service, label, mwh, electricity_minor, service_minor in bill["periods"]:
        begin = _time(max(from_at, bill["started_at"]), zone)[11:16]
        yield f"{_kwh(mwh)}, {words.periods.get(label, label)}, {words.start} {begin}"
        for name, price, minor in (
            (words.electricity, electricity, electricity_minor),
            (words.service, service, service_minor),
        ):
            if price:
                yield f"  {name}, {_price(price, bill)} {words.per_kwh}: {_money(minor, bill)}"
    for _, price, time_ms, minor in bill.get("times", ()):
        if price:
            yield _timed(words.time, price, time_ms, minor, bill, words)
    for up_to_mw, price, time_ms, minor in bill.get("tiers", ()):
        if time_ms:
            yield _timed(words.tier.format(power=up_to_mw // 1000), price, time_ms, minor, bill, words)
    idle = bill.get("idle")
    if idle:
        price = view["rate"]["idle"]["price"]
        yield _timed(words.idle, price, idle["time_ms"], idle["idle_minor"], bill, words)
    if bill["session_fee_minor"]:
        yield f"{words.fee}: {_money(bill['session_fee_minor'], bill)}"
    if bill.get("top_up_minor"):
        yield f"{words.top_up}: {_money(bill['top_up_minor'], bill)}"
    yield f"{words.total}: {_money(bill['total_minor'], bill)}"
    if bill.get("tax_minor") is not None:
        yield f"  {words.net}: {_money(bill['net_minor'], bill)}"
        yield f"  {words.tax}: {_money(bill['tax_minor'], bill)}"
    for each in view["credits"]:
        yield f"{words.credit}: {_money(-each['amount_minor'], bill)}"
    if view["credits"]:
        credited = sum(each["amount_minor"] for each in view["credits"])
        yield f"{words.left}: {_money(bill['total_minor'] - credited, bill)}"


def _timed(
    name: str, price: int, time_ms: int, minor: int, bill: dict[str, Any], words: SimpleNamespace
) -> str:
    return f"{name}, {_clock(time_ms)}, {_price(price, bill)} {words.per_hour}: {_money(minor, bill)}"


def _paid(view: dict[str, Any], bill: dict[str, Any], words: SimpleNamespace) -> Iterator[str]:
    payment = view["payment"] or {}
    if payment.get("amount_minor") is not None:
        yield f"{words.paid}: {_money(payment['amount_minor'], bill)}"
    elif view["due_minor"]:
        yield f"{words.unpaid}: {_money(view['due_minor'], bill)}"
    for name in ("held", "captured", "released", "refunded"):
        minor = payment.get(f"{name}_minor")
        if minor:
            yield f"  {getattr(words, name)}: {_money(minor, bill)}"


def _facts(bill: dict[str, Any], pile: str, zone: str, words: SimpleNamespace) -> Iterator[str]:
    yield f"{words.pile}: {pile}"
    yield f"{words.connector}: {bill['connector']}"
    yield f"{words.started}: {_time(bill['started_at'], zone)}"
    yield f"{words.ended}: {_time(bill['ended_at'], zone)}"
    yield f"{words.energy}: {_kwh(bill['energy_mwh'])}"
    yield f"{words.registers}: {_kwh(bill['start_register_mwh'])} - {_kwh(bill['end_register_mwh'])}"
    yield f"{words.rate}: {bill['rate_id']}"
    yield f"{words.order}: {bill['order_id']}"


def _money(minor: int, bill: dict[str, Any]) -> str:
    return as_text(minor, bill["currency"], bill["minor_digits"])


def _price(price: int, bill: dict[str, Any]) -> str:
    """Millionths of the currency, with at least two digits after the point."""
    whole, rest = divmod(price, 1_000_000)
    digits = f"{rest:06}".rstrip("0")
    return f"{whole}.{digits:0<2} {bill['currency']}"


def _kwh(mwh: int) -> str:
    return f"{decimal((mwh + 500) // 1000, 3)} kWh"


def _clock(time_ms: int) -> str:
    minutes, seconds = divmod(time_ms // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"


def _time(at: int, zone: str) -> str:
    return f"{datetime.fromtimestamp(at, ZoneInfo(zone)):%Y-%m-%d %H:%M:%S} ({zone})"
