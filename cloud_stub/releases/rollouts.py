"""Rollouts: started, previewed, paused, resumed, cancelled by a person; found.

What is sent to piles, and how waves follow each other, is decided in stepping.py, from these rows alone.
"""

import json
from collections import Counter
from typing import Any, NamedTuple

from pydantic import Field
from sqlalchemy import Connection, bindparam, func, insert, select, update

from ..base.body import Body
from ..base.problems import Problem, invalid
from ..db import audit
from ..db.audit import Actor
from ..db.engine import to_json
from ..db.release_rows import RolloutRow
from ..db.release_tables import rollout_piles, rollouts
from ..db.rows import Query
from ..db.writer import Transaction
from ..sites import selection
from . import configuration, planning, states, store

DAY_S = 86_400
DEADLINE_MIN_S = 600


class RolloutBody(Body):
    """A release, or values of a configuration, for the selected piles, in waves."""

    release: int | None = Field(default=None, ge=1, le=999_999_999, examples=[12])
    config: dict[str, Any] | None = Field(
        default=None,
        description="wifi2 {ssid, password}, broker {host, port}, ca (PEM), ntp, limits"
        " {max_current_ma, max_temperature_c, feed_ma}; null: what was written by cable",
    )
    selection: str = Field(
        max_length=64, description="pile:<id>, tag:<tag>, site:<id> or all", examples=["all"]
    )
    waves: list[str] = Field(
        default=["1", "10%"],
        max_length=planning.WAVES_MAX,
        description="How many piles each wave has, as a number or a percentage; the rest is the last wave",
    )
    lost_max: int = Field(
        default=1, ge=1, le=100_000, description="The rollout halts when a wave has lost so many piles"
    )
    deadline_s: int = Field(
        default=7 * DAY_S,
        ge=DEADLINE_MIN_S,
        le=90 * DAY_S,
        description="Piles that are offline are awaited so long",
    )
    again: bool = Field(default=False, description="Also to piles that went back from this release")


class Plan(NamedTuple):
    placed: list[planning.Placed]

    @property
    def taking_part(self) -> list[planning.Placed]:
        return [each for each in self.placed if each.wave]


class _Count(NamedTuple):
    wave: int
    state: str
    piles: int


_BY_ID = select(rollouts).where(rollouts.c.id == bindparam("rollout_id"))
_GET = Query(_BY_ID, RolloutRow)
_LOCK = Query(_BY_ID.with_for_update(), RolloutRow)
_COUNTS = Query(
    select(rollout_piles.c.wave, rollout_piles.c.state, func.count().label("piles"))
    .where(rollout_piles.c.rollout_id == bindparam("rollout_id"))
    .group_by(rollout_piles.c.wave, rollout_piles.c.state),
    _Count,
)
_INSERT = insert(rollouts).returning(rollouts.c.id)
_SET_STATE = (
    update(rollouts)
    .where(rollouts.c.id == bindparam("of"))
    .values(state=bindparam("to"), forgiven=bindparam("lost"), halted_why=bindparam("why"))
)


def plan(conn: Connection, body: RolloutBody) -> Plan:
    """Which piles the rollout would reach, in which wave, and which it leaves out.

    Raises Problem: InvalidRequest, UnknownRelease, and what a selection raises.
    """
    if (body.release is None) == (body.config is None):
        raise invalid(("release", "give either a release or a config"))
    if body.config is not None:
        configuration.check(body.config)
    boards = {}
    if body.release is not None:
        store.get(conn, body.release)
        boards = store.boards(conn, body.release)
    found = planning.candidates(conn, selection.pile_ids(conn, body.selection))
    return Plan(planning.place(found, body.release, boards, body.again, body.waves))


def start(tx: Transaction, actor: Actor, body: RolloutBody, now: int) -> RolloutRow:
    """Start a rollout; the periodic jobs go on with it. Raises Problem as `plan`, and NothingToUpdate."""
    placed = plan(tx.conn, body)
    if not placed.taking_part:
        reasons = Counter(each.reason for each in placed.placed)
        raise Problem(
            409,
            "NothingToUpdate",
            "None of the selected piles can take this",
            ", ".join(f"{reason}: {count}" for reason, count in reasons.items()) or "there is no such pile",
        )
    values = {
        "release": body.release,
        "values_json": None if body.config is None else to_json(body.config),
        "again": body.again,
        "selection": body.selection,
        "waves_json": to_json(body.waves),
        "lost_max": body.lost_max,
        "forgiven": 0,
        "state": states.RUNNING,
        "wave": 1,
        "created_at": now,
        "deadline_at": now + body.deadline_s,
    }
    rollout_id = tx.conn.execute(_INSERT, values).scalar_one()
    rows = [
        {
            "rollout_id": rollout_id,
            "device_id": each.pile.device_id,
            "wave": each.wave,
            "state": states.QUEUED if each.wave else states.LEFT_OUT,
            "reason": each.reason,
            "open": each.wave > 0,
            "attempts": 0,
            "changed_at": now,
        }
        for each in placed.placed
    ]
    tx.conn.execute(insert(rollout_piles), rows)
    row = get(tx.conn, rollout_id)
    _record(tx, actor, row, "RolloutStarted", now)
    return row


def get(conn: Connection, rollout_id: int, lock: bool = False) -> RolloutRow:
    """Raises Problem (UnknownRollout)."""
    row = (_LOCK if lock else _GET).first(conn, {"rollout_id": rollout_id})
    if row is None:
        raise Problem(404, "UnknownRollout", "There is no rollout with that number", rollout_id=rollout_id)
    return row


def pause(tx: Transaction, actor: Actor, rollout_id: int, now: int) -> None:
    """Offer nothing more, and stop downloads; piles on trial go on. Raises Problem: UnknownRollout,
    RolloutEnded.
    """
    _change(tx, actor, rollout_id, states.PAUSED, "RolloutPaused", now)


def resume(tx: Transaction, actor: Actor, rollout_id: int, now: int) -> None:
    """Go on with a rollout that was paused or has halted; the piles it has lost so far count no more.

    Raises Problem: UnknownRollout, RolloutEnded.
    """
    _change(tx, actor, rollout_id, states.RUNNING, "RolloutResumed", now)


def cancel(tx: Transaction, actor: Actor, rollout_id: int, now: int) -> None:
    """End a rollout: as `pause`, for ever. Raises Problem: UnknownRollout, RolloutEnded."""
    _change(tx, actor, rollout_id, states.CANCELLED, "RolloutCancelled", now)


def halt(tx: Transaction, row: RolloutRow, why: str, now: int) -> None:
    """A wave has lost too many piles."""
    tx.conn.execute(_SET_STATE, {"of": row.id, "to": states.HALTED, "lost": row.forgiven, "why": why})
    _record(tx, Actor(audit.CLOUD, "rollouts"), row, "RolloutHalted", now, why)


def _change(tx: Transaction, actor: Actor, rollout_id: int, to: str, action: str, now: int) -> None:
    row = get(tx.conn, rollout_id, lock=True)
    if row.state == to:
        return
    if row.ended_at is not None or row.state == states.CANCELLED:
        raise Problem(409, "RolloutEnded", "The rollout has ended", state=row.state)
    lost = lost_count(counts(tx.conn, rollout_id)) if to == states.RUNNING else row.forgiven
    tx.conn.execute(_SET_STATE, {"of": rollout_id, "to": to, "lost": lost, "why": None})
    _record(tx, actor, row, action, now)


def counts(conn: Connection, rollout_id: int) -> dict[int, Counter[str]]:
    """How many piles are in each state, by wave; wave 0 is those left out."""
    found: dict[int, Counter[str]] = {}
    for row in _COUNTS.all(conn, {"rollout_id": rollout_id}):
        found.setdefault(row.wave, Counter())[row.state] = row.piles
    return found


def lost_count(by_wave: dict[int, Counter[str]]) -> int:
    """How many piles refused it, went back, or were never heard of again."""
    return sum(counted[state] for counted in by_wave.values() for state in states.FAILED)


def what(row: RolloutRow) -> str:
    return f"configuration {row.id}" if row.release is None else f"release {row.release}"


def _record(tx: Transaction, actor: Actor, row: RolloutRow, action: str, now: int, why: str = "") -> None:
    kind, _, name = row.selection.partition(":")
    # Without words of a language: the console shows it in several.
    what_is_sent = ", ".join(sorted(json.loads(row.values_json))) if row.values_json else str(row.release)
    detail = f"#{row.id}: {what_is_sent} -> {row.selection}"
    audit.record(
        tx.conn,
        actor,
        now,
        action,
        device_id=name if kind == "pile" else None,
        site_id=name if kind == "site" else None,
        detail=f"{detail}; {why}" if why else detail,
    )
