"""Which piles a selection names: pile:<id>, or all."""

from sqlalchemy import Connection, select

from ..base.problems import invalid
from ..db.tables import piles

_ALL = select(piles.c.device_id).where(piles.c.removed_at.is_(None))


def pile_ids(conn: Connection, selection: str) -> list[str]:
    """Raises Problem (InvalidRequest)."""
    kind, _, name = selection.partition(":")
    if kind == "pile" and name:
        return [name]
    if selection == "all":
        return list(conn.execute(_ALL).scalars())
    raise invalid(("selection", "is none of pile:<id>, all"))
