"""A pile as a charge point: the state that is kept across connections, shared by calls and answers."""

import asyncio
from collections import Counter
from typing import Any, NamedTuple

from .database import Database
from .errors import GatewayError

CONNECTING, PENDING, REJECTED, ACCEPTED = "Connecting", "Pending", "Rejected", "Accepted"
HEARTBEAT_S = 300  # unless the central system sets another interval


class Timing(NamedTuple):
    """Seconds; tests use shorter ones."""

    answer_s: float = 30  # timeout of an answer
    retry_s: float = 10  # after a refusal, times the number of refusals
    reconnect_min_s: float = 1
    reconnect_max_s: float = 300
    poll_s: float = 1
    frame_s: int = 1


class Pile(NamedTuple):
    """What is sent to the central system about the pile itself."""

    device_id: str
    connectors: int
    boot: tuple[tuple[str, str], ...]  # members of BootNotification; a changed value is sent again
    boots: int | None
    statuses: tuple[dict[str, Any], ...]  # members of StatusNotification, by connector


class Station:
    """A pile as a charge point: the state that is kept across connections."""

    def __init__(self, pile: Pile, database: Database, timing: Timing):
        self.pile = pile
        self.device_id = pile.device_id
        self.state = CONNECTING
        self.errors: Counter[str] = Counter()  # by kind, since they were last stored
        self.last_error: str | None = None
        self.heartbeat_s = HEARTBEAT_S
        self.retry_s = int(timing.retry_s)
        self.timing = timing
        self.is_due = False
        self.news = asyncio.Event()
        self.triggered: dict[tuple[str, int | None], None] = {}
        self.database = database

    @property
    def connectors(self) -> int:
        return self.pile.connectors

    def update(self, pile: Pile, is_due: bool) -> None:
        """Take over what was read from the database."""
        changed = pile != self.pile
        self.pile, self.is_due = pile, is_due
        if changed or is_due:
            self.news.set()

    def trigger(self, message: str, connector: int | None) -> None:
        of_connector = message in ("StatusNotification", "MeterValues")
        self.triggered[message, connector if of_connector else None] = None
        self.news.set()

    def count(self, error: GatewayError) -> None:
        self.errors[error.kind] += 1
        self.last_error = str(error)
