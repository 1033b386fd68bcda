"""What payment providers held, captured, released and refunded, by day, adapter and currency.

A call counts on the day on which its outcome was written. A capture that takes less than the hold releases
the rest on the same day. `unpaid_minor` is what is left to pay of the bills whose charging ended on that day,
as in the report by day (daily_report.py).
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Connection, bindparam, cast, func, select

from ..db.payment_tables import payment_calls, payment_holds
from ..db.rows import Query
from ..payments import calls, holds, port
from ..rates import currencies
from ..settlements import bills
from . import bill_rows
from .csv_lines import BOM, decimal, line
from .days import Days

AMOUNTS = ("held_minor", "captured_minor", "released_minor", "refunded_minor", "unpaid_minor")
COLUMNS = (
    *("day", "adapter", "currency", "holds"),
    *("held", "captured", "released", "refunded", "unpaid", "notice"),
)


class _Sums(NamedTuple):
    adapter: str
    is_test: bool
    currency: str
    minor_digits: int
    kind: str
    calls: int
    amount_minor: int
    released_minor: int


class _Of(NamedTuple):
    """What a row of the report sums up by."""

    day: str
    adapter: str
    currency: str
    minor_digits: int
    is_test: bool


_WHOSE = (
    payment_holds.c.adapter,
    payment_holds.c.is_test,
    payment_holds.c.currency,
    payment_holds.c.minor_digits,
    payment_calls.c.kind,
)
_DONE = Query(
    select(
        *_WHOSE,
        func.count().label("calls"),
        cast(func.sum(payment_calls.c.amount_minor), BigInteger).label("amount_minor"),
        cast(func.sum(payment_holds.c.released_minor), BigInteger).label("released_minor"),
    )
    .select_from(payment_calls.join(payment_holds, payment_holds.c.hold_id == payment_calls.c.hold_id))
    .where(
        payment_calls.c.resolved_at >= bindparam("from_at"),
        payment_calls.c.resolved_at < bindparam("until_at"),
        payment_calls.c.state == calls.DONE,
    )
    .group_by(*_WHOSE),
    _Sums,
)
_ALL = bill_rows.PileScope()


def by_day(conn: Connection, days: Days, now: int) -> dict[str, Any]:
    """The rows of the days; `unresolved` is as of `now`."""
    found: dict[_Of, dict[str, int]] = {}
    for day in days.each():
        for row in _DONE.all(conn, {"from_at": day.from_at, "until_at": day.until_at}):
            of = _Of(day.first.isoformat(), row.adapter, row.currency, row.minor_digits, row.is_test)
            _add(found, of, _amounts(row))
        for of, minor in _unpaid(conn, day):
            _add(found, of, {"unpaid_minor": minor})
    return days.named() | {
        "rows": [of._asdict() | found[of] for of in sorted(found) if any(found[of].values())],
        "unresolved": calls.unresolved(conn, now).calls,
    }


def csv_lines(report: dict[str, Any]) -> Iterator[str]:
    """The report as CSV, with exact decimals."""
    yield BOM + line(COLUMNS)
    for row in report["rows"]:
        amounts = {name.removesuffix("_minor"): decimal(row[name], row["minor_digits"]) for name in AMOUNTS}
        shown = row | amounts | {"notice": port.TEST if row["is_test"] else ""}
        yield line([str(shown[name]) for name in COLUMNS])


def _amounts(row: _Sums) -> dict[str, int]:
    match row.kind:
        case port.AUTHORIZE:
            return {"holds": row.calls, "held_minor": row.amount_minor}
        case port.CAPTURE:
            return {"captured_minor": row.amount_minor, "released_minor": row.released_minor}
        case port.RELEASE:
            return {"released_minor": row.released_minor}
    return {"refunded_minor": row.amount_minor}


def _unpaid(conn: Connection, day: Days) -> Iterator[tuple[_Of, int]]:
    """What is left to pay of the bills of a day, by the adapter of their hold; "" if nothing was held."""
    for row in bill_rows.of_time(conn, day.from_at, day.until_at, _ALL):
        minor = bills.amounts(row)["unpaid_minor"]
        if minor:
            hold = holds.of_order(conn, row.settles_order_id or "")
            digits = currencies.minor_digits(row.currency)
            adapter, is_test = (hold.adapter, hold.is_test) if hold else ("", False)
            yield _Of(day.first.isoformat(), adapter, row.currency, digits, is_test), minor


def _add(found: dict[_Of, dict[str, int]], of: _Of, amounts: dict[str, int]) -> None:
    sums = found.setdefault(of, dict.fromkeys(("holds", *AMOUNTS), 0))
    for name, minor in amounts.items():
        sums[name] += minor
