"""Out of service, switched in Home Assistant: by the cloud's own function, with a line in the audit trail.

It can take a connector out of service, and put back a connector that it has taken out itself. A connector
that an operator took out stays out. It can neither start nor stop orders, nor change prices.

    refused: Retained Malformed UnknownPile UnknownConnector PileRemoved TakenOutByOperator TooMany, or the
    name of the database's error
"""

import queue
from collections import Counter

import structlog
from sqlalchemy.exc import DBAPIError

from ...base.budgets import Budget
from ...base.clock import now_s
from ...base.problems import Problem
from ...db import audit
from ...db.audit import Actor
from ...db.engine import Store
from ...db.writer import Transaction
from ...orders.context import Context
from .. import availability
from .entities import OFF, ON, Topics

log = structlog.get_logger()

ACTOR = Actor(audit.CLOUD, "home-assistant")
NOTE = "Home Assistant"
WAITING_MAX = 100
BUDGET = (6, 10)  # for each connector: commands at once; then seconds for each further one


class Switch:
    """`receive` is called on the link's thread, `act` on the bridge's. `refused`: how often, by reason."""

    def __init__(self, store: Store, context: Context, topics: Topics):
        self._store = store
        self._context = context
        self._topics = topics
        self._waiting: queue.Queue[tuple[str, int, bool]] = queue.Queue(WAITING_MAX)
        self._budget = Budget(*BUDGET)
        self.refused: Counter[str] = Counter()

    def subscription(self) -> tuple[str, int]:
        return self._topics.command("+", "+"), 0

    def is_command(self, topic: str) -> bool:
        return topic.endswith("/out_of_service/set")

    def receive(self, topic: str, payload: bytes, retained: bool) -> None:
        """Keep a command for `act`. A retained one is refused: it would act again at each connection."""
        device_id, connector = topic.split("/")[-4:-2]
        if retained:
            self.refused["Retained"] += 1
        elif payload not in (ON, OFF):
            self.refused["Malformed"] += 1
        elif not (connector.isascii() and connector.isdigit() and len(connector) < 3 and connector != "0"):
            self.refused["UnknownConnector"] += 1
        else:
            try:
                self._waiting.put_nowait((device_id, int(connector), payload == ON))
            except queue.Full:
                self.refused["TooMany"] += 1

    def act(self) -> None:
        """Carry out what waits."""
        while True:
            try:
                device_id, connector, is_out = self._waiting.get_nowait()
            except queue.Empty:
                return
            reason = self._switched(device_id, connector, is_out)
            if reason is not None:
                self.refused[reason] += 1
                log.warning("command_refused", reason=reason, device_id=device_id[:40], connector=connector)

    def _switched(self, device_id: str, connector: int, is_out: bool) -> str | None:
        """Returns None, or the reason of a refusal."""
        try:
            with self._store.writing.begin() as conn:
                return self._switch(Transaction(conn), device_id, connector, is_out)
        except Problem as problem:
            return problem.code
        except DBAPIError as error:
            return type(error).__name__

    def _switch(self, tx: Transaction, device_id: str, connector: int, is_out: bool) -> str | None:
        """Raises Problem: UnknownPile, PileRemoved, UnknownConnector."""
        if not self._budget.take((device_id, connector)):
            return "TooMany"
        is_done = availability.switch(tx, ACTOR, self._context, device_id, connector, is_out, NOTE, now_s())
        return None if is_done else "TakenOutByOperator"
