"""Rows with types: what each column of a row is called, and what it holds.

`Query(statement, Kind)` runs a statement whose rows have the fields of `Kind`, a NamedTuple. Making a Query
compares the fields with the statement's columns: a difference in name, order or type raises TypeError when
the module is imported. The rows have the fields, their order and `_asdict`, and no other method of `Kind`:
some are SQLAlchemy's own.

On SQLite, within a transaction, a query whose statement never changes is compiled once and given to the
driver: 2 us instead of the 17 us that a statement costs by way of SQLAlchemy.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from typing import Any, Generic, NamedTuple, TypeVar, cast, get_args, get_type_hints

from sqlalchemy import Boolean, Column, Connection, Select
from sqlalchemy.sql.selectable import TypedReturnsRows
from typing_extensions import Unpack

R = TypeVar("R", bound=tuple[Any, ...])

_AnyColumns = tuple[Any, ...]
Parameters = Mapping[str, Any]


class PileRow(NamedTuple):
    """A row of `piles`."""

    device_id: str
    name: str
    key_hex: str
    connectors: int
    created_at: int
    online: bool
    last_seen_at: int | None
    status_json: str | None
    faulted: bool
    epoch: int
    empty_hello_at: int | None
    connector_power_w: int | None
    removed_at: int | None
    site_id: str | None
    tariff_id: str | None
    rate_due_at: int | None


class OrderRow(NamedTuple):
    """A row of `orders`."""

    order_id: str
    device_id: str
    connector: int
    state: str
    reason: str | None
    version: int
    token: str
    idempotency_key: str
    request_digest: str
    rate_id: str
    rate_digest: str
    rate_json: str
    limits_json: str
    created_at: int
    expires_at: int
    window_end_at: int
    accepted_at: int | None
    charging_at: int | None
    finishing_at: int | None
    settled_at: int | None
    paid_at: int | None
    stop_requested_at: int | None
    energy_mwh: int | None
    total_minor: int | None
    holds: bool
    site_id: str | None


class SettlementRow(NamedTuple):
    """A row of `settlements`."""

    id: int
    device_id: str
    order_id: str
    seq: int
    mac: str
    settles_order_id: str | None
    epoch: int
    chain_seq: int | None
    connector: int | None
    start_register_mwh: int | None
    end_register_mwh: int | None
    unbilled_mwh: int | None
    payload: str
    energy_mwh: int
    total_minor: int
    computed_minor: int | None
    currency: str
    flagged: bool
    flags_json: str
    received_at: int
    ended_at: int
    review: str | None
    reviewed_at: int | None
    review_note: str | None
    billed_json: str | None


class PaymentRow(NamedTuple):
    """A row of `payments`."""

    order_id: str
    amount_minor: int
    currency: str
    method: str
    paid_at: int


class OutboxRow(NamedTuple):
    """A row of `outbox`."""

    id: int
    device_id: str
    name: str
    order_id: str | None
    payload: str
    created_at: int
    expires_at: int | None
    sent_at: int | None
    leased_until: int | None
    receiver: str | None
    lane: str | None
    attempts: int
    reason: str | None


class MeterSampleRow(NamedTuple):
    """A row of `meter_samples`."""

    order_id: str
    at: int
    register_mwh: int
    energy_mwh: int
    power_mw: int
    cost_minor: int
    elapsed_s: int
    remaining_json: str
    costs_json: str | None
    current_ma: int | None


class EventRow(NamedTuple):
    """A row of `events`."""

    id: int
    at: int
    device_id: str
    order_id: str | None
    kind: str
    detail: str


class RejectRow(NamedTuple):
    """A row of `rejects`."""

    id: int
    at: int
    topic: str
    reason: str
    detail: str
    size_bytes: int
    payload: str


class Query(Generic[R]):
    """A statement and the type of its rows. Raises TypeError if they do not match.

    Whether a computed column can be null is not compared, because the statement does not contain it.
    """

    def __init__(self, statement: TypedReturnsRows[Unpack[_AnyColumns]], kind: type[R]):
        _compare(statement, kind)
        self._statement = statement
        self._kind = kind
        self._prepared: _Prepared | None = None
        self._is_fixed = True
        self._was_used = False

    def narrowed(self, statement: Select[Unpack[_AnyColumns]]) -> "Query[R]":
        """This query with further conditions, an order or a limit; its columns must be the same."""
        narrowed = copy(self)
        narrowed._statement = statement
        narrowed._is_fixed = False
        return narrowed

    def first(self, conn: Connection, parameters: Parameters | None = None) -> R | None:
        found = self._quick(conn, parameters)
        if found is not None:
            return found[0] if found else None
        return cast("R | None", conn.execute(self._statement, parameters).first())

    def one(self, conn: Connection, parameters: Parameters | None = None) -> R:
        """The only row. Raises sqlalchemy.exc.NoResultFound, MultipleResultsFound."""
        return cast("R", conn.execute(self._statement, parameters).one())

    def all(self, conn: Connection, parameters: Parameters | None = None) -> Sequence[R]:
        found = self._quick(conn, parameters)
        if found is not None:
            return found
        return cast("Sequence[R]", conn.execute(self._statement, parameters).all())

    def stream(self, conn: Connection, parameters: Parameters | None = None) -> Iterator[R]:
        """The rows one after the other, without having all of them in memory."""
        yield from cast("Iterator[R]", conn.execute(self._statement, parameters))

    def _quick(self, conn: Connection, parameters: Parameters | None) -> list[R] | None:
        """The rows, read by the driver. None if SQLAlchemy must read them, also to raise its own errors."""
        if not self._is_fixed or conn.dialect.name != "sqlite" or not conn.in_transaction():
            return None
        if self._prepared is None:
            if not self._was_used:  # for a Query that is made for one call, preparing does not pay
                self._was_used = True
                return None
            self._prepared = _Prepared(self._statement, conn)
        if not self._prepared.is_usable:
            return None
        try:
            return self._prepared.rows(conn, parameters or {}, self._kind)
        except (sqlite3.Error, KeyError):
            return None


class _Prepared:
    """A statement as SQLite's driver takes it. `is_usable`: it has no list of varying length."""

    def __init__(self, statement: TypedReturnsRows[Unpack[_AnyColumns]], conn: Connection):
        compiled = statement.compile(dialect=conn.dialect)
        self._sql = str(compiled)
        self.is_usable = "POSTCOMPILE" not in self._sql
        self._names: list[str] = list(getattr(compiled, "positiontup", None) or ())
        self._own = {name: value for name, value in compiled.params.items() if value is not None}
        columns = statement.exported_columns
        self._flags = [place for place, column in enumerate(columns) if isinstance(column.type, Boolean)]

    def rows(self, conn: Connection, parameters: Parameters, kind: type[R]) -> list[R]:
        """Raises sqlite3.Error; KeyError where a parameter is missing."""
        cursor = conn.connection.cursor()
        found = cursor.execute(self._sql, self.values(parameters)).fetchall()
        cursor.close()
        make = cast("Callable[[Iterable[Any]], R]", kind._make)  # type: ignore[attr-defined]
        if not self._flags:
            return [make(row) for row in found]
        return [make(self._with_flags(row)) for row in found]

    def values(self, parameters: Parameters) -> list[Any]:
        """The parameters in the order of the statement's question marks."""
        own = self._own
        return [own[name] if name in own else parameters[name] for name in self._names]

    def _with_flags(self, row: tuple[Any, ...]) -> list[Any]:
        values = list(row)
        for place in self._flags:
            if values[place] is not None:
                values[place] = bool(values[place])
        return values


def _compare(statement: TypedReturnsRows[Unpack[_AnyColumns]], kind: type[tuple[Any, ...]]) -> None:
    columns = list(statement.exported_columns)
    fields = get_type_hints(kind)
    names = [column.key for column in columns]
    if names != list(fields):
        raise TypeError(f"{kind.__name__} has the fields {list(fields)}, its statement the columns {names}")
    for column, hint in zip(columns, fields.values(), strict=True):
        types = set(get_args(hint)) or {hint}
        nullable = type(None) in types
        wrong_null = isinstance(column, Column) and column.nullable is not nullable
        if types - {type(None)} != {column.type.python_type} or wrong_null:
            raise TypeError(f"{kind.__name__}.{column.key} is {hint}, its column is {column.type!r}")
