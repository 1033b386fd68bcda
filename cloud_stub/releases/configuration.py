"""The values of a configuration over the air: checked here as the pile checks them, masked when shown."""

import json
import ssl
from typing import Any

from pile_protocol import messages, updates, wire
from pile_protocol.errors import MessageError

from ..base.problems import invalid
from ..db.engine import to_json

_CONFIG: Any = wire.CONFIG
_VALUES = next(check for name, _, check in _CONFIG.fields if name == "values")
_REST_MAX_BYTES = 400  # of the message around the values: names, longest device id, times, mac


def check(values: dict[str, Any]) -> None:
    """Raises Problem (InvalidRequest) naming the value that no pile would take."""
    if not values:
        raise invalid(("config", "has no value to change"))
    try:
        messages.validate(_VALUES, values)
    except MessageError as error:
        raise invalid((f"config.{error.field}" if error.field else "config", error.reason)) from error
    if len(to_json(values).encode()) > updates.CONFIG_MAX_BYTES - _REST_MAX_BYTES:
        raise invalid(("config", f"has more than {updates.CONFIG_MAX_BYTES - _REST_MAX_BYTES} bytes"))
    if values.get("ca") is not None:
        _check_ca(values["ca"])


def _check_ca(ca: str) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=ca)
    except (ssl.SSLError, ValueError) as error:
        raise invalid(("config.ca", "is no certificate in PEM form")) from error


def masked(values_json: str) -> dict[str, Any]:
    """The values without the password, for people."""
    values = json.loads(values_json)
    if values.get("wifi2"):
        values["wifi2"] = values["wifi2"] | {"password": "***"}
    return values
