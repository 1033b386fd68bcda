"""What piles say, decoded so that it can be kept and shown: strict JSON, and of it the members known.

Python's json takes and gives NaN, Infinity and halves of characters, which no JSON may contain: one such
value in a pile's message would spoil every answer that shows it.
"""

import math
from typing import Any

from pile_protocol import messages, topics, wire
from pile_protocol.errors import MessageError
from pile_protocol.fields import Array, Nullable, Table

DEPTH_MAX = 20  # of members in members; what is known has 4
SALVAGE_MAX_BYTES = 4 * messages.MESSAGE_MAX_BYTES


def decode(name: str, payload: bytes) -> dict[str, Any]:
    """The message of topic `name`, checked field by field, not its seal. Raises MessageError."""
    said = messages.parse_json(payload)
    _check_showable(said)
    messages.validate(wire.BY_TOPIC[name], said)
    return known(wire.BY_TOPIC[name], said)


def known(check: Any, value: Any) -> Any:
    """The value, which `check` has passed, without members that its tables do not know."""
    if isinstance(check, Nullable):
        return None if value is None else known(check.inner, value)
    if isinstance(check, Array):
        return [known(check.item, item) for item in value]
    if isinstance(check, Table):
        return {name: known(inner, value[name]) for name, _, inner in check.fields if name in value}
    return value


def salvage(payload: bytes) -> dict[str, Any] | None:
    """Those members of a settlement that are right by themselves, the others None.

    None where not even its order and number can be told, or where it is sealed as something else.
    """
    try:
        said = messages.parse_json(payload, SALVAGE_MAX_BYTES)
    except MessageError:
        return None
    found = {
        name: _usable(check, said.get(name)) for name, _, check in wire.BY_TOPIC[topics.SETTLEMENT].fields
    }
    if any(found[name] is None for name in ("kind", "order_id", "seq", "mac")):
        return None
    return found


def _usable(check: Any, value: Any) -> Any:
    try:
        check.check("", value)
    except MessageError:
        return None
    return known(check, value)


def _check_showable(message: dict[str, Any]) -> None:
    """Raises MessageError unless strict JSON in UTF-8 can be made of the message."""
    level: list[Any] = [message]
    for _ in range(DEPTH_MAX):
        below: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                below += each.keys()
                below += each.values()
            elif isinstance(each, list):
                below += each
            elif isinstance(each, str):
                _check_text(each)
            elif isinstance(each, float) and not math.isfinite(each):
                raise MessageError("message", "has a number that JSON has not")
        if not below:
            return
        level = below
    raise MessageError("message", f"has more than {DEPTH_MAX} levels")


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise MessageError("message", "has half a character") from None
