"""Which calls of each pile and order the central system has answered: the rows of db.ocpp_tables.

A transaction's state is the newest call that was answered:

    Waiting  none
    Started  StartTransaction
    Told     DataTransfer with the rate; MeterValues follow
    Stopped  StopTransaction
    Done     DataTransfer with the receipt; another one follows if the bill is corrected
    Refused  StartTransaction or StopTransaction was refused too often and given up
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, bindparam, exists, func, insert, select, update

from ...db.engine import insert_or_ignore, to_json
from ...db.ocpp_tables import ocpp_piles, ocpp_transactions
from ...db.rows import MeterSampleRow, Query
from ...db.tables import meter_samples, orders, outbox, piles
from .queue import RECEIVER

WAITING, STARTED, TOLD, STOPPED, DONE, REFUSED = "Waiting", "Started", "Told", "Stopped", "Done", "Refused"
SAMPLE_S = 60
_AT_ONCE = 500


class ChargePoint(NamedTuple):
    """A row of `ocpp_piles`."""

    device_id: str
    sample_s: int
    message_id: str | None
    action: str | None
    payload_json: str | None
    order_id: str | None
    refusals: int
    state: str
    errors_json: str
    last_error: str | None
    changed_at: int


class Progress(NamedTuple):
    """A row of `ocpp_transactions`."""

    order_id: str
    device_id: str
    id_tag: str
    transaction_id: int | None
    state: str
    open: bool
    sampled_at: int
    receipt_digest: str | None


class _Unsent(NamedTuple):
    device_id: str
    events: int


class _Charging(NamedTuple):
    order_id: str
    device_id: str


class OpenOne(NamedTuple):
    """A transaction with further calls to send, its order, and the time of its newest meter value."""

    device_id: str
    order_id: str
    state: str
    sampled_at: int
    holds: bool
    newest_at: int | None


_PILES = select(ocpp_piles)
_LIST = Query(_PILES.order_by(ocpp_piles.c.device_id), ChargePoint)
_UNSENT = Query(
    select(outbox.c.lane.label("device_id"), func.count().label("events"))
    .where(outbox.c.receiver == RECEIVER)
    .group_by(outbox.c.lane),
    _Unsent,
)
_PILE = Query(_PILES.where(ocpp_piles.c.device_id == bindparam("device_id")).with_for_update(), ChargePoint)
_SET_PILE = update(ocpp_piles).where(ocpp_piles.c.device_id == bindparam("of"))
_ASK = _SET_PILE.values(
    {name: bindparam(name) for name in ("message_id", "action", "payload_json", "order_id", "refusals")}
)
_NOTE = _SET_PILE.values(
    state=bindparam("now_in"),
    errors_json=bindparam("counts"),
    last_error=func.coalesce(bindparam("why"), ocpp_piles.c.last_error),
    changed_at=bindparam("at"),
)
_TRANSACTIONS = select(ocpp_transactions)
_FIND = Query(_TRANSACTIONS.where(ocpp_transactions.c.order_id == bindparam("order_id")), Progress)
_OPEN = Query(
    _TRANSACTIONS.where(
        ocpp_transactions.c.device_id == bindparam("device_id"), ocpp_transactions.c.open
    ).order_by(ocpp_transactions.c.order_id),
    Progress,
)
_NEWEST = (
    select(meter_samples.c.at)
    .where(meter_samples.c.order_id == ocpp_transactions.c.order_id)
    .order_by(meter_samples.c.at.desc())
    .limit(1)
    .scalar_subquery()
)
_ALL_OPEN = Query(
    select(
        ocpp_transactions.c.device_id,
        ocpp_transactions.c.order_id,
        ocpp_transactions.c.state,
        ocpp_transactions.c.sampled_at,
        orders.c.holds,
        _NEWEST.label("newest_at"),
    )
    .join(orders, orders.c.order_id == ocpp_transactions.c.order_id)
    .where(ocpp_transactions.c.open),
    OpenOne,
)
_CHARGING = Query(
    select(orders.c.order_id, orders.c.device_id).where(
        orders.c.holds,
        orders.c.charging_at.is_not(None),
        ~exists().where(ocpp_transactions.c.order_id == orders.c.order_id),
    ),
    _Charging,
)
_ADD = insert(ocpp_transactions)
_SET = update(ocpp_transactions).where(ocpp_transactions.c.order_id == bindparam("of"))
_OF_ORDER = meter_samples.c.order_id == bindparam("order_id")
_SAMPLES = select(meter_samples).where(_OF_ORDER)
_DUE = Query(
    _SAMPLES.where(meter_samples.c.at >= bindparam("from_at")).order_by(meter_samples.c.at).limit(_AT_ONCE),
    MeterSampleRow,
)
_FIRST = Query(_SAMPLES.order_by(meter_samples.c.at).limit(1), MeterSampleRow)
_LAST = Query(_SAMPLES.order_by(meter_samples.c.at.desc()).limit(1), MeterSampleRow)


def add_missing(conn: Connection, device_ids: Sequence[str], now: int) -> None:
    """Add a row for each of these piles that has none."""
    for device_id in device_ids:
        values = {"device_id": device_id, "sample_s": SAMPLE_S, "refusals": 0, "errors_json": "{}"}
        conn.execute(insert_or_ignore(conn, ocpp_piles), values | {"state": "", "changed_at": now})


def adopt_running(conn: Connection, tag_of: Callable[[str], str], now: int) -> None:
    """Add a row for each charging order that has none, because its event came before the subscription."""
    found = _CHARGING.all(conn)
    add_missing(conn, sorted({each.device_id for each in found}), now)
    for each in found:
        add(conn, each.order_id, each.device_id, tag_of(each.order_id))


def charge_points(conn: Connection) -> Sequence[ChargePoint]:
    return _LIST.all(conn)


def charge_point(conn: Connection, device_id: str) -> ChargePoint:
    """The pile's row, locked. Raises sqlalchemy.exc.NoResultFound."""
    return _PILE.one(conn, {"device_id": device_id})


def set_sample_s(conn: Connection, device_id: str, sample_s: int) -> None:
    conn.execute(_SET_PILE.values(sample_s=bindparam("every_s")), {"of": device_id, "every_s": sample_s})


def note(
    conn: Connection, device_id: str, state: str, errors: Counter[str], last_error: str | None, at: int
) -> None:
    """Store the state of the pile's connection, and the errors by kind since the last call."""
    counts = Counter(orjson.loads(charge_point(conn, device_id).errors_json)) + errors
    values = {"of": device_id, "now_in": state, "counts": to_json(counts), "why": last_error, "at": at}
    conn.execute(_NOTE, values)


def ask(
    conn: Connection,
    device_id: str,
    message_id: str | None,
    action: str | None,
    payload_json: str | None,
    order_id: str | None,
    refusals: int = 0,
) -> None:
    """Store the open call, which waits for its answer; all None: no call is open."""
    values = {"message_id": message_id, "action": action, "payload_json": payload_json}
    conn.execute(_ASK, values | {"of": device_id, "order_id": order_id, "refusals": refusals})


def find(conn: Connection, order_id: str) -> Progress | None:
    return _FIND.first(conn, {"order_id": order_id})


def open_of(conn: Connection, device_id: str) -> Sequence[Progress]:
    """The pile's transactions with further calls to send, oldest first."""
    return _OPEN.all(conn, {"device_id": device_id})


def all_open(conn: Connection) -> Sequence[OpenOne]:
    return _ALL_OPEN.all(conn)


def add(conn: Connection, order_id: str, device_id: str, id_tag: str) -> Progress:
    row = Progress(order_id, device_id, id_tag, None, WAITING, True, 0, None)
    conn.execute(_ADD, row._asdict())
    return row


def change(conn: Connection, order_id: str, **values: Any) -> None:
    conn.execute(_SET.values(values), {"of": order_id})


def samples(conn: Connection, order_id: str, from_at: int) -> Sequence[MeterSampleRow]:
    """The order's stored meter values from then on, oldest first, in a limited number."""
    return _DUE.all(conn, {"order_id": order_id, "from_at": from_at})


def first_sample(conn: Connection, order_id: str) -> MeterSampleRow | None:
    return _FIRST.first(conn, {"order_id": order_id})


def last_sample(conn: Connection, order_id: str) -> MeterSampleRow | None:
    return _LAST.first(conn, {"order_id": order_id})


def retry(conn: Connection, order_id: str) -> bool:
    """Send a refused transaction's calls again, from the refused one on. False: none was refused."""
    known = find(conn, order_id)
    if known is None or known.state != REFUSED:
        return False
    state = WAITING if known.transaction_id is None else TOLD
    change(conn, order_id, state=state, open=True)
    return True


def list_views(
    conn: Connection, limit: int | None = None, after: str = "", site_id: str | None = None
) -> list[dict[str, Any]]:
    """Charge points as operators see them, by id. `unsent`: how many events of the pile's orders wait."""
    query = _PILES.where(ocpp_piles.c.device_id > after).order_by(ocpp_piles.c.device_id).limit(limit)
    if site_id is not None:
        query = query.join(piles).where(piles.c.site_id == site_id)
    unsent = {row.device_id: row.events for row in _UNSENT.all(conn)}
    return [
        {
            "device_id": row.device_id,
            "state": row.state,
            "last_error": row.last_error,
            "changed_at": row.changed_at,
            "waits_for": row.action,
            "unsent": unsent.get(row.device_id, 0),
            "errors": orjson.loads(row.errors_json),
        }
        for row in _LIST.narrowed(query).all(conn)
    ]
