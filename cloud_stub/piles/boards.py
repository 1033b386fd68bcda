"""What the hello of each pile told: what its firmware knows, and which board it comes from.

Two boards with one device id end each other's connection, so their greetings come in turn. A board that
greets again after another one has greeted, within TWO_BOARDS_S, shows that both are there. A single change of
the chip is a board that was replaced.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, bindparam, select, update

from ..db import json_lists
from ..db.engine import insert_or_ignore, to_json
from ..db.pile_tables import pile_boards
from ..db.rows import PileRow, Query

TWO_BOARDS_S = 600


class BoardRow(NamedTuple):
    """A row of `pile_boards`."""

    device_id: str
    hello_json: str
    hello_at: int
    chip: str | None
    other_chip: str | None
    other_at: int | None
    two_boards_at: int | None
    service_sent_at: int | None


_FIND = Query(
    select(pile_boards).where(pile_boards.c.device_id.in_(json_lists.texts("device_ids"))), BoardRow
)
_OF = pile_boards.c.device_id == bindparam("of")
_UPDATE = (
    update(pile_boards)
    .where(_OF)
    .values({name: bindparam(f"new_{name}") for name in BoardRow._fields if name != "device_id"})
)
_SENT = update(pile_boards).where(_OF).values(service_sent_at=bindparam("sent_at"))


def find_many(conn: Connection, device_ids: Iterable[str]) -> dict[str, BoardRow]:
    rows = _FIND.all(conn, {"device_ids": to_json(list(device_ids))})
    return {row.device_id: row for row in rows}


def find(conn: Connection, device_id: str) -> BoardRow | None:
    return find_many(conn, [device_id]).get(device_id)


def note_hello(conn: Connection, device_id: str, hello: dict[str, Any], now: int) -> bool:
    """Store a hello. Returns whether it shows, for the first time in TWO_BOARDS_S, that two boards have this
    id.
    """
    before = find(conn, device_id)
    kept = {name: hello[name] for name in hello if name not in ("nonce", "orders")}
    row = BoardRow(device_id, to_json(kept), now, hello.get("chip"), None, None, None, None)
    if before is None:
        conn.execute(insert_or_ignore(conn, pile_boards), row._asdict())
        return False
    row = row._replace(
        other_chip=before.other_chip,
        other_at=before.other_at,
        two_boards_at=before.two_boards_at,
        service_sent_at=before.service_sent_at,
    )
    is_news = False
    if row.chip and before.chip and row.chip != before.chip:
        if row.chip == before.other_chip and now - (before.other_at or 0) <= TWO_BOARDS_S:
            is_news = not has_two_boards(before, now)
            row = row._replace(two_boards_at=now)
        row = row._replace(other_chip=before.chip, other_at=before.hello_at)
    _write(conn, row)
    return is_news


def _write(conn: Connection, row: BoardRow) -> None:
    conn.execute(
        _UPDATE,
        {"of" if name == "device_id" else f"new_{name}": value for name, value in row._asdict().items()},
    )


def forget(conn: Connection, device_id: str) -> None:
    """The pile gets another board: the one before does not count as a second one."""
    before = find(conn, device_id)
    if before is not None:
        _write(
            conn, BoardRow(*before)._replace(chip=None, other_chip=None, other_at=None, two_boards_at=None)
        )


def has_two_boards(row: BoardRow | None, now: int) -> bool:
    return row is not None and row.two_boards_at is not None and now - row.two_boards_at <= TWO_BOARDS_S


def knows(row: BoardRow | None, action: str) -> bool:
    """Whether the pile's firmware knows a command beyond those of the first release."""
    return row is not None and action in orjson.loads(row.hello_json).get("commands", ())


def fetches_manifest(row: BoardRow | None) -> bool:
    """Whether the pile needs no manifest in the offer of a release."""
    return row is not None and bool(orjson.loads(row.hello_json).get("fetches_manifest"))


def mark_service_sent(conn: Connection, device_id: str, now: int) -> None:
    conn.execute(_SENT, {"of": device_id, "sent_at": now})


def view(pile: PileRow, row: BoardRow | None, now: int) -> dict[str, Any]:
    """What operators see: the board, whether there are two, and where the registered pile differs from it."""
    hello = orjson.loads(row.hello_json) if row is not None else {}
    told = hello.get("connectors", pile.connectors)
    return {
        "chip": row.chip if row is not None else None,
        "commands": hello.get("commands", []),
        "two_boards": has_two_boards(row, now),
        "connectors_told": told,
        "mismatch": told != pile.connectors,
    }
