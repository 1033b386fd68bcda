"""The types of the rows of release_tables.py; see rows.py."""

from typing import NamedTuple


class ReleaseRow(NamedTuple):
    """A row of `releases`."""

    number: int
    version: str
    digest: str
    size_bytes: int
    added_at: int
    removed_at: int | None


class BoardRow(NamedTuple):
    """A row of `release_boards`."""

    number: int
    board: str
    mpy: str
    manifest: str
    signature: str
    total_bytes: int


class FirmwareRow(NamedTuple):
    """A row of `pile_firmware`."""

    device_id: str
    release: int
    board: str
    mpy: str
    on_trial: bool
    fell_back_release: int | None
    fell_back_reason: str | None
    told_at: int


class RolloutRow(NamedTuple):
    """A row of `rollouts`."""

    id: int
    release: int | None
    values_json: str | None
    again: bool
    selection: str
    waves_json: str
    lost_max: int
    forgiven: int
    state: str
    wave: int
    halted_why: str | None
    created_at: int
    deadline_at: int
    ended_at: int | None


class RolloutPileRow(NamedTuple):
    """A row of `rollout_piles`."""

    rollout_id: int
    device_id: str
    wave: int
    state: str
    reason: str | None
    open: bool
    attempts: int
    done_bytes: int | None
    total_bytes: int | None
    changed_at: int
