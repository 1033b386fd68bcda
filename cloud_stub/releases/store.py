"""The releases that can be rolled out: added, removed, listed; their files, and what is sent of them.

A release that was removed keeps its number: the same number never means other bytes.
"""

import hashlib
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from ..base.problems import Problem
from ..db import audit
from ..db.audit import Actor
from ..db.release_rows import BoardRow, ReleaseRow
from ..db.release_tables import pile_firmware, release_boards, release_files, releases, rollouts
from ..db.rows import Query
from ..db.writer import Transaction
from .archive import Release

RELEASES_MAX = 200  # that are there at once; 8 MB each at most


class _File(NamedTuple):
    data: bytes


class _Running(NamedTuple):
    release: int
    piles: int


_BY_NUMBER = Query(select(releases).where(releases.c.number == bindparam("number")), ReleaseRow)
_ALL = Query(
    select(releases).where(releases.c.removed_at.is_(None)).order_by(releases.c.number.desc()), ReleaseRow
)
_BOARDS = select(release_boards).order_by(release_boards.c.board)
_BOARDS_OF = Query(_BOARDS.where(release_boards.c.number == bindparam("number")), BoardRow)
_FILE = Query(
    select(release_files.c.data).where(
        release_files.c.number == bindparam("number"), release_files.c.sha256 == bindparam("sha256")
    ),
    _File,
)
_RUNNING = Query(
    select(pile_firmware.c.release, func.count().label("piles")).group_by(pile_firmware.c.release), _Running
)
_HOW_MANY = select(func.count()).select_from(releases).where(releases.c.removed_at.is_(None))
_IN_USE = select(rollouts.c.id).where(
    rollouts.c.release == bindparam("number"), rollouts.c.ended_at.is_(None)
)
_SET_REMOVED = update(releases).where(releases.c.number == bindparam("of")).values(removed_at=bindparam("at"))


def unknown_release(number: int) -> Problem:
    return Problem(404, "UnknownRelease", "There is no release with that number", release=number)


def add(tx: Transaction, actor: Actor, release: Release, now: int) -> bool:
    """Store a release; False where it is there already. Raises Problem: ReleaseExists, TooManyReleases."""
    known = _BY_NUMBER.first(tx.conn, {"number": release.number})
    if known is not None and known.digest != release.digest:
        raise Problem(
            409,
            "ReleaseExists",
            "That number belongs to a release with other bytes; give this one a higher number",
            release=release.number,
        )
    if known is not None and known.removed_at is None:
        return False
    if tx.conn.execute(_HOW_MANY).scalar_one() >= RELEASES_MAX:
        raise Problem(409, "TooManyReleases", f"There are {RELEASES_MAX} releases; remove one first")
    if known is None:
        values = {
            "number": release.number,
            "version": release.version,
            "digest": release.digest,
            "size_bytes": sum(map(len, release.files.values())),
            "added_at": now,
        }
        tx.conn.execute(insert(releases), values)
    else:
        tx.conn.execute(_SET_REMOVED, {"of": release.number, "at": None})
    boards = [
        {
            "number": release.number,
            "board": each.board,
            "mpy": each.mpy,
            "manifest": each.manifest,
            "signature": each.signature,
            "total_bytes": each.total_bytes,
        }
        for each in release.boards
    ]
    tx.conn.execute(insert(release_boards), boards)
    files = [
        {"number": release.number, "sha256": sha256, "data": data} for sha256, data in release.files.items()
    ]
    tx.conn.execute(insert(release_files), files)
    audit.record(tx.conn, actor, now, "ReleaseAdded", detail=f"{release.number}, {release.version}")
    return True


def remove(tx: Transaction, actor: Actor, number: int, now: int) -> None:
    """Delete a release's files. Raises Problem: UnknownRelease, ReleaseInUse while a rollout is open."""
    get(tx.conn, number)
    if tx.conn.execute(_IN_USE, {"number": number}).scalars().first() is not None:
        raise Problem(409, "ReleaseInUse", "A rollout of this release is open; cancel it first")
    tx.conn.execute(delete(release_files).where(release_files.c.number == number))
    tx.conn.execute(delete(release_boards).where(release_boards.c.number == number))
    tx.conn.execute(_SET_REMOVED, {"of": number, "at": now})
    audit.record(tx.conn, actor, now, "ReleaseRemoved", detail=str(number))


def get(conn: Connection, number: int) -> ReleaseRow:
    """Raises Problem (UnknownRelease)."""
    row = _BY_NUMBER.first(conn, {"number": number})
    if row is None or row.removed_at is not None:
        raise unknown_release(number)
    return row


def boards(conn: Connection, number: int) -> dict[str, BoardRow]:
    """What the release is for each board, by its name."""
    return {row.board: row for row in _BOARDS_OF.all(conn, {"number": number})}


def file(conn: Connection, number: int, sha256: str) -> bytes | None:
    """The bytes of a release's file or of one of its manifests; None where the release has no such file."""
    row = _FILE.first(conn, {"number": number, "sha256": sha256})
    if row is not None:
        return row.data
    manifests = [board.manifest.encode() for board in boards(conn, number).values()]
    return next((each for each in manifests if hashlib.sha256(each).hexdigest() == sha256), None)


def list_views(conn: Connection) -> list[dict[str, Any]]:
    """The releases, highest number first, with how many piles run each."""
    running = {row.release: row.piles for row in _RUNNING.all(conn)}
    found = []
    for row in _ALL.all(conn):
        listed = [
            {"board": each.board, "mpy": each.mpy, "total_bytes": each.total_bytes}
            for each in boards(conn, row.number).values()
        ]
        found.append(
            {
                "release": row.number,
                "version": row.version,
                "added_at": row.added_at,
                "size_bytes": row.size_bytes,
                "boards": listed,
                "piles": running.get(row.number, 0),
            }
        )
    return found
