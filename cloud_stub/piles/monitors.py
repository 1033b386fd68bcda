"""Read-only MQTT logins, for programs that watch the piles: MQTT Explorer, Node-RED, Grafana, a shell.

A login is `monitor.<name>`: no device id has a dot. The broker lets it read what piles and cloud tell each
other (broker_acl.MONITORED) and write nothing. It is stored as the line of the broker's password file, so its
password cannot be shown again.
"""

from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, delete, func, insert, select

from ..base.problems import Problem
from ..base.tokens import new_token
from ..db import audit
from ..db.audit import Actor
from ..db.pile_tables import monitor_logins
from ..db.rows import Query
from ..db.writer import Transaction
from . import broker_passwords
from .broker_acl import MONITOR_PREFIX as PREFIX

NAME = r"^[a-z0-9_-]{1,24}$"
LOGINS_MAX = 50


class MonitorRow(NamedTuple):
    """A row of `monitor_logins`."""

    name: str
    password_line: str
    created_by: str
    created_at: int


_ALL = Query(select(monitor_logins).order_by(monitor_logins.c.name), MonitorRow)
_ONE = Query(select(monitor_logins).where(monitor_logins.c.name == bindparam("name")), MonitorRow)
_COUNT = select(func.count()).select_from(monitor_logins)
_ADD = insert(monitor_logins)
_REMOVE = delete(monitor_logins).where(monitor_logins.c.name == bindparam("this"))


def add(tx: Transaction, actor: Actor, name: str, now: int) -> dict[str, Any]:
    """A new login; only this answer has its password. name: as NAME.

    Raises Problem: MonitorExists, TooManyMonitors.
    """
    if _ONE.first(tx.conn, {"name": name}) is not None:
        raise Problem(409, "MonitorExists", "A read-only login has that name; remove it first", name=name)
    if tx.conn.execute(_COUNT).scalar_one() >= LOGINS_MAX:
        raise Problem(409, "TooManyMonitors", f"There are {LOGINS_MAX} read-only logins; remove some")
    password = new_token()
    row = MonitorRow(name, broker_passwords.password_line(PREFIX + name, password), actor.name, now)
    tx.conn.execute(_ADD, row._asdict())
    audit.record(tx.conn, actor, now, "MonitorAdded", account=PREFIX + name)
    return view(row) | {"password": password}


def remove(tx: Transaction, actor: Actor, name: str, now: int) -> None:
    """Raises Problem (UnknownMonitor)."""
    if not tx.conn.execute(_REMOVE, {"this": name}).rowcount:
        raise Problem(404, "UnknownMonitor", "There is no such read-only login", name=name)
    audit.record(tx.conn, actor, now, "MonitorRemoved", account=PREFIX + name)


def list_views(conn: Connection) -> list[dict[str, Any]]:
    return [view(row) for row in _ALL.all(conn)]


def view(row: MonitorRow) -> dict[str, Any]:
    return {"username": PREFIX + row.name, "created_by": row.created_by, "created_at": row.created_at}


def lines(conn: Connection) -> dict[str, str]:
    """The lines of the broker's password file, by user name."""
    return {PREFIX + row.name: row.password_line for row in _ALL.all(conn)}


def is_right(conn: Connection, username: str, password: str) -> bool:
    """Whether this is a read-only login with its password."""
    row = _ONE.first(conn, {"name": username.removeprefix(PREFIX)})
    is_login = username.startswith(PREFIX) and row is not None
    return is_login and row is not None and broker_passwords.matches(row.password_line, username, password)
