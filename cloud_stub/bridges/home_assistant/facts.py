"""The values of all piles that are not removed, as Home Assistant shows them.

The number of statements does not depend on the number of piles, and each uses an index. Energy and money are
decimals in strings, because a template passes strings on unchanged, but makes a float of a JSON number.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import orjson
from sqlalchemy import BigInteger, Connection, bindparam, case, cast, func, select

from ...base.clock import iso_utc
from ...base.decimals import decimal
from ...db import json_lists
from ...db.engine import to_json
from ...db.rows import PileRow, Query
from ...db.site_tables import sites
from ...db.tables import meter_samples, orders, piles, settlements
from ...orders import states
from ...piles import service
from ...piles import views as pile_views
from ...rates.holding import PILE, Versions

KWH_DIGITS, W_DIGITS = 6, 3  # a milliwatt-hour in kWh, a milliwatt in W


class Connector(NamedTuple):
    """currency: that of its session, else of its rate; None without both. state: the values by name."""

    number: int
    currency: str | None
    state: dict[str, Any]


class Pile(NamedTuple):
    """site: its name. state: the pile's own values by name."""

    device_id: str
    name: str
    site: str | None
    state: dict[str, Any]
    connectors: list[Connector]


class _SiteName(NamedTuple):
    site_id: str
    name: str


class _Order(NamedTuple):
    """The order that keeps a connector, with its newest meter value; or the order of the connector's newest
    settlement, as billed. power_mw: None of the latter. cost_minor: None while the bill is flagged.
    """

    device_id: str
    connector: int
    state: str
    rate_json: str
    began_at: int
    energy_mwh: int | None
    cost_minor: int | None
    register_mwh: int | None
    power_mw: int | None


_PILES = Query(select(piles).where(piles.c.removed_at.is_(None)).order_by(piles.c.device_id), PileRow)
_SITES = Query(select(sites.c.site_id, sites.c.name), _SiteName)
_BEGAN_AT = func.coalesce(orders.c.charging_at, orders.c.accepted_at, orders.c.created_at).label("began_at")
_ORDER = select(orders.c.device_id, orders.c.connector, orders.c.state, orders.c.rate_json, _BEGAN_AT)
_SAMPLES, _CHAIN = meter_samples.alias(), settlements.alias()
_NEWEST_AT = select(func.max(_SAMPLES.c.at)).where(_SAMPLES.c.order_id == orders.c.order_id)
_HELD = Query(
    _ORDER.add_columns(*(meter_samples.c[name].label(name) for name in _Order._fields[5:]))
    .select_from(
        orders.outerjoin(
            meter_samples,
            (meter_samples.c.order_id == orders.c.order_id)
            & (meter_samples.c.at == _NEWEST_AT.scalar_subquery()),
        )
    )
    .where(orders.c.holds, orders.c.window_end_at > bindparam("now"))
    .order_by(_BEGAN_AT),
    _Order,
)
_AT_PILE, _IN_EPOCH, _AT_CONNECTOR = json_lists.rows("places", str, int, int)
_NEWEST_SEQ = select(func.max(_CHAIN.c.chain_seq)).where(
    _CHAIN.c.device_id == _AT_PILE, _CHAIN.c.epoch == _IN_EPOCH, _CHAIN.c.connector == _AT_CONNECTOR
)
_SETTLED = Query(
    _ORDER.add_columns(
        orders.c.energy_mwh,
        case((settlements.c.flagged, None), else_=orders.c.total_minor).label("cost_minor"),
        settlements.c.end_register_mwh.label("register_mwh"),
        cast(None, BigInteger).label("power_mw"),
    )
    .join(settlements, orders.c.order_id == settlements.c.settles_order_id)
    .where(
        settlements.c.device_id == _AT_PILE,
        settlements.c.epoch == _IN_EPOCH,
        settlements.c.chain_seq == _NEWEST_SEQ.scalar_subquery(),
    ),
    _Order,
)


def read(conn: Connection, rates: Versions, silent_s: int, now: int) -> list[Pile]:
    """All piles, by id. silent_s: a pile without a message for this time is offline, whatever state is
    stored, because the cloud may not be running.
    """
    rows = [_as_of(row, now - silent_s) for row in _PILES.all(conn)]
    device_ids = [row.device_id for row in rows]
    names = {row.site_id: row.name for row in _SITES.all(conn)}
    out = service.find_many(conn, device_ids)
    held = _by_place(_HELD.all(conn, {"now": now}))
    places = [[row.device_id, row.epoch, n] for row in rows for n in range(1, row.connectors + 1)]
    settled = _by_place(_SETTLED.all(conn, {"places": to_json(places)}))
    rates_of = rates.at_piles(conn, device_ids, now)
    found = []
    for row in rows:
        status = orjson.loads(row.status_json) if row.status_json else {}
        signal_dbm = status.get("wifi_rssi_dbm") if row.online else None
        state = {"online": row.online, "firmware": status.get("firmware"), "signal_dbm": signal_dbm}
        runs, ended, rate_of = held[row.device_id], settled[row.device_id], rates_of[row.device_id]
        connectors = []
        for view in pile_views.connector_views_with(row, runs, out[row.device_id]):
            number = view["connector"]
            rate = rate_of.get(number, rate_of.get(PILE, {}))
            connector = _connector(view, row.online, runs.get(number), ended.get(number), rate)
            is_out = service.row_of(out[row.device_id], number) is not None
            connector.state["out_of_service"] = is_out
            connectors.append(connector)
        found.append(Pile(row.device_id, row.name, names.get(row.site_id or ""), state, connectors))
    return found


def _by_place(found: Iterable[_Order]) -> defaultdict[str, dict[int, _Order]]:
    places: defaultdict[str, dict[int, _Order]] = defaultdict(dict)
    for each in found:
        places[each.device_id][each.connector] = each
    return places


def _as_of(row: PileRow, heard_after: int) -> PileRow:
    if row.online and (row.last_seen_at or 0) < heard_after:
        values: dict[str, Any] = row._asdict() | {"online": False}
        return PileRow(**values)
    return row


def _connector(
    view: Mapping[str, Any], online: bool, runs: _Order | None, ended: _Order | None, rate: Mapping[str, Any]
) -> Connector:
    """runs: the order that keeps it; ended: that of its newest settlement; rate: that holds."""
    session = runs if runs is not None and runs.state != states.PENDING else ended
    locked = orjson.loads(session.rate_json) if session else rate
    began_at = energy_mwh = cost_minor = power_mw = None
    if session is not None:
        began_at, energy_mwh = session.began_at, session.energy_mwh or 0
        cost_minor = session.cost_minor or 0 if session is runs else session.cost_minor
    if online:
        power_mw = runs.power_mw or 0 if runs is not None and runs.state == states.CHARGING else 0
    registers = [each.register_mwh for each in (runs, ended) if each and each.register_mwh is not None]
    state = {
        "status": view["status"],
        "fault": view["fault"],
        "power_w": _decimal(power_mw, W_DIGITS),
        "energy_kwh": _decimal(registers[0] if registers else None, KWH_DIGITS),
        "session_began": iso_utc(began_at) if began_at is not None else None,
        "session_kwh": _decimal(energy_mwh, KWH_DIGITS),
        "session_cost": _decimal(cost_minor, locked.get("minor_digits", 0)),
    }
    return Connector(view["connector"], locked.get("currency"), state)


def _decimal(value: int | None, digits: int) -> str | None:
    return None if value is None else decimal(value, digits)
