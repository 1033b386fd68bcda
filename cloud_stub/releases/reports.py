"""What piles report: which firmware each runs (hello), and how an update goes (update/status)."""

from typing import Any, NamedTuple

from sqlalchemy import bindparam, delete, select, update

from pile_protocol import topics

from ..db.engine import upsert
from ..db.events import record_event
from ..db.release_tables import pile_firmware, rollout_piles, rollouts
from ..db.rows import Query
from ..db.writer import Transaction
from ..messaging.outbox import withdraw_named
from . import states


class _Part(NamedTuple):
    """A pile's row in a rollout, and what that rollout is about."""

    rollout_id: int
    device_id: str
    state: str
    attempts: int
    release: int | None


_PART = (
    select(
        rollout_piles.c.rollout_id,
        rollout_piles.c.device_id,
        rollout_piles.c.state,
        rollout_piles.c.attempts,
        rollouts.c.release,
    )
    .join(rollouts, rollouts.c.id == rollout_piles.c.rollout_id)
    .where(rollout_piles.c.device_id == bindparam("device_id"))
)
_NEWEST_FIRST = rollout_piles.c.rollout_id.desc()


def _newest(statement: Any) -> Query[_Part]:
    return Query(statement.order_by(_NEWEST_FIRST).limit(1), _Part)


_OF_RELEASE = _newest(_PART.where(rollouts.c.release == bindparam("release")))
_OF_CONFIGURATION = _newest(
    _PART.where(rollout_piles.c.rollout_id == bindparam("version"), rollouts.c.release.is_(None))
)
_OPEN = _newest(_PART.where(rollout_piles.c.open))
_FORGET = delete(pile_firmware).where(pile_firmware.c.device_id == bindparam("of"))
_END_TRIAL = update(pile_firmware).where(pile_firmware.c.device_id == bindparam("of")).values(on_trial=False)
_APPLY = (
    update(rollout_piles)
    .where(rollout_piles.c.rollout_id == bindparam("of"), rollout_piles.c.device_id == bindparam("at_pile"))
    .values(
        state=bindparam("to"),
        open=bindparam("stays_open"),
        reason=bindparam("why"),
        changed_at=bindparam("now"),
    )
)
_APPLY_PROGRESS = _APPLY.values(done_bytes=bindparam("done"), total_bytes=bindparam("total"))
_EVENTS = {
    states.TRIAL: "UpdateOnTrial",
    states.CONFIRMED: "UpdateConfirmed",
    states.REFUSED: "UpdateRefused",
    states.FELL_BACK: "UpdateFellBack",
}


def note_hello(tx: Transaction, device_id: str, hello: dict[str, Any], now: int) -> None:
    """Store which firmware the pile runs, and what that says about its newest rollout."""
    release = hello.get("release")
    if release is None or "board" not in hello or "mpy" not in hello:
        tx.conn.execute(_FORGET, {"of": device_id})
        return
    fell_back_release, fell_back_reason = hello.get("fell_back") or (None, None)
    on_trial = hello.get("on_trial", False)
    values = {
        "device_id": device_id,
        "release": release,
        "board": hello["board"],
        "mpy": "{}.{}".format(*hello["mpy"]),
        "on_trial": on_trial,
        "fell_back_release": fell_back_release,
        "fell_back_reason": fell_back_reason,
        "told_at": now,
    }
    tx.conn.execute(upsert(tx.conn, pile_firmware), values)
    reported = states.TRIAL if on_trial else states.CONFIRMED
    of = {"device_id": device_id}
    if release:
        _apply(tx, _OF_RELEASE.first(tx.conn, of | {"release": release}), reported, None, now)
    if hello.get("config_version"):
        part = _OF_CONFIGURATION.first(tx.conn, of | {"version": hello["config_version"]})
        _apply(tx, part, reported, None, now)
    if fell_back_release:
        part = _OF_RELEASE.first(tx.conn, of | {"release": fell_back_release})
        # It may tell of an attempt of an earlier rollout, unless this one has come to a trial.
        if part is not None and part.state in (states.TRIAL, states.LOST):
            _apply(tx, part, states.FELL_BACK, fell_back_reason, now)
    part = _OPEN.first(tx.conn, of)
    # A pile that goes on with its download says so within seconds of its hello. One that has lost the offer
    # says nothing: it is offered it again, as after an offer without an answer. `fell_back` is repeated by an
    # update/status message, which decides.
    if part is not None and part.state in states.AT_IT and part.release != fell_back_release:
        tx.conn.execute(_APPLY, _change(part, states.OFFERED, None, now))


def note_status(tx: Transaction, device_id: str, status: dict[str, Any], now: int) -> None:
    """Apply an update/status message; one about what no rollout has offered changes nothing."""
    of = {"device_id": device_id}
    if status["state"] == states.CONFIRMED:  # without another hello
        tx.conn.execute(_END_TRIAL, {"of": device_id})
    if "release" in status:
        part = _OF_RELEASE.first(tx.conn, of | {"release": status["release"]})
    else:
        part = _OF_CONFIGURATION.first(tx.conn, of | {"version": status.get("config_version")})
    done = (status.get("done_bytes"), status.get("total_bytes"))
    _apply(tx, part, status["state"], status.get("reason"), now, done)


def _apply(
    tx: Transaction,
    part: _Part | None,
    reported: str,
    reason: str | None,
    now: int,
    done: tuple[int | None, int | None] | None = None,
) -> None:
    if part is None:
        return
    state = states.after_report(part.state, part.attempts > 0, reported, reason)
    if state is None:
        return
    if part.state == states.OFFERED:  # it has the offer, which need not be sent again
        withdraw_named(tx, part.device_id, topics.UPDATE if part.release is not None else topics.CONFIG)
    values = _change(part, state, reason, now)
    if done is None or done[1] is None:
        tx.conn.execute(_APPLY, values)
    else:
        tx.conn.execute(_APPLY_PROGRESS, values | {"done": done[0], "total": done[1]})
    if state != part.state and state in _EVENTS:
        what = f"configuration {part.rollout_id}" if part.release is None else f"release {part.release}"
        detail = f"{what}: {reason}" if reason else what
        record_event(tx.conn, now, _EVENTS[state], part.device_id, detail=detail)


def _change(part: _Part, to: str, why: str | None, now: int) -> dict[str, Any]:
    """The parameters of _APPLY."""
    return {
        "of": part.rollout_id,
        "at_pile": part.device_id,
        "to": to,
        # One that was given up is not opened again: its pile may be in another rollout by now.
        "stays_open": part.state in states.OPEN and to in states.OPEN,
        "why": why,
        "now": now,
    }
