"""Passwords: what may be one, and how they are hashed (argon2id).

A hash takes MEMORY_KIB for some 20 ms of one core. `Passwords` makes all of them on one thread, with a
bounded queue: a flood of sign-ins takes neither the event loop nor more than one core and 20 MB.
"""

import asyncio
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from ..base.problems import invalid, too_many

T = TypeVar("T")

LENGTH_MIN = 10
LENGTH_MAX = 200
WAITING_MAX = 32
MEMORY_KIB = 19_456  # with 2 rounds and 1 lane: the OWASP Password Storage Cheat Sheet's values

_hasher = PasswordHasher(time_cost=2, memory_cost=MEMORY_KIB, parallelism=1)
# Of a password that nobody has: an unknown name takes as long as a known one.
_NOBODYS = "$argon2id$v=19$m=19456,t=2,p=1$jl/4/2uH73OC1IvAIkmLJA$2QX+YdyChWVSyfBNGioR2yjNbEC9D2ssp4lH+kP4+qU"


def check(password: str, name: str, field: str = "password") -> None:
    """Raises Problem (InvalidRequest) for what cannot be the password of the account `name`."""
    if not LENGTH_MIN <= len(password) <= LENGTH_MAX:
        raise invalid((field, f"must have {LENGTH_MIN} to {LENGTH_MAX} characters"))
    if any(unicodedata.category(each) == "Cc" for each in password):
        raise invalid((field, "must have no control characters"))
    if password.lower() == name or len(set(password)) < 4:
        raise invalid((field, "must not be the name, nor a few characters again and again"))


def hashed(password: str) -> str:
    return _hasher.hash(_normal(password))


def is_right(password_hash: str | None, password: str) -> bool:
    """Whether it is the password. None and "": of nobody, which takes as long and is never right."""
    try:
        return _hasher.verify(password_hash or _NOBODYS, _normal(password)) and bool(password_hash)
    except (VerificationError, InvalidHashError):
        return False


def is_outdated(password_hash: str) -> bool:
    """Whether the hash was made with other costs than those of today."""
    return _hasher.check_needs_rehash(password_hash)


def _normal(password: str) -> str:
    """One form of what keyboards write in several, as an e with an accent (NFKC)."""
    return unicodedata.normalize("NFKC", password)


class Passwords:
    """Runs the functions above on a thread of its own. For one event loop."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "passwords")
        self._waiting = 0

    def stop(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def run(self, work: Callable[[], T]) -> T:
        """Raises Problem (TooManyRequests) where WAITING_MAX others wait already."""
        if self._waiting >= WAITING_MAX:
            raise too_many(1)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        finally:
            self._waiting -= 1
