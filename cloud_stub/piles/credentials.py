"""Who may connect to the broker: the cloud, every pile that is not removed, and read-only logins."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import select

from pile_protocol import seal

from ..db.engine import Store
from ..db.rows import Query
from ..db.tables import piles as piles_table
from ..settings import Settings
from . import broker_passwords, monitors
from .broker_acl import CLOUD_USER


class _PileKey(NamedTuple):
    device_id: str
    key_hex: str


_ADMITTED = Query(
    select(piles_table.c.device_id, piles_table.c.key_hex).where(piles_table.c.removed_at.is_(None)),
    _PileKey,
)


def sync_credentials(store: Store, settings: Settings) -> None:
    """Write the broker's password file with all who may connect: the cloud, every pile, read-only logins."""

    def users() -> broker_passwords.Users:
        with store.reading.connect() as conn:
            rows = _ADMITTED.all(conn)
            lines = monitors.lines(conn)
        of_piles = {row.device_id: seal.mqtt_password(seal.parse_key(row.key_hex)) for row in rows}
        return broker_passwords.Users(_cloud_user(settings) | of_piles, lines)

    broker_passwords.sync(_password_file(settings), users)


def admit(settings: Settings, device_id: str, key: bytes) -> None:
    """Add one pile to the broker's password file, which this may be the first to make."""
    admit_many(settings, {device_id: key})


def admit_many(settings: Settings, keys: Mapping[str, bytes]) -> None:
    """Add piles, by id with their keys."""
    passwords = {device_id: seal.mqtt_password(key) for device_id, key in keys.items()}
    broker_passwords.write(_password_file(settings), _cloud_user(settings) | passwords, keep_others=True)


def admit_monitor(settings: Settings, line: str) -> None:
    """Add one read-only login by its line of the password file."""
    admit_many(settings, {})  # this may be the first to make the file
    broker_passwords.write_line(_password_file(settings), line)


def revoke(settings: Settings, username: str) -> None:
    """Take one pile or read-only login out of the broker's password file; a broker that reads it ends the
    connection.
    """
    broker_passwords.remove(_password_file(settings), username)


def _password_file(settings: Settings) -> Path:
    return settings.broker_folder / "passwd"


def _cloud_user(settings: Settings) -> dict[str, str]:
    return {CLOUD_USER: settings.read_mqtt_password()}
