"""What the periodic jobs do for open rollouts: give up, halt, begin the next wave, offer, finish.

Each step goes by the rows alone, so a rollout survives a restart and may be stepped by any worker. A wave is
followed by the next one when nothing of it is under way, none of its piles can be offered anything at the
moment, and half of them have an outcome: piles that are offline or charging for long do not hold it up, and
are offered the release when they can take it, until the deadline.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import BigInteger, bindparam, func, literal, select, update

from ..db.engine import to_json
from ..db.events import record_event
from ..db.release_rows import BoardRow, RolloutPileRow, RolloutRow
from ..db.release_tables import pile_firmware, release_boards, rollout_piles
from ..db.release_tables import rollouts as rollouts_table
from ..db.rows import PileRow, Query
from ..db.tables import orders, piles
from ..db.writer import Transaction
from ..orders.context import Context
from ..piles import views as pile_views
from . import configuration, offers, planning, rollouts, states, store

ANSWER_S = offers.OFFER_LIFE_S + 30  # after that, an offer without an answer is made again
ATTEMPTS_MAX = 5
SLOT_S = 120  # a download that does not go on for so long lets another pile begin
LOOKED_AT = 200  # piles that could be offered something, in one step

_OPEN = Query(
    select(rollouts_table)
    .where(rollouts_table.c.ended_at.is_(None))
    .order_by(rollouts_table.c.id)
    .with_for_update(skip_locked=True),
    RolloutRow,
)
_FETCHING = select(func.count()).where(
    rollout_piles.c.open,
    rollout_piles.c.state.in_(states.FETCHING),
    rollout_piles.c.changed_at > bindparam("since"),
)
_OF_ROLLOUT = select(rollout_piles).where(
    rollout_piles.c.rollout_id == bindparam("rollout_id"), rollout_piles.c.open
)
_UNANSWERED = Query(
    _OF_ROLLOUT.where(
        rollout_piles.c.state == states.OFFERED, rollout_piles.c.changed_at < bindparam("before")
    ),
    RolloutPileRow,
)
_SILENT = Query(
    _OF_ROLLOUT.where(
        rollout_piles.c.state.in_(states.UNDER_WAY), rollout_piles.c.changed_at < bindparam("before")
    ),
    RolloutPileRow,
)
_WITHDRAWABLE = Query(_OF_ROLLOUT.where(rollout_piles.c.state.in_(states.WITHDRAWABLE)), RolloutPileRow)
_QUEUED = Query(_OF_ROLLOUT.where(rollout_piles.c.state == states.QUEUED), RolloutPileRow)
_REMOVED = Query(
    _OF_ROLLOUT.join(piles, piles.c.device_id == rollout_piles.c.device_id).where(
        piles.c.removed_at.is_not(None)
    ),
    RolloutPileRow,
)
_QUEUED_WITH_FIRMWARE = _OF_ROLLOUT.join(
    pile_firmware, pile_firmware.c.device_id == rollout_piles.c.device_id
).where(rollout_piles.c.state == states.QUEUED, ~pile_firmware.c.on_trial)
_RUN_IT = Query(_QUEUED_WITH_FIRMWARE.where(pile_firmware.c.release == bindparam("release")), RolloutPileRow)
_RUN_NEWER = Query(
    _QUEUED_WITH_FIRMWARE.where(pile_firmware.c.release > bindparam("release")), RolloutPileRow
)
_HOLDS = select(literal(1)).where(orders.c.device_id == piles.c.device_id, orders.c.holds).exists()
_ABLE = (
    select(piles)
    .join(rollout_piles, rollout_piles.c.device_id == piles.c.device_id)
    .join(pile_firmware, pile_firmware.c.device_id == piles.c.device_id)
    .where(
        rollout_piles.c.rollout_id == bindparam("rollout_id"),
        rollout_piles.c.open,
        rollout_piles.c.state == states.QUEUED,
        rollout_piles.c.wave <= bindparam("wave"),
        piles.c.online,
        piles.c.removed_at.is_(None),
        ~pile_firmware.c.on_trial,
        ~_HOLDS,
    )
    .order_by(rollout_piles.c.wave, rollout_piles.c.changed_at, piles.c.device_id)
    .limit(LOOKED_AT)
)
_ABLE_TO_TAKE_RELEASE = Query(
    _ABLE.join(
        release_boards,
        (release_boards.c.number == bindparam("release", type_=BigInteger))
        & (release_boards.c.board == pile_firmware.c.board)
        & (release_boards.c.mpy == pile_firmware.c.mpy),
    ).where(pile_firmware.c.release < bindparam("release")),
    PileRow,
)
_ABLE_TO_TAKE_CONFIGURATION = Query(_ABLE, PileRow)
_BOARD_OF = select(pile_firmware.c.board).where(pile_firmware.c.device_id == bindparam("device_id"))
_CHANGE = (
    update(rollout_piles)
    .where(
        rollout_piles.c.rollout_id == bindparam("of"),
        rollout_piles.c.device_id == bindparam("at_pile"),
        rollout_piles.c.state == bindparam("was"),  # a report may have come meanwhile, through another worker
    )
    .values(
        state=bindparam("to"),
        open=bindparam("stays_open"),
        reason=bindparam("why"),
        attempts=rollout_piles.c.attempts + bindparam("more"),
        changed_at=bindparam("now"),
    )
)
_BEGIN_WAVE = (
    update(rollouts_table)
    .where(rollouts_table.c.id == bindparam("of"))
    .values(wave=bindparam("to"), forgiven=bindparam("lost"))
)
_END = (
    update(rollouts_table)
    .where(rollouts_table.c.id == bindparam("of"))
    .values(state=bindparam("to"), ended_at=bindparam("now"), values_json=bindparam("kept"))
)


def step_all(tx: Transaction, context: Context, now: int) -> None:
    """One step of every open rollout."""
    found = _OPEN.all(tx.conn)
    if not found:
        return
    fetching = tx.conn.execute(_FETCHING, {"since": now - SLOT_S}).scalar_one()
    free = context.settings.updates_at_once - fetching
    for row in found:
        free -= _Step(tx, context, row, now).run(free)


class _Step:
    """One step of one rollout."""

    def __init__(self, tx: Transaction, context: Context, row: RolloutRow, now: int):
        self._tx = tx
        self._context = context
        self._row = row
        self._now = now

    def run(self, free: int) -> int:
        """free: how many piles may be offered something; returns how many were."""
        self._leave_out()
        self._give_up()
        if self._now > self._row.deadline_at:
            self._withdraw(states.MISSED)
        elif self._row.state == states.CANCELLED:
            self._withdraw(states.CANCELLED)
        elif self._row.state != states.RUNNING:
            self._stop_downloads()
        by_wave = rollouts.counts(self._tx.conn, self._row.id)
        if not any(counted[state] for counted in by_wave.values() for state in states.OPEN):
            self._end()
            return 0
        if self._row.state != states.RUNNING:
            return 0
        lost = rollouts.lost_count(by_wave)
        if lost - self._row.forgiven >= self._row.lost_max:
            why = f"lost piles in wave {self._row.wave}: {lost - self._row.forgiven}"
            rollouts.halt(self._tx, self._row, why, self._now)
            return 0
        if free <= 0:
            return 0
        able = self._able(self._row.wave)
        if not able and _is_over(by_wave[self._row.wave]) and self._row.wave < max(by_wave):
            self._tx.conn.execute(_BEGIN_WAVE, {"of": self._row.id, "to": self._row.wave + 1, "lost": lost})
            able = self._able(self._row.wave + 1)
        return self._offer(able[:free])

    def _leave_out(self) -> None:
        """Piles that were removed, or got this release or a newer one by cable, are not awaited."""
        own = {"rollout_id": self._row.id}
        for pile in _REMOVED.all(self._tx.conn, own):
            self._change(pile, states.CANCELLED)
        if self._row.release is None:
            return
        for query, why in ((_RUN_IT, planning.RUNS_IT), (_RUN_NEWER, planning.RUNS_NEWER)):
            for pile in query.all(self._tx.conn, own | {"release": self._row.release}):
                self._change(pile, states.LEFT_OUT, why)

    def _give_up(self) -> None:
        """Piles that do not answer an offer get it again, some times; those long silent count as lost."""
        own = {"rollout_id": self._row.id}
        for pile in _UNANSWERED.all(self._tx.conn, own | {"before": self._now - ANSWER_S}):
            if pile.attempts < ATTEMPTS_MAX:
                self._change(pile, states.QUEUED)
            else:
                self._lose(pile, "NoAnswer")
        silent_since = self._now - self._context.settings.update_lost_after_s
        for pile in _SILENT.all(self._tx.conn, own | {"before": silent_since}):
            self._lose(pile, "Silent")

    def _lose(self, pile: RolloutPileRow, why: str) -> None:
        self._change(pile, states.LOST, why)
        detail = f"{rollouts.what(self._row)}: {why}"
        record_event(self._tx.conn, self._now, "UpdateLost", pile.device_id, detail=detail)

    def _withdraw(self, to: str) -> None:
        """No pile begins any more, and downloads end; a pile on trial still has its outcome."""
        self._stop_downloads(to)
        for pile in _QUEUED.all(self._tx.conn, {"rollout_id": self._row.id}):
            self._change(pile, to)

    def _stop_downloads(self, to: str = states.QUEUED) -> None:
        for pile in _WITHDRAWABLE.all(self._tx.conn, {"rollout_id": self._row.id}):
            offers.withdraw(self._tx, self._context, self._row, pile.device_id, self._now)
            self._change(pile, to)

    def _able(self, wave: int) -> list[PileRow]:
        """The piles up to that wave that can be offered it at the moment: online, no order, all settled."""
        wanted: dict[str, Any] = {"rollout_id": self._row.id, "wave": wave}
        found: Sequence[PileRow]
        if self._row.release is None:
            found = _ABLE_TO_TAKE_CONFIGURATION.all(self._tx.conn, wanted)
        else:
            found = _ABLE_TO_TAKE_RELEASE.all(self._tx.conn, wanted | {"release": self._row.release})
        return [pile for pile in found if pile_views.is_idle(pile)]

    def _offer(self, able: list[PileRow]) -> int:
        boards: dict[str, BoardRow] = {}
        values: dict[str, Any] = {}
        if self._row.release is not None:
            boards = store.boards(self._tx.conn, self._row.release)
        elif self._row.values_json is not None:
            values = orjson.loads(self._row.values_json)
        for pile in able:
            if self._row.release is None:
                offers.offer_configuration(
                    self._tx, self._context, self._row, values, pile.device_id, self._now
                )
            else:
                board = self._tx.conn.execute(_BOARD_OF, {"device_id": pile.device_id}).scalar_one()
                offers.offer_release(
                    self._tx, self._context, self._row, boards[board], pile.device_id, self._now
                )
            self._set(pile.device_id, states.QUEUED, states.OFFERED, more=1)
        return len(able)

    def _end(self) -> None:
        row = self._row
        to = states.CANCELLED if row.state == states.CANCELLED else states.FINISHED
        kept = None if row.values_json is None else to_json(configuration.masked(row.values_json))
        self._tx.conn.execute(_END, {"of": row.id, "to": to, "now": self._now, "kept": kept})

    def _change(self, pile: RolloutPileRow, to: str, why: str | None = None) -> None:
        self._set(pile.device_id, pile.state, to, why)

    def _set(self, device_id: str, was: str, to: str, why: str | None = None, more: int = 0) -> None:
        self._tx.conn.execute(
            _CHANGE,
            {
                "of": self._row.id,
                "at_pile": device_id,
                "was": was,
                "to": to,
                "stays_open": to in states.OPEN,
                "why": why,
                "more": more,
                "now": self._now,
            },
        )


def _is_over(counted: Counter[str]) -> bool:
    """Whether nothing of a wave is under way, and at least half of it has an outcome."""
    under_way = sum(counted[state] for state in states.UNDER_WAY)
    still_open = sum(counted[state] for state in states.OPEN)
    return not under_way and 2 * still_open <= counted.total()
