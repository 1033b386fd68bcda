"""The objects of each module, in the order of their making, filtered by when they were last changed."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import orjson
from sqlalchemy import BigInteger, Connection, bindparam, cast, func, select, union

from ...base.ids import first_id_of
from ...base.problems import invalid
from ...db import json_lists
from ...db.engine import to_json
from ...db.payment_tables import credits
from ...db.rows import OrderRow, Query
from ...db.site_tables import connector_tariffs, sites
from ...db.tables import orders, piles, rates, settlements
from ...rates.holding import Versions
from ...settlements import bills
from ...settlements import credits as credit_notes
from . import cdrs as cdr
from .locations import exported, locations, minute
from .party import Party
from .tariffs import tariff

CDRS_MAX = 200_000  # that one request may find
CLOCKS_S = 60  # by how much the clocks of two workers may differ
END = 2**62
_CHUNK = 200


class Wanted(NamedTuple):
    """from_at <= last_updated < until_at, Unix seconds."""

    from_at: int = 0
    until_at: int = END

    def has(self, at: int) -> bool:
        return self.from_at <= at < self.until_at


class Key(NamedTuple):
    """One CDR: of a bill; with a credit note, what it takes back, or with `is_rest` what it leaves."""

    at: int
    order_id: str
    credit_id: str = ""
    is_rest: bool = False


class _Version(NamedTuple):
    rate_id: str
    tariff_id: str
    published_at: int
    from_at: int
    withdrawn_at: int | None


class _Billed(NamedTuple):
    at: int
    order_id: str


class _Credited(NamedTuple):
    at: int
    order_id: str
    credit_id: str
    left_minor: int


_AT_SITES = piles.c.site_id.in_(json_lists.texts("site_ids"))
_TARIFF_IDS = union(
    select(sites.c.tariff_id).where(sites.c.site_id.in_(json_lists.texts("site_ids"))),
    select(piles.c.tariff_id).where(_AT_SITES, piles.c.removed_at.is_(None)),
    select(connector_tariffs.c.tariff_id).join(piles).where(_AT_SITES, piles.c.removed_at.is_(None)),
)
_VERSION = select(*(rates.c[name] for name in _Version._fields))
_VERSIONS = Query(
    _VERSION.where(rates.c.tariff_id.in_(_TARIFF_IDS)).order_by(
        rates.c.tariff_id, rates.c.from_at, rates.c.rate_id
    ),
    _Version,
)
_VERSIONS_OF = Query(_VERSION.where(rates.c.rate_id.in_(json_lists.texts("rate_ids"))), _Version)

_RECEIVED = (
    select(settlements.c.received_at)
    .where(settlements.c.id >= bindparam("first"))
    .order_by(settlements.c.id)
    .limit(1)
)
_LAST_ID = select(func.coalesce(func.max(settlements.c.id), 0))
_IS_BILLED = (
    settlements.c.settles_order_id.is_not(None)
    & ~settlements.c.flagged
    & (func.coalesce(settlements.c.review, "") != bills.WAIVED)
)
_CHARGED_AT_SITES = bills.site_id_of_bill.in_(json_lists.texts("site_ids"))
_BILLED = (
    select(settlements.c.received_at.label("at"), orders.c.order_id)
    .join(orders, orders.c.order_id == settlements.c.settles_order_id)
    .join(piles, piles.c.device_id == settlements.c.device_id)
    .where(_IS_BILLED, _CHARGED_AT_SITES)
    .limit(CDRS_MAX + 1)
)
_RECEIVED_KEYS = Query(
    _BILLED.where(
        settlements.c.id >= bindparam("first"),
        settlements.c.received_at >= bindparam("since"),
        settlements.c.received_at < bindparam("until"),
        settlements.c.reviewed_at.is_(None),
    ),
    _Billed,
)
_REVIEWED_KEYS = Query(
    _BILLED.with_only_columns(settlements.c.reviewed_at.label("at"), orders.c.order_id).where(
        settlements.c.reviewed_at.is_not(None),
        settlements.c.reviewed_at >= bindparam("since"),
        settlements.c.reviewed_at < bindparam("until"),
    ),
    _Billed,
)
_UP_TO = credits.alias()
_CREDITED = select(cast(func.sum(_UP_TO.c.amount_minor), BigInteger)).where(
    _UP_TO.c.order_id == credits.c.order_id, _UP_TO.c.credit_id <= credits.c.credit_id
)
_CREDITED_KEYS = Query(
    select(
        credits.c.created_at.label("at"),
        credits.c.order_id,
        credits.c.credit_id,
        (orders.c.total_minor - _CREDITED.scalar_subquery()).label("left_minor"),
    )
    .join(orders, orders.c.order_id == credits.c.order_id)
    .join(settlements, settlements.c.settles_order_id == credits.c.order_id)
    .join(piles, piles.c.device_id == settlements.c.device_id)
    .where(
        credits.c.credit_id >= bindparam("first"),
        credits.c.created_at >= bindparam("since"),
        credits.c.created_at < bindparam("until"),
        _IS_BILLED,
        _CHARGED_AT_SITES,
    )
    .limit(CDRS_MAX + 1),
    _Credited,
)
_BILLS = bills.BILLS.narrowed(bills.ROWS.where(settlements.c.settles_order_id.in_(json_lists.texts("ids"))))
_ORDERS = Query(select(orders).where(orders.c.order_id.in_(json_lists.texts("ids"))), OrderRow)


def found(
    conn: Connection, party: Party, known: Versions, module: str, wanted: Wanted, now: int, page: slice
) -> tuple[Iterable[Any], int]:
    """The objects of one page of a module, and how many there are on all. Raises Problem (InvalidRequest)."""
    if module == "cdrs":
        keys = cdr_keys(conn, party, wanted)
        return cdrs_of(conn, party, known, keys[page]), len(keys)
    if module == "tariffs":
        items = tariffs_of(conn, party, known, now)
    else:
        items = locations(conn, party, known, now)
    inside = [item for changed_at, item in items if wanted.has(changed_at)]
    return inside[page], len(inside)


def tariffs_of(conn: Connection, party: Party, known: Versions, now: int) -> list[tuple[int, dict[str, Any]]]:
    """(when it was last changed, tariff) of each version of the tariffs that are assigned at the sites. One
    that was withdrawn ends when it would have begun.

    A version that has not ended has changed in this minute, because a tariff may be assigned at any time.
    """
    found = []
    tariff_id, until_at, ended_at = "", None, 0  # by a later version, and when that was published
    for row in reversed(_VERSIONS.all(conn, {"site_ids": to_json(list(party.sites))})):
        if row.tariff_id != tariff_id:
            tariff_id, until_at, ended_at = row.tariff_id, None, 0
        if row.withdrawn_at is not None:
            found.append((row, row.from_at, row.withdrawn_at))
            continue
        has_ended = until_at is not None and until_at <= now
        found.append((row, until_at, max(row.published_at, ended_at) if has_ended else minute(now)))
        until_at, ended_at = row.from_at, row.published_at
    return [
        (changed_at, tariff(party, known.get(conn, row.rate_id), row.from_at, ends_at, changed_at))
        for row, ends_at, changed_at in sorted(found)
    ]


def cdr_keys(conn: Connection, party: Party, wanted: Wanted) -> list[Key]:
    """What has CDRs in that time, the oldest first. Raises Problem (InvalidRequest)."""
    asked = {
        "since": wanted.from_at,
        "until": wanted.until_at,
        "site_ids": to_json(list(party.sites)),
    }
    first_id = _first_received(conn, wanted.from_at - CLOCKS_S)
    first_credit = "c-" + first_id_of(wanted.from_at - CLOCKS_S)
    keys = [Key(row.at, row.order_id) for row in _RECEIVED_KEYS.all(conn, asked | {"first": first_id})]
    keys += [Key(row.at, row.order_id) for row in _REVIEWED_KEYS.all(conn, asked)]
    for row in _CREDITED_KEYS.all(conn, asked | {"first": first_credit}):
        keys.append(Key(row.at, row.order_id, row.credit_id))
        if row.left_minor > 0:
            keys.append(Key(row.at, row.order_id, row.credit_id, is_rest=True))
    if len(keys) > CDRS_MAX:
        raise invalid(("date_from", f"there are more than {CDRS_MAX} CDRs; ask for a shorter time"))
    return sorted(keys)


def cdrs_of(conn: Connection, party: Party, known: Versions, keys: Sequence[Key]) -> Iterator[cdr.Cdr]:
    """The CDR of each."""
    for place in range(0, len(keys), _CHUNK):
        yield from _cdrs_of(conn, party, known, keys[place : place + _CHUNK])


def _first_received(conn: Connection, at: int) -> int:
    """The id from which on settlements were received at or after `at`: ids grow with time."""
    low, high = 0, conn.execute(_LAST_ID).scalar_one() + 1
    while low < high:
        middle = (low + high) >> 1
        received_at = conn.execute(_RECEIVED, {"first": middle}).scalar_one_or_none()
        if received_at is not None and received_at < at:
            low = middle + 1
        else:
            high = middle
    return low


def _cdrs_of(conn: Connection, party: Party, known: Versions, keys: Sequence[Key]) -> Iterator[cdr.Cdr]:
    ids = {"ids": to_json(sorted({key.order_id for key in keys}))}
    found = {row.order_id: row for row in _BILLS.all(conn, ids)}
    made = {row.order_id: row for row in _ORDERS.all(conn, ids)}
    rate_ids = {"rate_ids": to_json(sorted({row.rate_id for row in made.values()}))}
    versions = {row.rate_id: row for row in _VERSIONS_OF.all(conn, rate_ids)}
    names = {site.site_id: site.name for site in exported(conn, party)}
    for key in keys:
        row, order = found.get(key.order_id), made[key.order_id]
        if row is None or bills.kind(row) != bills.BILLED or row.site_id not in party.sites:
            continue  # it was flagged a moment ago, or its pile, whose site counts for it, was moved
        version = versions[order.rate_id]
        bill = cdr.Bill(
            order_id=order.order_id,
            device_id=order.device_id,
            at=max(row.received_at, row.reviewed_at or 0),
            said=bills.content(row),
            rate=orjson.loads(order.rate_json),
            total_minor=row.total_minor or 0,
            tariff=tariff(party, known.get(conn, order.rate_id), version.from_at, None, version.published_at),
            site=(row.site_id, names.get(row.site_id)),
        )
        notes = [
            cdr.Note(each.amount_minor, each.created_at, each.reason)
            for each in (credit_notes.of_order(conn, order.order_id) if key.credit_id else ())
            if each.credit_id <= key.credit_id
        ]
        yield cdr.cdr(party, bill, notes, key.is_rest)
