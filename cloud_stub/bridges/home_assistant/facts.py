"""The values of all piles that are not removed, as Home Assistant shows them.

The number of statements does not depend on the number of piles, and each uses an index.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, bindparam, func, select

from ...db import json_lists
from ...db.engine import to_json
from ...db.rows import PileRow, Query
from ...db.site_tables import sites
from ...db.tables import meter_samples, orders, piles, settlements
from ...orders import states
from ...piles import service
from ...piles import views as pile_views
from ...rates.holding import PILE, Versions


class Session(NamedTuple):
    """The order that runs at a connector, else the last one.

    began_at: Unix seconds. minor: None while its bill is flagged.
    """

    began_at: int
    energy_mwh: int
    minor: int | None
    currency: str
    minor_digits: int


class Connector(NamedTuple):
    """power_mw: None while the pile is offline. register_mwh: None before the first reading. currency: that
    of the rate; None without a rate.
    """

    number: int
    status: str
    fault: str | None
    out_of_service: bool
    power_mw: int | None
    register_mwh: int | None
    currency: str | None
    session: Session | None


class Pile(NamedTuple):
    """site: its name. signal_dbm: None if the pile does not report it, or is offline."""

    device_id: str
    name: str
    site: str | None
    online: bool
    firmware: str | None
    signal_dbm: int | None
    connectors: tuple[Connector, ...]


class _SiteName(NamedTuple):
    site_id: str
    name: str


class _Held(NamedTuple):
    """An order that keeps its connector, with its newest meter value."""

    device_id: str
    connector: int
    state: str
    rate_json: str
    began_at: int
    energy_mwh: int | None
    cost_minor: int | None
    register_mwh: int | None
    power_mw: int | None


class _Settled(NamedTuple):
    """The newest settlement of a connector, with its order."""

    device_id: str
    connector: int | None
    flagged: bool
    end_register_mwh: int | None
    rate_json: str
    began_at: int
    energy_mwh: int | None
    total_minor: int | None


_PILES = Query(select(piles).where(piles.c.removed_at.is_(None)).order_by(piles.c.device_id), PileRow)
_SITES = Query(select(sites.c.site_id, sites.c.name), _SiteName)
_BEGAN_AT = func.coalesce(orders.c.charging_at, orders.c.accepted_at, orders.c.created_at).label("began_at")
_SAMPLES, _CHAIN = meter_samples.alias(), settlements.alias()
_NEWEST_AT = select(func.max(_SAMPLES.c.at)).where(_SAMPLES.c.order_id == orders.c.order_id)
_HELD = Query(
    select(
        orders.c.device_id,
        orders.c.connector,
        orders.c.state,
        orders.c.rate_json,
        _BEGAN_AT,
        *(meter_samples.c[name].label(name) for name in _Held._fields[5:]),
    )
    .select_from(
        orders.outerjoin(
            meter_samples,
            (meter_samples.c.order_id == orders.c.order_id)
            & (meter_samples.c.at == _NEWEST_AT.scalar_subquery()),
        )
    )
    .where(orders.c.holds, orders.c.window_end_at > bindparam("now")),
    _Held,
)
_AT_PILE, _IN_EPOCH, _AT_CONNECTOR = json_lists.rows("places", str, int, int)
_NEWEST_SEQ = select(func.max(_CHAIN.c.chain_seq)).where(
    _CHAIN.c.device_id == _AT_PILE, _CHAIN.c.epoch == _IN_EPOCH, _CHAIN.c.connector == _AT_CONNECTOR
)
_SETTLED = Query(
    select(
        settlements.c.device_id,
        settlements.c.connector,
        settlements.c.flagged,
        settlements.c.end_register_mwh,
        orders.c.rate_json,
        _BEGAN_AT,
        orders.c.energy_mwh,
        orders.c.total_minor,
    )
    .join(orders, orders.c.order_id == settlements.c.settles_order_id)
    .where(
        settlements.c.device_id == _AT_PILE,
        settlements.c.epoch == _IN_EPOCH,
        settlements.c.chain_seq == _NEWEST_SEQ.scalar_subquery(),
    ),
    _Settled,
)


def read(conn: Connection, rates: Versions, silent_s: int, now: int) -> list[Pile]:
    """All piles, by id. silent_s: a pile without a message for this time is offline, whatever state is
    stored, because the cloud may not be running.
    """
    rows = [_as_of(row, now - silent_s) for row in _PILES.all(conn)]
    device_ids = [row.device_id for row in rows]
    names = {row.site_id: row.name for row in _SITES.all(conn)}
    out = service.find_many(conn, device_ids)
    held = {
        (each.device_id, each.connector): each
        for each in sorted(_HELD.all(conn, {"now": now}), key=lambda each: each.began_at)
    }
    settled = _settled(conn, rows)
    rates_of = rates.at_piles(conn, device_ids, now)
    return [
        _pile(row, names.get(row.site_id or ""), held, settled, out[row.device_id], rates_of[row.device_id])
        for row in rows
    ]


def _as_of(row: PileRow, heard_after: int) -> PileRow:
    if row.online and (row.last_seen_at or 0) < heard_after:
        values: dict[str, Any] = row._asdict() | {"online": False}
        return PileRow(**values)
    return row


def _settled(conn: Connection, rows: Sequence[PileRow]) -> dict[tuple[str, int], _Settled]:
    places = [[row.device_id, row.epoch, n] for row in rows for n in range(1, row.connectors + 1)]
    found = _SETTLED.all(conn, {"places": to_json(places)})
    return {(each.device_id, each.connector or 0): each for each in found}


def _pile(
    row: PileRow,
    site: str | None,
    held: Mapping[tuple[str, int], _Held],
    settled: Mapping[tuple[str, int], _Settled],
    out: service.Out,
    rates: Mapping[int, dict[str, Any]],
) -> Pile:
    status = orjson.loads(row.status_json) if row.status_json else {}
    busy = {number for device_id, number in held if device_id == row.device_id}
    connectors = []
    for view in pile_views.connector_views_with(row, busy, out):
        number = view["connector"]
        runs, ended = held.get((row.device_id, number)), settled.get((row.device_id, number))
        connectors.append(
            Connector(
                number,
                view["status"],
                view["fault"],
                service.row_of(out, number) is not None,
                _power_mw(runs) if row.online else None,
                _register_mwh(runs, ended),
                rates.get(number, rates.get(PILE, {})).get("currency"),
                _session(runs, ended),
            )
        )
    signal_dbm = status.get("wifi_rssi_dbm") if row.online else None
    return Pile(
        row.device_id, row.name, site, row.online, status.get("firmware"), signal_dbm, tuple(connectors)
    )


def _power_mw(runs: _Held | None) -> int:
    return runs.power_mw or 0 if runs is not None and runs.state == states.CHARGING else 0


def _register_mwh(runs: _Held | None, ended: _Settled | None) -> int | None:
    if runs is not None and runs.register_mwh is not None:
        return runs.register_mwh
    return ended.end_register_mwh if ended else None


def _session(runs: _Held | None, ended: _Settled | None) -> Session | None:
    if runs is not None and runs.state != states.PENDING:
        row, energy_mwh, minor = runs, runs.energy_mwh, runs.cost_minor or 0
    elif ended is not None:
        row, energy_mwh, minor = ended, ended.energy_mwh, None if ended.flagged else ended.total_minor
    else:
        return None
    rate = orjson.loads(row.rate_json)
    return Session(row.began_at, energy_mwh or 0, minor, rate["currency"], rate["minor_digits"])
