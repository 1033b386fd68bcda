"""The columns of a bill in an export. No amount of a flagged one is in a column that is summed up."""

import json
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, select

from ..db.rows import Query
from ..db.site_tables import sites
from ..db.tables import piles, rates
from ..payments.holds import HoldRow
from ..payments.port import TEST
from ..rates import currencies
from ..settlements import bills
from ..settlements.bills import BillRow
from .csv_lines import decimal, time_utc

COLUMNS = (
    "counts_as",
    "started",
    "ended",
    "time_zone",
    "start_register_kwh",
    "end_register_kwh",
    "energy_kwh",
    "electricity",
    "service",
    "fee",
    "total",
    "currency",
    "paid",
    "paid_at",
    "credited",
    "unpaid",
    "refund",
    "waived",
    "sealed_total",
    "computed_total",
    "flags",
    "review",
    "reviewed_at",
    "review_note",
)
# The last columns of every export: each came later than those before it.
LATER_COLUMNS = (
    *("time", "power_tiers", "staying", "top_up", "tax", "net"),
    *("adapter", "held", "captured", "refunded", "notice"),
    *("flagged_paid", "flagged_credited"),
)
_NO_BILL: dict[str, str] = dict.fromkeys((*COLUMNS, *LATER_COLUMNS), "")


def local_time(at: int | None, zone: str) -> str:
    """ISO 8601 with the offset that holds then in `zone`; nothing for None."""
    return "" if at is None else datetime.fromtimestamp(at, ZoneInfo(zone)).isoformat()


def cells(row: BillRow | None, said: dict[str, Any], zone: str, hold: HoldRow | None) -> dict[str, str]:
    """By the names of COLUMNS and LATER_COLUMNS. said: bills.content(row); zone: IANA time zone of `started`
    and `ended`; hold: the order's.
    """
    return _NO_BILL | (_of_bill(row, said, zone) if row else {}) | (_of_hold(hold) if hold else {})


def _of_hold(hold: HoldRow) -> dict[str, str]:
    amounts = {"held": hold.amount_minor, "captured": hold.captured_minor, "refunded": hold.refunded_minor}
    found = {name: decimal(minor, hold.minor_digits) for name, minor in amounts.items()}
    return found | {"adapter": hold.adapter, "notice": TEST if hold.is_test else ""}


def _of_bill(row: BillRow, said: dict[str, Any], zone: str) -> dict[str, str]:
    kind = bills.kind(row)
    currency = said.get("currency") or ""
    digits = currencies.minor_digits(currency)
    sums = bills.amounts(row)

    def money(minor: int | None) -> str:
        return decimal(minor, digits)

    counts = kind in (bills.BILLED, bills.WAIVED)
    parts = bills.lines(said)

    def line(name: str) -> str:
        return money(parts[name]) if counts else ""

    has_tax = counts and said.get("tax_minor") is not None
    return {
        "counts_as": kind,
        "started": local_time(said.get("started_at"), zone),
        "ended": local_time(said.get("ended_at"), zone),
        "time_zone": zone,
        "start_register_kwh": decimal(said.get("start_register_mwh"), 6),
        "end_register_kwh": decimal(said.get("end_register_mwh"), 6),
        "energy_kwh": decimal(said.get("energy_mwh"), 6),
        "electricity": line("electricity_minor"),
        "service": line("service_minor"),
        "fee": line("fee_minor"),
        "total": money(row.total_minor) if counts else "",
        "currency": currency,
        ("flagged_paid" if kind == bills.FLAGGED else "paid"): money(row.paid_minor),
        "paid_at": time_utc(row.paid_at),
        ("flagged_credited" if kind == bills.FLAGGED else "credited"): money(row.credited_minor or None),
        "unpaid": money(sums["unpaid_minor"]) if counts else "",
        "refund": money(sums["refund_minor"]) if sums["refund_minor"] else "",
        "waived": money(sums["waived_minor"]) if sums["waived_minor"] else "",
        "sealed_total": money(row.sealed_minor),
        "computed_total": money(row.computed_minor),
        "flags": " ".join(json.loads(row.flags_json)),
        "review": row.review or "",
        "reviewed_at": time_utc(row.reviewed_at),
        "review_note": row.review_note or "",
        "time": line("time_minor"),
        "power_tiers": line("tiers_minor"),
        "staying": line("idle_minor"),
        "top_up": line("top_up_minor"),
        "tax": line("tax_minor") if has_tax else "",
        "net": money((row.total_minor or 0) - parts["tax_minor"]) if has_tax else "",
    }


class _Place(NamedTuple):
    device_id: str
    name: str
    site_id: str | None
    time_zone: str | None


class _Rate(NamedTuple):
    rate_id: str
    body_json: str


_PLACES = select(
    piles.c.device_id, piles.c.name, piles.c.site_id, sites.c.time_zone.label("time_zone")
).select_from(piles.outerjoin(sites, sites.c.site_id == piles.c.site_id))
_PLACE_ROWS = Query(_PLACES, _Place)
_RATES = select(rates.c.rate_id, rates.c.body_json)
_RATE_ROWS = Query(_RATES, _Rate)


class Places:
    """Names, sites and time zones of piles, and the time zones of rates; each is read once."""

    def __init__(self) -> None:
        self._piles: dict[str, _Place] = {}
        self._rate_zones: dict[str, str | None] = {}

    def read(self, conn: Connection, device_ids: set[str], rate_ids: set[str]) -> None:
        """Read those that are not known yet."""
        wanted = device_ids - self._piles.keys()
        if wanted:
            query = _PLACES.where(piles.c.device_id.in_(wanted))
            self._piles.update((row.device_id, row) for row in _PLACE_ROWS.narrowed(query).all(conn))
        wanted = rate_ids - self._rate_zones.keys()
        if wanted:
            query = _RATES.where(rates.c.rate_id.in_(wanted))
            for row in _RATE_ROWS.narrowed(query).all(conn):
                self._rate_zones[row.rate_id] = json.loads(row.body_json).get("time_zone")

    def of(self, device_id: str, rate_id: str | None) -> dict[str, Any]:
        """{name, site_id, zone}: the zone is the site's, else the rate's, else UTC."""
        place = self._piles[device_id]
        zone = place.time_zone or self._rate_zones.get(rate_id or "") or "UTC"
        return {"name": place.name, "site_id": place.site_id or "", "zone": zone}
