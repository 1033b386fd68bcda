"""The broker's password file, in mosquitto's own format.

A line is `user:$7$<iterations>$<base64 salt>$<base64 hash>`: PBKDF2-HMAC-SHA512, 12 bytes of salt, 64 of hash.
"""

import base64
import hashlib
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

# mosquitto_passwd's own number. The passwords here are 256 random bits, which need no stretching.
ITERATIONS = 101
SALT_BYTES = 12  # mosquitto 2.0 takes no other length


def password_line(username: str, password: str) -> str:
    """One line of the file, without its line end."""
    salt = secrets.token_bytes(SALT_BYTES)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, ITERATIONS)
    return f"{username}:$7${ITERATIONS}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def write(path: Path, passwords: Mapping[str, str]) -> None:
    """Replaces the file at once, readable by its owner only: a reader sees the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    text = "".join(password_line(name, password) + "\n" for name, password in passwords.items())
    with open(new, "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, path)
