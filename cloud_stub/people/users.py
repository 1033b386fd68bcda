"""The accounts of operators: added, changed, disabled, removed, each with its audit line.

Nobody gives or changes more than they may do themselves: `allowed` are the permissions of whoever acts. The
last owner that can sign in stays one.
"""

import re
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, insert, select, update

from ..base.problems import Problem, forbidden, require_unchanged
from ..db import audit
from ..db.audit import Actor
from ..db.people_tables import users
from ..db.rows import Query
from ..db.writer import Transaction
from . import sessions
from .roles import PERMISSIONS, ROLES

# Small letters, digits and . _ - alone: no two names look alike, whatever the font.
NAME = r"^[a-z0-9][a-z0-9._-]{0,31}$"


class UserRow(NamedTuple):
    """A row of `users`."""

    name: str
    role: str
    password_hash: str
    created_at: int
    signed_in_at: int | None
    signed_in_from: str | None
    disabled_at: int | None
    removed_at: int | None


_ALL = select(users)
_USERS = Query(_ALL.where(users.c.removed_at.is_(None)).order_by(users.c.name), UserRow)
_BY_NAME = _ALL.where(users.c.name == bindparam("name"))
_GET = Query(_BY_NAME, UserRow)
_LOCK = Query(_BY_NAME.with_for_update(), UserRow)
_LOCK_OWNERS = Query(
    _ALL.where(users.c.role == "owner", users.c.disabled_at.is_(None), users.c.removed_at.is_(None))
    .order_by(users.c.name)
    .with_for_update(),
    UserRow,
)
_ADD = insert(users)
_OF = update(users).where(users.c.name == bindparam("of"))
_SET_ROLE = _OF.values(role=bindparam("to"))
_SET_PASSWORD = _OF.values(password_hash=bindparam("to"))
_SET_DISABLED = _OF.values(disabled_at=bindparam("to"))
_REMOVE = _OF.values(removed_at=bindparam("to"), password_hash="", signed_in_from=None)
_SIGNED_IN = _OF.values(
    signed_in_at=bindparam("at"), signed_in_from=bindparam("network"), password_hash=bindparam("hash")
)


def find(conn: Connection, name: str) -> UserRow | None:
    """The account, disabled and removed ones too."""
    return _GET.first(conn, {"name": name})


def is_name(text: str) -> bool:
    return re.fullmatch(NAME, text) is not None


def may_sign_in(row: UserRow) -> bool:
    return row.disabled_at is None and row.removed_at is None


def list_views(conn: Connection) -> list[dict[str, Any]]:
    """All that are not removed, by name."""
    return [view(row) for row in _USERS.all(conn)]


def view(row: UserRow) -> dict[str, Any]:
    """An account without its secrets."""
    return {
        "name": row.name,
        "role": row.role,
        "created_at": row.created_at,
        "signed_in_at": row.signed_in_at,
        "disabled_at": row.disabled_at,
    }


def add(
    tx: Transaction,
    actor: Actor,
    allowed: frozenset[str],
    name: str,
    role: str,
    password_hash: str,
    now: int,
) -> dict[str, Any]:
    """Raises Problem: Forbidden, UserExists (also once removed)."""
    _require(allowed, role)
    if find(tx.conn, name) is not None:
        raise Problem(409, "UserExists", "There is an account with that name, or there was one", name=name)
    row = UserRow(name, role, password_hash, now, None, None, None, None)
    tx.conn.execute(_ADD, row._asdict())
    audit.record(tx.conn, actor, now, "UserAdded", account=name, detail=role)
    return view(row)


def set_role(
    tx: Transaction,
    actor: Actor,
    allowed: frozenset[str],
    name: str,
    role: str,
    now: int,
    replaces: str | None = None,
) -> dict[str, Any]:
    """From the next request on. Raises Problem: UnknownUser, Forbidden, LastOwner; Replaced where its role is
    not `replaces`.
    """
    row = _lock(tx, allowed, name, stays_owner=role == "owner")
    _require(allowed, role)
    if replaces is not None:
        require_unchanged({"role": replaces}, row._asdict())
    if row.role != role:
        tx.conn.execute(_SET_ROLE, {"of": name, "to": role})
        audit.record(tx.conn, actor, now, "RoleSet", account=name, detail=f"{row.role} -> {role}")
    return view(row) | {"role": role}


def set_password(
    tx: Transaction,
    actor: Actor,
    allowed: frozenset[str],
    name: str,
    password_hash: str,
    now: int,
    kept_session: str | None = None,
) -> None:
    """Ends the account's sessions, but for `kept_session`. Raises Problem: UnknownUser, Forbidden."""
    _lock(tx, allowed, name, stays_owner=True)
    tx.conn.execute(_SET_PASSWORD, {"of": name, "to": password_hash})
    sessions.end_all(tx.conn, name, kept_session)
    audit.record(tx.conn, actor, now, "PasswordSet", account=name)


def set_disabled(
    tx: Transaction, actor: Actor, allowed: frozenset[str], name: str, disabled: bool, now: int
) -> dict[str, Any]:
    """Disable the account, which ends its sessions, or enable it again.

    Raises Problem: UnknownUser, Forbidden, LastOwner.
    """
    row = _lock(tx, allowed, name, stays_owner=not disabled)
    if disabled == (row.disabled_at is not None):
        return view(row)
    disabled_at = now if disabled else None
    tx.conn.execute(_SET_DISABLED, {"of": name, "to": disabled_at})
    if disabled:
        sessions.end_all(tx.conn, name)
    audit.record(tx.conn, actor, now, "UserDisabled" if disabled else "UserEnabled", account=name)
    return view(row) | {"disabled_at": disabled_at}


def remove(tx: Transaction, actor: Actor, allowed: frozenset[str], name: str, now: int) -> None:
    """For ever: the name stays taken. Raises Problem: UnknownUser, Forbidden, LastOwner."""
    _lock(tx, allowed, name, stays_owner=False)
    tx.conn.execute(_REMOVE, {"of": name, "to": now})
    sessions.end_all(tx.conn, name)
    audit.record(tx.conn, actor, now, "UserRemoved", account=name)


def note_sign_in(conn: Connection, seen: UserRow, password_hash: str, network: str, now: int) -> bool:
    """Store a sign-in and where it came from, and the password's present hash. False if the account is not as
    it was `seen`, or may not sign in; then nothing is stored.
    """
    row = _LOCK.first(conn, {"name": seen.name})
    if row is None or not may_sign_in(row) or row.password_hash != seen.password_hash:
        return False
    conn.execute(_SIGNED_IN, {"of": seen.name, "at": now, "network": network, "hash": password_hash})
    return True


def unknown_user(name: str) -> Problem:
    return Problem(404, "UnknownUser", "There is no account with that name", name=name[:32])


def _require(allowed: frozenset[str], role: str) -> None:
    missing = ROLES[role] - allowed
    if missing:
        raise forbidden(min(missing, key=PERMISSIONS.index))


def _lock(tx: Transaction, allowed: frozenset[str], name: str, stays_owner: bool) -> UserRow:
    """The account, held until the transaction ends. Owners are locked first: two of them who remove each
    other at the same time wait for each other, and the second is refused.
    """
    owners = () if stays_owner else _LOCK_OWNERS.all(tx.conn)
    row = _LOCK.first(tx.conn, {"name": name})
    if row is None or row.removed_at is not None:
        raise unknown_user(name)
    _require(allowed, row.role)
    if not stays_owner and [owner.name for owner in owners] == [name]:
        raise Problem(409, "LastOwner", "This is the last owner who can sign in; make another one first")
    return row
