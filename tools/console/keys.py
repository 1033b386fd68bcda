"""Device keys from a file or from the cloud's database. Without a key, a seal is not checked."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

from cloud_stub.base.os_errors import in_words
from pile_protocol import seal
from pile_protocol.errors import SealError
from tools.console.errors import KeysError

RELOAD_S = 5


class Keys:
    """`load` returns all keys. It is called again for an unknown pile, at most every RELOAD_S."""

    def __init__(self, load: Callable[[], dict[str, bytes]], source: str):
        """Raises KeysError."""
        self.source = source
        self._load = load
        self._keys = load()
        self._loaded_s = time.monotonic()

    def __len__(self) -> int:
        return len(self._keys)

    def get(self, device_id: str) -> bytes | None:
        key = self._keys.get(device_id)
        if key is None and time.monotonic() - self._loaded_s >= RELOAD_S:
            self._loaded_s = time.monotonic()
            try:
                self._keys = self._load()
            except KeysError:  # a file in the middle of an edit: what was read before still holds
                return None
            key = self._keys.get(device_id)
        return key


def none() -> Keys:
    return Keys(dict, "no keys")


def from_file(path: Path) -> Keys:
    """`{"PILE-1": "<64 hex digits>", ...}`. Raises KeysError, which never shows a key."""

    def load() -> dict[str, bytes]:
        try:
            value = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise KeysError(f"{path} cannot be read: {error.strerror}") from error
        except ValueError as error:
            raise KeysError(f"{path} is not JSON") from error
        if not isinstance(value, dict):
            raise KeysError(f'{path} must hold one JSON object: {{"DEVICE-ID": "64 hex digits"}}')
        keys = {}
        for device_id, text in value.items():
            try:
                keys[device_id] = seal.parse_key(str(text))
            except SealError as error:
                raise KeysError(f"{path}: the key of {device_id}: {error}") from error
        return keys

    return Keys(load, path.name)


def from_database() -> Keys:
    """The cloud's, from DATABASE_URL or RATELOCK_DATA; none where no database is yet. Raises KeysError."""
    # Only here: without a database the console needs nothing of the cloud, and starts faster.
    from pydantic import ValidationError
    from sqlalchemy import select
    from sqlalchemy.exc import SQLAlchemyError

    from cloud_stub.db.engine import Store
    from cloud_stub.db.tables import piles
    from cloud_stub.settings import Settings

    try:
        settings = Settings()
    except ValidationError as error:
        raise KeysError(f"the environment: {error.errors()[0]['msg']}") from error
    database = settings.data / "cloud.db"
    if not settings.database_url and not os.access(database, os.R_OK):
        return none()

    def load() -> dict[str, bytes]:
        try:
            store = Store(settings.database)
            try:
                with store.reading.connect() as conn:
                    rows = conn.execute(select(piles.c.device_id, piles.c.key_hex)).all()
            finally:
                store.close()
            return {row.device_id: seal.parse_key(row.key_hex) for row in rows}
        except (SQLAlchemyError, OSError, SealError) as error:
            raise KeysError(f"the keys in the cloud's database cannot be read: {in_words(error)}") from error

    return Keys(load, "database")
