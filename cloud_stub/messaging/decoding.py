"""Messages of piles, decoded: strict JSON, reduced to the members that the protocol knows.

orjson is strict. Python's json accepts NaN, Infinity and lone surrogates; one of them in a stored message
would make every answer that contains it invalid JSON.
"""

from collections.abc import Callable
from typing import Any

import orjson
import structlog

from pile_protocol import messages, topics, wire
from pile_protocol.errors import MessageError
from pile_protocol.fields import Array, Nullable, Table

log = structlog.get_logger()

SALVAGE_MAX_BYTES = 4 * messages.MESSAGE_MAX_BYTES

_Keeper = Callable[[Any], Any]


def decode(name: str, payload: bytes) -> dict[str, Any]:
    """The message of topic `name`, checked field by field, not its seal. Raises MessageError.

    A measurement of a status that is out of its bounds is left out: the rest still tells that the pile is
    there.
    """
    message = messages.parse_json(payload, loads=orjson.loads)
    if name == topics.STATUS:
        message = _without_unusable_measurements(message)
    messages.validate(wire.BY_TOPIC[name], message)
    return _KEEPERS[name](message)


def _without_unusable_measurements(status: dict[str, Any]) -> dict[str, Any]:
    unusable = [
        name for name, check in _MEASUREMENTS.items() if name in status and not _is_valid(check, status[name])
    ]
    if unusable:
        log.warning("status_members_dropped", members=unusable)
    return {name: value for name, value in status.items() if name not in unusable}


def salvage(payload: bytes) -> dict[str, Any] | None:
    """The members of a settlement that are valid by themselves; the others are None, or left out where the
    settlement may leave them out and does.

    Returns None if order id, number or mac is unusable, or if the message is sealed as another kind. Parsed
    with Python's json, which accepts more than orjson: each member is checked on its own.
    """
    try:
        message = messages.parse_json(payload, SALVAGE_MAX_BYTES)
    except MessageError:
        return None
    found = {
        name: _usable(check, keep, message.get(name))
        for name, optional, check, keep in _SALVAGED
        if name in message or not optional
    }
    if any(found[name] is None for name in ("kind", "order_id", "seq", "mac")):
        return None
    return found


def _is_valid(check: Any, value: Any) -> bool:
    try:
        check.check("", value)
    except MessageError:
        return False
    return True


def _usable(check: Any, keep: _Keeper | None, value: Any) -> Any:
    if not _is_valid(check, value):
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


# What a pile measures and does not decide: whatever a status may lack, but its connectors.
_MEASUREMENTS = {
    name: check
    for name, is_optional, check in wire.BY_TOPIC[topics.STATUS].fields
    if is_optional and name != "connectors"
}
_SALVAGED = [
    (name, optional, check, _keeper(check))
    for name, optional, check in wire.BY_TOPIC[topics.SETTLEMENT].fields
]
_KEEPERS = {name: _table_keeper(table) for name, table in wire.BY_TOPIC.items() if isinstance(table, Table)}
