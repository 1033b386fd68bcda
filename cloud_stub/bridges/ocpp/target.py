"""The central system: its address, the CA that verifies it, and the piles' passwords."""

import base64
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import structlog

from ...base.problems import invalid

log = structlog.get_logger()

PASSWORD_MAX = 40  # characters; OCPP's AuthorizationKey has 16 to 40


@dataclass(frozen=True)
class Target:
    """The central system. url: without the name of a charge point. tls: None for ws://.

    passwords: for basic authentication, by device id; the password at "" is for all others.
    """

    url: str
    tls: ssl.SSLContext | None = None
    passwords: dict[str, str] = field(default_factory=dict)

    def headers(self, device_id: str) -> dict[str, str]:
        password = self.passwords.get(device_id, self.passwords.get(""))
        if password is None:
            return {}
        pair = base64.b64encode(f"{device_id}:{password}".encode()).decode()
        return {"Authorization": "Basic " + pair}


def make(url: str, ca: Path | None, passwords: dict[str, str]) -> Target:
    """The central system at `url`. Over wss:// its certificate and name are always verified, against `ca` or
    the system's CAs. Raises OSError, ssl.SSLError; Problem (InvalidRequest).
    """
    parts = urlsplit(url)
    if parts.scheme not in ("ws", "wss") or not parts.hostname or parts.query or parts.fragment:
        raise invalid(("--csms", "must be ws://HOST/PATH or wss://HOST/PATH"))
    if parts.username or parts.password:
        raise invalid(("--csms", "must have no password: put it into a file (--password-file)"))
    if parts.scheme == "wss":
        return Target(url, ssl.create_default_context(cafile=ca), passwords)
    if ca is not None:
        raise invalid(("--ca", "is of use with wss:// only"))
    if passwords:
        log.warning(
            "ocpp_password_in_the_clear", hint="ws:// is not encrypted: use it in a closed network only"
        )
    return Target(url, None, passwords)


def read_passwords(file: Path) -> dict[str, str]:
    """The passwords of a file: one of all piles, or a line of device id and password for each pile. Raises
    OSError; Problem (InvalidRequest).
    """
    lines = [line.split() for line in file.read_text().splitlines() if line.strip()]
    is_for_all = len(lines) == 1 and len(lines[0]) == 1
    found = {"": lines[0][0]} if is_for_all else {line[0]: line[-1] for line in lines if len(line) == 2}
    if not found or (not is_for_all and len(found) != len(lines)):
        raise invalid((str(file), "must have one password, or lines of DEVICE-ID and password"))
    if any(len(each) > PASSWORD_MAX or not each.isascii() for each in found.values()):
        raise invalid((str(file), f"a password has at most {PASSWORD_MAX} characters of ASCII"))
    return found
