"""The values of a configuration over the air: checked here as the pile checks them, masked when shown."""

import json
import re
import ssl
from typing import Any

from pile_protocol import messages, updates, wire
from pile_protocol.errors import MessageError

from ..base.problems import invalid
from ..db.engine import to_json

_CONFIG: Any = wire.CONFIG
_VALUES = next(check for name, _, check in _CONFIG.fields if name == "values")
WIFI_PASSWORD_MIN = 8  # of WPA; with a shorter one the pile goes on in its first network, and nobody is told
_HOST = re.compile(r"[A-Za-z0-9._-]+")
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
    for field, host in (
        ("broker.host", (values.get("broker") or {}).get("host")),
        ("ntp", values.get("ntp")),
    ):
        if host is not None and not _HOST.fullmatch(host):
            raise invalid(
                (f"config.{field}", "is no host name or address (no port; letters beyond ASCII as xn--...)")
            )
    if 0 < len((values.get("wifi2") or {}).get("password") or "") < WIFI_PASSWORD_MIN:
        raise invalid(
            ("config.wifi2.password", f"must be empty or have at least {WIFI_PASSWORD_MIN} characters")
        )
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
