"""The bills of a stretch of time, of all piles or of those at one site or with one tag."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, select, tuple_

from ..db.engine import Store
from ..db.site_tables import pile_tags
from ..db.tables import settlements
from ..piles import registry as pile_registry
from ..settlements.bills import BILLS, ROWS, BillRow, site_id_of_bill
from ..sites import registry as site_registry

PAGE = 500


@dataclass(frozen=True, slots=True)
class PileScope:
    """Whose settlements; None does not narrow. Piles and sites that were removed count on.

    site_id: where it was charged; tag: of the pile as it is tagged today.
    """

    device_id: str | None = None
    site_id: str | None = None
    tag: str | None = None

    def check(self, conn: Connection) -> None:
        """Raises Problem (UnknownPile, UnknownSite) if there is none of that name."""
        if self.device_id is not None:
            pile_registry.get(conn, self.device_id, removed=True)
        if self.site_id is not None:
            site_registry.require_known(conn, self.site_id)

    def narrow(self, query: Select[Any]) -> Select[Any]:
        """`query`, of bills, with those alone."""
        of = settlements.c.device_id
        if self.device_id is not None:
            query = query.where(of == self.device_id)
        if self.site_id is not None:
            query = query.where(site_id_of_bill == self.site_id)
        if self.tag is not None:
            query = query.where(of.in_(select(pile_tags.c.device_id).where(pile_tags.c.tag == self.tag)))
        return query


def of_time(conn: Connection, from_at: int, until_at: int, scope: PileScope) -> Iterator[BillRow]:
    """Those whose charging ended from `from_at` until before `until_at`, by that time."""
    after: tuple[int, int] | None = (from_at, -1)
    while after is not None:
        page = _page(conn, after, until_at, scope)
        yield from page
        after = _next(page)


def pages(
    store: Store, from_at: int, until_at: int, scope: PileScope
) -> Iterator[tuple[Connection, list[BillRow]]]:
    """As of_time, page by page, each on a connection of its own: a reader may take its time."""
    after: tuple[int, int] | None = (from_at, -1)
    while after is not None:
        with store.reading.connect() as conn:
            page = _page(conn, after, until_at, scope)
            if page:
                yield conn, page
        after = _next(page)


def _page(conn: Connection, after: tuple[int, int], until_at: int, scope: PileScope) -> list[BillRow]:
    place = tuple_(settlements.c.ended_at, settlements.c.id)
    # A cursor that streams needs a transaction on PostgreSQL, and who reads here has none.
    query: Any = ROWS.where(settlements.c.ended_at < until_at, place > after)
    query = scope.narrow(query).order_by(settlements.c.ended_at, settlements.c.id).limit(PAGE)
    return list(BILLS.narrowed(query).all(conn))


def _next(page: list[BillRow]) -> tuple[int, int] | None:
    return (page[-1].ended_at, page[-1].id) if len(page) == PAGE else None
