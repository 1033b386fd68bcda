"""The audit trail as CSV, page by page."""

from collections.abc import Iterator

from ..db.audit import AuditRow, Wanted, list_lines
from ..db.engine import Store
from .csv_lines import BOM, line, time_utc

PAGE = 500


def csv_pages(store: Store, wanted: Wanted) -> Iterator[str]:
    """The lines, newest first; read in pages, each on a connection of its own."""
    yield BOM + line(AuditRow._fields)
    before = None
    while True:
        with store.reading.connect() as conn:
            page = list_lines(conn, wanted, PAGE, before)
        if page:
            yield "".join(line(_values(row)) for row in page)
        if len(page) < PAGE:
            return
        before = page[-1].id


def _values(row: AuditRow) -> list[str]:
    values = row._asdict() | {"at": time_utc(row.at)}
    return ["" if value is None else str(value) for value in values.values()]
