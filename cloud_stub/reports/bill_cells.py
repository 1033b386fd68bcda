"""The columns of a bill in an export. No amount of a flagged one is in a column that is summed up."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, select

from ..db import json_lists
from ..db.engine import to_json
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


class Charged(NamedTuple):
    """Where and at which rate something was charged; site_id: None for none, rate_id: "" for none."""

    device_id: str
    site_id: str | None
    rate_id: str


class _Known(NamedTuple):
    """What `Places` reads of a pile, a site or a rate."""

    id: str
    value: str


def _known(of: Any, value: Any) -> Query[_Known]:
    return Query(select(of.label("id"), value.label("value")).where(of.in_(json_lists.texts("ids"))), _Known)


_NAMES = _known(piles.c.device_id, piles.c.name)
_SITE_ZONES = _known(sites.c.site_id, sites.c.time_zone)
_RATE_BODIES = _known(rates.c.rate_id, rates.c.body_json)


class Places:
    """Names of piles, time zones of sites and of rates; each is read once."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._site_zones: dict[str, str] = {}
        self._rate_zones: dict[str, str] = {}

    def read(self, conn: Connection, wanted: Iterable[Charged]) -> None:
        """Read what is not known yet."""
        found = list(wanted)
        _read(conn, _NAMES, self._names, {each.device_id for each in found})
        _read(conn, _SITE_ZONES, self._site_zones, {each.site_id for each in found if each.site_id})
        bodies: dict[str, str] = {}
        _read(conn, _RATE_BODIES, bodies, {each.rate_id for each in found} - self._rate_zones.keys())
        zones = {rate_id: json.loads(body).get("time_zone") for rate_id, body in bodies.items()}
        self._rate_zones.update((rate_id, zone or "UTC") for rate_id, zone in zones.items())

    def of(self, charged: Charged) -> dict[str, str]:
        """{name, site_id, zone}: the zone is the site's, else the rate's, else UTC."""
        site_id = charged.site_id or ""
        zone = self._site_zones.get(site_id) or self._rate_zones.get(charged.rate_id, "UTC")
        return {"name": self._names[charged.device_id], "site_id": site_id, "zone": zone}


def _read(conn: Connection, query: Query[_Known], into: dict[str, str], ids: set[str]) -> None:
    ids = ids - into.keys()
    if ids:
        into.update((row.id, row.value) for row in query.all(conn, {"ids": to_json(sorted(ids))}))
