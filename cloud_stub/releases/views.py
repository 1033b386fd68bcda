"""What is shown of rollouts, and of the firmware that piles run."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, select

from ..db.release_rows import FirmwareRow, RolloutRow
from ..db.release_tables import pile_firmware, rollout_piles
from ..db.release_tables import rollouts as rollouts_table
from ..db.rows import Query
from ..db.tables import piles
from . import configuration, rollouts
from .planning import Placed
from .rollouts import Plan

SHOWN_MAX = 500  # piles of a plan, each with its wave


class _PileInRollout(NamedTuple):
    device_id: str
    name: str
    wave: int
    state: str
    reason: str | None
    attempts: int
    done_bytes: int | None
    total_bytes: int | None
    changed_at: int


class _PastUpdate(NamedTuple):
    rollout_id: int
    release: int | None
    state: str
    reason: str | None
    attempts: int
    changed_at: int


class _Running(NamedTuple):
    device_id: str
    name: str
    online: bool
    release: int | None
    board: str | None
    mpy: str | None
    on_trial: bool | None
    fell_back_release: int | None
    fell_back_reason: str | None
    told_at: int | None


class _Firmware(NamedTuple):
    release: int | None
    board: str | None
    piles: int


_ROLLOUTS = select(rollouts_table)
_ROLLOUT_ROWS = Query(_ROLLOUTS, RolloutRow)
_PILES = (
    select(
        rollout_piles.c.device_id,
        piles.c.name,
        rollout_piles.c.wave,
        rollout_piles.c.state,
        rollout_piles.c.reason,
        rollout_piles.c.attempts,
        rollout_piles.c.done_bytes,
        rollout_piles.c.total_bytes,
        rollout_piles.c.changed_at,
    )
    .join(piles, piles.c.device_id == rollout_piles.c.device_id)
    .order_by(rollout_piles.c.device_id)
)
_PILE_ROWS = Query(_PILES, _PileInRollout)
_HISTORY = (
    select(
        rollout_piles.c.rollout_id,
        rollouts_table.c.release,
        rollout_piles.c.state,
        rollout_piles.c.reason,
        rollout_piles.c.attempts,
        rollout_piles.c.changed_at,
    )
    .join(rollouts_table, rollouts_table.c.id == rollout_piles.c.rollout_id)
    .order_by(rollout_piles.c.rollout_id.desc())
)
_HISTORY_ROWS = Query(_HISTORY, _PastUpdate)
_OF_FIRMWARE = [
    pile_firmware.c[name].label(name)
    for name in ("release", "board", "mpy", "on_trial", "fell_back_release", "fell_back_reason", "told_at")
]
_WITH_FIRMWARE = piles.outerjoin(pile_firmware, pile_firmware.c.device_id == piles.c.device_id)
_RUNNING = (
    select(piles.c.device_id, piles.c.name, piles.c.online, *_OF_FIRMWARE)
    .select_from(_WITH_FIRMWARE)
    .where(piles.c.removed_at.is_(None))
    .order_by(piles.c.device_id)
)
_RUNNING_ROWS = Query(_RUNNING, _Running)
_SUMMARY = Query(
    select(_OF_FIRMWARE[0], _OF_FIRMWARE[1], func.count().label("piles"))
    .select_from(_WITH_FIRMWARE)
    .where(piles.c.removed_at.is_(None))
    .group_by(pile_firmware.c.release, pile_firmware.c.board)
    .order_by(pile_firmware.c.release, pile_firmware.c.board),
    _Firmware,
)
_ONE = Query(select(pile_firmware), FirmwareRow)


def plan_view(plan: Plan) -> dict[str, Any]:
    """Of a rollout that has not begun: its waves, how many are left out and why, and the first piles."""
    waves = Counter(each.wave for each in plan.taking_part)
    left_out = Counter(each.reason for each in plan.placed if not each.wave)
    return {
        "piles": len(plan.taking_part),
        "offline": sum(not each.pile.online for each in plan.taking_part),
        "waves": [waves[number] for number in sorted(waves)],
        "left_out": dict(left_out),
        "items": [_placed_view(each) for each in plan.placed[:SHOWN_MAX]],
    }


def _placed_view(placed: Placed) -> dict[str, Any]:
    pile = placed.pile
    return {
        "device_id": pile.device_id,
        "name": pile.name,
        "online": pile.online,
        "release": pile.release,
        "wave": placed.wave,
        "reason": placed.reason,
    }


def list_rollouts(conn: Connection, limit: int, before: int | None) -> list[dict[str, Any]]:
    """Newest first, earlier than rollout `before`."""
    query = _ROLLOUTS if before is None else _ROLLOUTS.where(rollouts_table.c.id < before)
    rows: Sequence[RolloutRow] = _ROLLOUT_ROWS.narrowed(
        query.order_by(rollouts_table.c.id.desc()).limit(limit)
    ).all(conn)
    return [view(conn, row) for row in rows]


def view(conn: Connection, row: RolloutRow) -> dict[str, Any]:
    """A rollout with how many piles are in each state, together and in each wave."""
    by_wave = rollouts.counts(conn, row.id)
    total: Counter[str] = Counter()
    for counted in by_wave.values():
        total += counted
    waves = [dict(counted) for number, counted in sorted(by_wave.items()) if number]
    return {
        "rollout_id": row.id,
        "release": row.release,
        "config": None if row.values_json is None else configuration.masked(row.values_json),
        "again": row.again,
        "selection": row.selection,
        "waves_wanted": json.loads(row.waves_json),
        "lost_max": row.lost_max,
        "state": row.state,
        "wave": row.wave,
        "halted_why": row.halted_why,
        "created_at": row.created_at,
        "deadline_at": row.deadline_at,
        "ended_at": row.ended_at,
        "piles": sum(total.values()) - sum(by_wave.get(0, {}).values()),
        "states": dict(total),
        "waves": waves,
    }


def piles_of(
    conn: Connection, rollout_id: int, state: str | None, limit: int, after: str | None
) -> list[dict[str, Any]]:
    """The piles of a rollout by id, later than `after`. Raises Problem (UnknownRollout)."""
    rollouts.get(conn, rollout_id)
    query = _PILES.where(rollout_piles.c.rollout_id == rollout_id)
    if state is not None:
        query = query.where(rollout_piles.c.state == state)
    if after is not None:
        query = query.where(rollout_piles.c.device_id > after)
    return [row._asdict() for row in _PILE_ROWS.narrowed(query.limit(limit)).all(conn)]


def list_firmware(conn: Connection, limit: int, after: str | None) -> list[dict[str, Any]]:
    """Which release each pile runs, by its id; null where its hello tells none."""
    query = _RUNNING if after is None else _RUNNING.where(piles.c.device_id > after)
    return [row._asdict() for row in _RUNNING_ROWS.narrowed(query.limit(limit)).all(conn)]


def firmware_summary(conn: Connection) -> list[dict[str, Any]]:
    """How many piles run each release, by board; release null: those that tell none."""
    return [row._asdict() for row in _SUMMARY.all(conn)]


def history(conn: Connection, device_id: str, limit: int, before: int | None) -> dict[str, Any]:
    """What the pile runs, and what rollouts have done with it, the newest first."""
    query = _HISTORY.where(rollout_piles.c.device_id == device_id)
    if before is not None:
        query = query.where(rollout_piles.c.rollout_id < before)
    items = [row._asdict() for row in _HISTORY_ROWS.narrowed(query.limit(limit)).all(conn)]
    one = select(pile_firmware).where(pile_firmware.c.device_id == device_id)
    row = _ONE.narrowed(one).first(conn)
    return {"firmware": None if row is None else row._asdict(), "items": items}
