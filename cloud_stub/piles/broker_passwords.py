"""The broker's password file, in mosquitto's own format, kept from the device table.

    username:$7$<iterations>$<base64 salt>$<base64 PBKDF2-HMAC-SHA512>

Replaced as a whole by a rename, so the broker never reads half a file; writers take turns by a lock file.
"""

import base64
import fcntl
import hashlib
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

CLOUD_USER = "cloud"  # who may read and write every pile's topics; no pile may be called that

# mosquitto_passwd's own number. The passwords here are random keys of 256 bits: there is nothing to stretch.
_ITERATIONS = 101
_SALT_BYTES = 12
_HASH_BYTES = 64


def password_line(username: str, password: str) -> str:
    """One line of the file, without its end."""
    salt = secrets.token_bytes(_SALT_BYTES)
    return f"{username}:{_hashed(password, salt, _ITERATIONS)}"


def matches(line: str, username: str, password: str) -> bool:
    """Whether `line` accepts this user with this password."""
    name, _, hashed = line.partition(":")
    try:
        _, kind, iterations, salt, _ = hashed.split("$")
        again = _hashed(password, base64.b64decode(salt, validate=True), int(iterations))
    except ValueError:
        return False
    return name == username and kind == "7" and secrets.compare_digest(hashed, again)


def write(path: Path, passwords: Mapping[str, str], keep_others: bool = False) -> None:
    """Write these users into the file, and remove all others unless `keep_others`.

    Lines that are right already stay as they are; an unchanged file is not touched.
    """
    with _locked(path):
        _update(path, passwords, keep_others)


def sync(path: Path, read: Callable[[], Mapping[str, str]]) -> None:
    """Write the users of `read`, and remove all others. `read` is called under the lock, so that its answer
    contains the changes of earlier writers.
    """
    with _locked(path):
        _update(path, read(), keep_others=False)


def remove(path: Path, username: str) -> None:
    """Remove this user from the file."""
    with _locked(path):
        lines = _read(path)
        if lines.pop(username, None) is not None:
            _replace(path, lines)


def _update(path: Path, passwords: Mapping[str, str], keep_others: bool) -> None:
    old = _read(path)
    lines = dict(old) if keep_others else {}
    for username, password in passwords.items():
        line = old.get(username)
        lines[username] = (
            line if line and matches(line, username, password) else password_line(username, password)
        )
    if lines != old:
        _replace(path, lines)


def _hashed(password: str, salt: bytes, iterations: int) -> str:
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, iterations, _HASH_BYTES)
    return f"$7${iterations}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def _read(path: Path) -> dict[str, str]:
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError:
        return {}
    return {line.partition(":")[0]: line for line in lines if ":" in line}


def _replace(path: Path, lines: Mapping[str, str]) -> None:
    made = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w") as file:
        file.writelines(line + "\n" for line in lines.values())
        file.flush()
        os.fsync(descriptor)
        if path.exists() and os.geteuid() == 0:  # it may belong to the broker's own user
            os.fchown(descriptor, path.stat().st_uid, path.stat().st_gid)
    made.replace(path)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with open(os.open(path.with_name(path.name + ".lock"), os.O_CREAT | os.O_RDWR, 0o600)) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
