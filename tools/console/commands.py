"""The two commands a person may send: stop an order, reset a fault. Both are sealed with the pile's key."""

from __future__ import annotations

import time

from pile_protocol import messages, seal, topics
from tools.console.errors import CommandError

LIFE_S = 300


def stop(device_id: str, order_id: str, key: bytes) -> tuple[str, bytes]:
    """(topic, payload) that ends an order at the pile."""
    return _sealed(device_id, {"action": "stop", "order_id": order_id}, key)


def reset(device_id: str, connector: int, key: bytes) -> tuple[str, bytes]:
    """(topic, payload) that clears the fault of a connector, if it was latched before now."""
    return _sealed(device_id, {"action": "reset", "connector": connector}, key)


def _sealed(device_id: str, what: dict[str, str | int], key: bytes) -> tuple[str, bytes]:
    """Raises CommandError where the pile would not understand it."""
    now = time.time_ns() // 1_000_000_000
    command = {
        "kind": "command",
        "device_id": device_id,
        **what,
        "issued_at": now,
        "expires_at": now + LIFE_S,
    }
    payload = seal.seal(messages.encode(command), key)
    try:
        messages.decode(topics.COMMAND, payload)
    except messages.MessageError as error:
        raise CommandError(f"this command cannot be sent: {error}") from error
    return topics.topic(device_id, topics.COMMAND), payload
