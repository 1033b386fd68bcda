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
from typing import NamedTuple

from . import broker_acl
from .broker_acl import MONITOR_PREFIX

# mosquitto_passwd's own number. More would not help: the passwords here are random keys of 256 bits.
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
    """Write these users with their passwords into the file, and remove all others unless `keep_others`.

    Lines that are right already stay as they are; an unchanged file is not touched.
    """
    with _locked(path):
        _update(path, passwords, keep_others)


class Users(NamedTuple):
    """All who may connect: with their passwords, or with the lines of the file that were made before."""

    passwords: Mapping[str, str]
    lines: Mapping[str, str]


def sync(path: Path, read: Callable[[], Users]) -> None:
    """Write the users of `read`, and remove all others. `read` is called under the lock, so that its answer
    contains the changes of earlier writers.
    """
    with _locked(path):
        users = read()
        _update(path, users.passwords, keep_others=False, others=users.lines)


def write_line(path: Path, line: str) -> None:
    """Write one user by a line that password_line() has made."""
    with _locked(path):
        old = _read(path)
        _replace(path, old, old | {line.partition(":")[0]: line})


def remove(path: Path, username: str) -> None:
    """Remove this user from the file."""
    with _locked(path):
        old = _read(path)
        if username in old:
            _replace(path, old, {name: line for name, line in old.items() if name != username})


def usernames(path: Path) -> list[str]:
    """The users in the file; none where there is no such file."""
    return list(_read(path))


def _update(
    path: Path, passwords: Mapping[str, str], keep_others: bool, others: Mapping[str, str] | None = None
) -> None:
    old = _read(path)
    lines = dict(old if keep_others else others or {})
    for username, password in passwords.items():
        line = old.get(username)
        lines[username] = (
            line if line and matches(line, username, password) else password_line(username, password)
        )
    if lines != old:
        _replace(path, old, lines)


def _hashed(password: str, salt: bytes, iterations: int) -> str:
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, iterations, _HASH_BYTES)
    return f"$7${iterations}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def _read(path: Path) -> dict[str, str]:
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError:
        return {}
    return {line.partition(":")[0]: line for line in lines if ":" in line}


def _replace(path: Path, old: Mapping[str, str], lines: Mapping[str, str]) -> None:
    """The access list first: a broker that reads the passwords anew reads both."""
    if _monitors(old) != _monitors(lines):
        broker_acl.write(path.parent, lines)
    made = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w") as file:
        file.writelines(line + "\n" for line in lines.values())
        file.flush()
        os.fsync(descriptor)
        if path.exists() and os.geteuid() == 0:  # it may belong to the broker's own user
            os.fchown(descriptor, path.stat().st_uid, path.stat().st_gid)
    made.replace(path)


def _monitors(lines: Mapping[str, str]) -> set[str]:
    return {name for name in lines if name.startswith(MONITOR_PREFIX)}


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with open(os.open(path.with_name(path.name + ".lock"), os.O_CREAT | os.O_RDWR, 0o600)) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
