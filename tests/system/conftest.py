"""Orders made by hand: what only an attacker, a delay or a fault would send to a pile."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Any

import pytest

from pile_protocol import messages, seal, topics
from tests.sim import SimPile
from tests.tap import Tap


class Forger:
    """Publishes to one pile with the cloud's rights on the broker; whether with its key, the test decides."""

    def __init__(self, pile: SimPile, tap: Tap):
        self.pile = pile
        self._tap = tap

    def order(self, **changes: Any) -> dict[str, Any]:
        """An order that the pile would take, but for `changes`; None removes a member."""
        now = int(time.time())
        rate = {
            "rate_id": "r-forged",
            "currency": "CNY",
            "minor_digits": 2,
            "session_fee_minor": 0,
            "steps": [[now - 10, 500_000, 300_000, "flat"]],
            "until_at": now + 7_200,
        }
        order: dict[str, Any] = {
            "kind": "order",
            "device_id": self.pile.device_id,
            "connector": 1,
            "order_id": "x-" + secrets.token_hex(8),
            "issued_at": now,
            "expires_at": now + 60,
            "limits": {"duration_s": 3_600},
            "rate": rate,
        }
        for name, value in changes.items():
            where = order["rate"] if name in rate else order
            where[name] = value
            if value is None:
                del where[name]
        return order

    def send(self, name: str, message: dict[str, Any], key: bytes | None = None) -> bytes:
        """Seals with the pile's key, or another, and publishes to the pile's topic `name`."""
        sealed = seal.seal(messages.encode(message), key or self.pile.key)
        self.send_bytes(name, sealed)
        return sealed

    def send_bytes(self, name: str, payload: bytes) -> None:
        self._tap.excuse(lambda seen: seen.payload == payload)
        self._tap.publish(self.pile.device_id, name, payload)

    def reason(self, order_id: str | None, but: str = "") -> str:
        """Why the pile rejected that order, for another reason than `but`."""
        return self._tap.wait_for(
            self.pile.device_id,
            topics.ORDER_STATUS,
            lambda m: m["order_id"] == order_id and m["state"] == "Rejected" and m["reason"] != but,
        )["reason"]

    def state(self, order_id: str, state: str) -> dict[str, Any]:
        """Waits until the pile has told that state of that order."""
        return self._tap.wait_for(
            self.pile.device_id,
            topics.ORDER_STATUS,
            lambda m: m["order_id"] == order_id and m["state"] == state,
        )

    def status(self, matches: Callable[[Any], bool]) -> dict[str, Any]:
        """The pile's next status that `matches`; asks it for reports meanwhile."""
        now = int(time.time())
        report = {
            "kind": "command",
            "device_id": self.pile.device_id,
            "action": "report",
            "issued_at": now,
            "expires_at": now + 300,
        }
        before = self._tap.count
        for _ in range(100):
            self.send(topics.COMMAND, report)
            try:
                return self._tap.wait_for(
                    self.pile.device_id, topics.STATUS, lambda m: m["online"] and matches(m), 0.3, before
                )
            except TimeoutError:
                self.pile.check_alive()
        last = self._tap.of(self.pile.device_id, topics.STATUS)[-1].json()
        raise TimeoutError(f"the pile never had that status; the last was {last}")

    def wait_until_its_clock_shows(self, at: int) -> None:
        """Returns once the pile's own clock has come to `at` (Unix seconds)."""
        self.status(lambda m: (m["at"] or 0) >= at)


@pytest.fixture
def forger(pile: Any, tap: Tap) -> Forger:
    """A pile of its own, ready for forged messages."""
    made = Forger(pile(speed=600), tap)
    made.status(lambda m: m["clock"] == "Cloud")
    return made
