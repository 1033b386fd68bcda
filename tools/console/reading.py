"""Decodes one message: pile, topic, whether it follows the wire's tables, whether its seal is right.

No message makes this raise: `problem` says what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pile_protocol import messages, seal, topics, wire
from pile_protocol.errors import MessageError, SealError, TopicError
from tools.console.capture import Message
from tools.console.formatting import clean

SEALED = frozenset(
    {
        *(topics.ORDER, topics.COMMAND, topics.TIME, topics.SETTLEMENT_ACK, topics.SETTLEMENT),
        *(topics.UPDATE, topics.CONFIG),
    }
)

# What is known of a seal.
UNSEALED = "unsealed"  # a kind of message that has none
UNCHECKED = "unchecked"  # no key at hand
GOOD = "good"
BAD = "bad"

NOT_OURS = "not one of our topics"


@dataclass(frozen=True, slots=True)
class Reading:
    """device_id, name: None of a topic that is not ours. value: the JSON object, where it is one; with a
    `problem` it may still hold anything."""

    message: Message
    device_id: str | None
    name: str | None
    value: dict[str, Any] | None
    problem: str | None
    seal: str

    @property
    def is_trusted(self) -> bool:
        """Whether the value can be trusted: valid, and without a bad seal."""
        return self.problem is None and self.value is not None


def read(message: Message, key_of: Callable[[str], bytes | None]) -> Reading:
    device_id = name = None
    try:
        device_id, name = topics.parse(message.topic)
        wire.DEVICE_ID.check("device_id", device_id)
    except (TopicError, MessageError):
        return Reading(message, None, None, None, NOT_OURS, UNSEALED)
    if not message.payload:
        # An empty message clears a retained one, so it is valid on topics that are retained.
        problem = None if name in (topics.RATE, topics.STATUS) else "empty"
        return Reading(message, device_id, name, None, problem, UNSEALED)
    value = problem = None
    try:
        value = messages.parse_json(message.payload)
        messages.validate(wire.BY_TOPIC[name], value)
        if value.get("device_id", device_id) != device_id:
            problem = "names another pile: " + clean(str(value["device_id"]), 40)
    except MessageError as error:
        problem = clean(str(error), 200)
    state = UNSEALED
    if name in SEALED:
        state, why = _check_seal(message.payload, key_of(device_id))
        problem = problem or why
    return Reading(message, device_id, name, value, problem, state)


def _check_seal(payload: bytes, key: bytes | None) -> tuple[str, str | None]:
    if key is None:
        return UNCHECKED, None
    try:
        seal.check(payload, key)
    except SealError as error:
        return BAD, "bad seal: " + str(error)
    return GOOD, None
