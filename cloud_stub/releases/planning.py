"""Which piles a rollout reaches, which it leaves out and why, and in which wave each is.

Reasons to be left out:

    TellsNoRelease   its hello tells no release, so it cannot be updated over the air
    WrongBoard       the release has nothing for its board
    WrongMpy         the release is compiled for another MicroPython than it runs
    RunsIt           it runs the release already
    RunsNewer        it runs a release with a higher number, and no pile goes back over the air
    FellBackBefore   it went back from this release, and the rollout does not say `again`
    InRollout        another rollout that has not ended has it
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, and_, select

from ..base.problems import invalid
from ..db import json_lists
from ..db.engine import to_json
from ..db.release_rows import BoardRow
from ..db.release_tables import pile_firmware, rollout_piles
from ..db.rows import Query
from ..db.tables import piles

WAVES_MAX = 20
RUNS_IT = "RunsIt"
RUNS_NEWER = "RunsNewer"


class Candidate(NamedTuple):
    """A pile that a rollout selects; the members after `online` are None where its hello tells no release."""

    device_id: str
    name: str
    online: bool
    release: int | None
    board: str | None
    mpy: str | None
    fell_back_release: int | None
    rollout_id: int | None  # of the rollout that has it


class Placed(NamedTuple):
    """A candidate's wave, from 1; 0 where it is left out, for `reason`."""

    pile: Candidate
    wave: int
    reason: str | None


_OF_FIRMWARE = (
    pile_firmware.c[name].label(name) for name in ("release", "board", "mpy", "fell_back_release")
)
_CANDIDATES = Query(
    select(
        piles.c.device_id,
        piles.c.name,
        piles.c.online,
        *_OF_FIRMWARE,  # labelled, as they are null where the join finds nothing
        rollout_piles.c.rollout_id.label("rollout_id"),
    )
    .select_from(piles)
    .outerjoin(pile_firmware, pile_firmware.c.device_id == piles.c.device_id)
    .outerjoin(rollout_piles, and_(rollout_piles.c.device_id == piles.c.device_id, rollout_piles.c.open))
    .where(piles.c.device_id.in_(json_lists.texts("device_ids")), piles.c.removed_at.is_(None))
    .order_by(piles.c.device_id),
    Candidate,
)


def candidates(conn: Connection, device_ids: Iterable[str]) -> Sequence[Candidate]:
    """Those of the piles that exist, by id."""
    return _CANDIDATES.all(conn, {"device_ids": to_json(list(device_ids))})


def reason_left_out(
    pile: Candidate, release: int | None, boards: dict[str, BoardRow], again: bool
) -> str | None:
    """Why the pile takes no part; None where it does. release: None for a configuration."""
    if pile.release is None or pile.board is None:
        return "TellsNoRelease"
    if release is not None:
        if pile.board not in boards:
            return "WrongBoard"
        if boards[pile.board].mpy != pile.mpy:
            return "WrongMpy"
        if pile.release >= release:
            return RUNS_IT if pile.release == release else RUNS_NEWER
        if pile.fell_back_release == release and not again:
            return "FellBackBefore"
    return "InRollout" if pile.rollout_id is not None else None


def place(
    found: Sequence[Candidate],
    release: int | None,
    boards: dict[str, BoardRow],
    again: bool,
    waves: list[str],
) -> list[Placed]:
    """Each candidate in its wave: those online first, as a wave of absent piles would show nothing."""
    reasons = {pile.device_id: reason_left_out(pile, release, boards, again) for pile in found}
    taking_part = sorted(
        (pile for pile in found if reasons[pile.device_id] is None), key=lambda pile: not pile.online
    )
    placed = []
    sizes = wave_sizes(waves, len(taking_part))
    ends = [sum(sizes[: number + 1]) for number in range(len(sizes))]
    for place, pile in enumerate(taking_part):
        wave = next(number for number, end in enumerate(ends, 1) if place < end)
        placed.append(Placed(pile, wave, None))
    left_out = [pile for pile in found if reasons[pile.device_id] is not None]
    return placed + [Placed(pile, 0, reasons[pile.device_id]) for pile in left_out]


def wave_sizes(waves: list[str], total: int) -> list[int]:
    """How many of `total` piles each wave has. waves: "5" piles or "10%" of all, rounded up, each.

    The piles that are left make one more wave. Raises Problem (InvalidRequest).
    """
    if len(waves) > WAVES_MAX:
        raise invalid(("waves", f"has at most {WAVES_MAX} entries"))
    sizes = []
    for wave in waves:
        number = wave.removesuffix("%")
        if not (number.isascii() and number.isdecimal() and len(number) <= 6 and int(number)):
            raise invalid(("waves", f"{wave[:20]!r} is neither a number of piles nor a percentage"))
        if wave.endswith("%") and int(number) > 100:
            raise invalid(("waves", f"{wave} is more than all piles"))
        wanted = -(-total * int(number) // 100) if wave.endswith("%") else int(number)
        sizes.append(min(wanted, total - sum(sizes)))
    return [size for size in [*sizes, total - sum(sizes)] if size]
