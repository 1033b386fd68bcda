"""Messages of piles, decoded: strict JSON, reduced to the members that the protocol knows.

orjson is strict. Python's json accepts NaN, Infinity and lone surrogates; one of them in a stored message
would make every answer that contains it invalid JSON.
"""

from collections.abc import Callable
from typing import Any

import orjson

from pile_protocol import messages, topics, wire
from pile_protocol.errors import MessageError
from pile_protocol.fields import Array, Nullable, Table

SALVAGE_MAX_BYTES = 4 * messages.MESSAGE_MAX_BYTES

_Keeper = Callable[[Any], Any]


def decode(name: str, payload: bytes) -> dict[str, Any]:
    """The message of topic `name`, checked field by field, not its seal. Raises MessageError."""
    message = messages.parse_json(payload, loads=orjson.loads)
    messages.validate(wire.BY_TOPIC[name], message)
    return _KEEPERS[name](message)


def salvage(payload: bytes) -> dict[str, Any] | None:
    """The members of a settlement that are valid by themselves; the others are None.

    Returns None if order id, number or mac is unusable, or if the message is sealed as another kind. Parsed
    with Python's json, which accepts more than orjson: each member is checked on its own.
    """
    try:
        message = messages.parse_json(payload, SALVAGE_MAX_BYTES)
    except MessageError:
        return None
    found = {name: _usable(check, keep, message.get(name)) for name, check, keep in _SALVAGED}
    if any(found[name] is None for name in ("kind", "order_id", "seq", "mac")):
        return None
    return found


def _usable(check: Any, keep: _Keeper | None, value: Any) -> Any:
    try:
        check.check("", value)
    except MessageError:
        return None
    return keep(value) if keep else value


def _keeper(check: Any) -> _Keeper | None:
    """A function that removes the members that the tables do not know from a value that `check` has passed.

    None if nothing can be removed.
    """
    if isinstance(check, Nullable):
        inner = _keeper(check.inner)
        return inner and (lambda value: None if value is None else inner(value))
    if isinstance(check, Array):
        item = _keeper(check.item)
        return item and (lambda value: [item(each) for each in value])
    if isinstance(check, Table):
        return _table_keeper(check)
    return None


def _table_keeper(table: Table) -> _Keeper:
    names = [name for name, _, _ in table.fields]
    inner = [(name, keep) for name, _, check in table.fields if (keep := _keeper(check))]

    def keep_known(value: dict[str, Any]) -> dict[str, Any]:
        kept = {name: value[name] for name in names if name in value}
        for name, keep in inner:
            if name in kept:
                kept[name] = keep(kept[name])
        return kept

    return keep_known


_SALVAGED = [(name, check, _keeper(check)) for name, _, check in wire.BY_TOPIC[topics.SETTLEMENT].fields]
_KEEPERS = {name: _table_keeper(table) for name, table in wire.BY_TOPIC.items() if isinstance(table, Table)}
