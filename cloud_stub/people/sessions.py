"""Sessions of the console: begun by a password, named by a secret that only the browser's cookie has.

A session ends when it is not used for `idle_s`, at the latest `life_s` after its beginning, and when somebody
ends it. The account's role is read with it at each request, so a change of the account holds at once.
"""

from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, delete, insert, or_, select, update

from ..base.ids import new_id
from ..base.problems import Problem
from ..base.tokens import fingerprint, new_token
from ..db import audit
from ..db.audit import Actor
from ..db.people_tables import sessions, users
from ..db.rows import Query
from ..db.writer import Transaction

PER_USER_MAX = 20  # the oldest ends when another begins
USED_EVERY_S = 60  # how exactly `used_at` is kept


class Session(NamedTuple):
    """A session with the role of its account."""

    session_id: str
    user_name: str
    role: str
    created_at: int
    used_at: int
    expires_at: int
    address: str
    browser: str


_COLUMNS = (
    select(
        sessions.c.session_id,
        sessions.c.user_name,
        users.c.role,
        sessions.c.created_at,
        sessions.c.used_at,
        sessions.c.expires_at,
        sessions.c.address,
        sessions.c.browser,
    )
    .join(users, users.c.name == sessions.c.user_name)
    .where(users.c.disabled_at.is_(None), users.c.removed_at.is_(None))
)
_FIND = Query(
    _COLUMNS.where(
        sessions.c.secret_hash == bindparam("secret_hash"),
        sessions.c.expires_at > bindparam("now"),
        sessions.c.used_at > bindparam("idle_since"),
    ),
    Session,
)
_LIVE = _COLUMNS.where(
    sessions.c.expires_at > bindparam("now"), sessions.c.used_at > bindparam("idle_since")
).order_by(sessions.c.session_id.desc())
_ALL = Query(_LIVE, Session)
_OF_USER = Query(_LIVE.where(sessions.c.user_name == bindparam("of")), Session)
_ONE = Query(_COLUMNS.where(sessions.c.session_id == bindparam("session_id")), Session)
_BEGIN = insert(sessions)
_USE = update(sessions).where(
    sessions.c.session_id == bindparam("this"), sessions.c.used_at <= bindparam("before")
)
_USED = _USE.values(used_at=bindparam("now"))
_END = delete(sessions).where(sessions.c.session_id == bindparam("this"))
_END_ALL = delete(sessions).where(
    sessions.c.user_name == bindparam("of"), sessions.c.session_id != bindparam("kept")
)
_newest = (
    select(sessions.c.session_id)
    .where(sessions.c.user_name == bindparam("of"))
    .order_by(sessions.c.session_id.desc())
    .limit(PER_USER_MAX)
)
_END_OLDEST = delete(sessions).where(
    sessions.c.user_name == bindparam("of"), sessions.c.session_id.not_in(_newest)
)
_TRIM = delete(sessions).where(
    or_(sessions.c.expires_at <= bindparam("now"), sessions.c.used_at <= bindparam("idle_since"))
)


def begin(
    conn: Connection, user_name: str, role: str, address: str, browser: str, now: int, life_s: int
) -> tuple[Session, str]:
    """A new session, and its secret, which is nowhere else."""
    secret = new_token()
    session = Session(new_id(), user_name, role, now, now, now + life_s, address, browser)
    values = session._asdict() | {"secret_hash": fingerprint(secret)}
    del values["role"]
    conn.execute(_BEGIN, values)
    conn.execute(_END_OLDEST, {"of": user_name})
    return session, secret


def find(conn: Connection, secret: str, now: int, idle_s: int) -> Session | None:
    """The session of a cookie; None where it has ended, or its account may not sign in."""
    return _FIND.first(conn, {"secret_hash": fingerprint(secret), "now": now, "idle_since": now - idle_s})


def note_use(conn: Connection, session_id: str, now: int) -> None:
    conn.execute(_USED, {"this": session_id, "before": now - USED_EVERY_S, "now": now})


def list_views(conn: Connection, now: int, idle_s: int, user_name: str | None = None) -> list[dict[str, Any]]:
    """Those that have not ended, newest first."""
    at = {"now": now, "idle_since": now - idle_s}
    if user_name is None:
        return [row._asdict() for row in _ALL.all(conn, at)]
    return [row._asdict() for row in _OF_USER.all(conn, at | {"of": user_name})]


def end(tx: Transaction, actor: Actor, session_id: str, now: int) -> None:
    """Raises Problem (UnknownSession)."""
    row = _ONE.first(tx.conn, {"session_id": session_id})
    if row is None:
        raise Problem(404, "UnknownSession", "There is no such session, or it has ended")
    tx.conn.execute(_END, {"this": session_id})
    is_own = actor == Actor(audit.USER, row.user_name)
    action = "SignedOut" if is_own else "SessionEnded"
    audit.record(tx.conn, actor, now, action, account=row.user_name, detail=row.address)


def end_all(conn: Connection, user_name: str, kept: str | None = None) -> None:
    """End the sessions of an account, but for `kept`."""
    conn.execute(_END_ALL, {"of": user_name, "kept": kept or ""})


def trim(conn: Connection, now: int, idle_s: int) -> None:
    """Delete those that have ended by themselves."""
    conn.execute(_TRIM, {"now": now, "idle_since": now - idle_s})
