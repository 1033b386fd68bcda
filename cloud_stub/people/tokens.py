"""API tokens: for programs, with a name, a scope and an end. Only the answer that makes one has its text."""

from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, func, insert, select, update

from ..base.ids import new_id
from ..base.problems import Problem, forbidden
from ..base.tokens import fingerprint, new_token
from ..db import audit
from ..db.audit import Actor
from ..db.people_tables import api_tokens
from ..db.rows import Query
from ..db.writer import Transaction
from .roles import PERMISSIONS

PREFIX = "rl_"  # tells a text that has leaked for what it is
DAYS_MAX = 366
VALID_MAX = 200
USED_EVERY_S = 600  # how exactly `used_at` is kept
_DAY_S = 86_400


class TokenRow(NamedTuple):
    """A row of `api_tokens`."""

    token_id: str
    name: str
    secret_hash: str
    permissions: str
    created_by: str
    created_at: int
    expires_at: int
    used_at: int | None
    revoked_at: int | None


_ALL = select(api_tokens)
_LIST = Query(_ALL.where(api_tokens.c.revoked_at.is_(None)).order_by(api_tokens.c.token_id.desc()), TokenRow)
_FIND = Query(
    _ALL.where(
        api_tokens.c.secret_hash == bindparam("secret_hash"),
        api_tokens.c.revoked_at.is_(None),
        api_tokens.c.expires_at > bindparam("now"),
    ),
    TokenRow,
)
_ONE = Query(_ALL.where(api_tokens.c.token_id == bindparam("token_id")), TokenRow)
_NAMED = Query(
    _ALL.where(api_tokens.c.name == bindparam("name"), api_tokens.c.revoked_at.is_(None)), TokenRow
)
_COUNT = select(func.count()).select_from(api_tokens).where(api_tokens.c.revoked_at.is_(None))
_ADD = insert(api_tokens)
_REVOKE = (
    update(api_tokens)
    .where(api_tokens.c.token_id == bindparam("this"), api_tokens.c.revoked_at.is_(None))
    .values(revoked_at=bindparam("now"))
)
_USED = update(api_tokens).where(api_tokens.c.token_id == bindparam("this")).values(used_at=bindparam("now"))


def add(
    tx: Transaction,
    actor: Actor,
    allowed: frozenset[str],
    name: str,
    permissions: frozenset[str],
    days: int,
    now: int,
) -> dict[str, Any]:
    """A new token; only this answer has its text, `token`.

    allowed: what the actor may do. days: 1 to DAYS_MAX.

    Raises Problem: Forbidden, TokenExists, TooManyTokens.
    """
    missing = permissions - allowed
    if missing:
        raise forbidden(min(missing, key=PERMISSIONS.index))
    if _NAMED.first(tx.conn, {"name": name}) is not None:
        raise Problem(409, "TokenExists", "A token has that name; revoke it first", name=name)
    if tx.conn.execute(_COUNT).scalar_one() >= VALID_MAX:
        raise Problem(409, "TooManyTokens", f"There are {VALID_MAX} tokens; revoke those that nobody uses")
    text = PREFIX + new_token()
    scope = " ".join(each for each in PERMISSIONS if each in permissions)
    row = TokenRow(
        token_id=new_id(),
        name=name,
        secret_hash=fingerprint(text),
        permissions=scope,
        created_by=actor.name,
        created_at=now,
        expires_at=now + days * _DAY_S,
        used_at=None,
        revoked_at=None,
    )
    tx.conn.execute(_ADD, row._asdict())
    detail = f"{scope}, {days} days"
    audit.record(tx.conn, actor, now, "TokenAdded", account=account(name), detail=detail)
    return view(row) | {"token": text}


def find(conn: Connection, text: str, now: int) -> TokenRow | None:
    """The token with that text, if it is valid."""
    return _FIND.first(conn, {"secret_hash": fingerprint(text), "now": now})


def scope(row: TokenRow) -> frozenset[str]:
    return frozenset(row.permissions.split())


def list_views(conn: Connection) -> list[dict[str, Any]]:
    """Those that are not revoked, newest first; also those past their end."""
    return [view(row) for row in _LIST.all(conn)]


def view(row: TokenRow) -> dict[str, Any]:
    return {
        "token_id": row.token_id,
        "name": row.name,
        "permissions": row.permissions.split(),
        "created_by": row.created_by,
        "created_at": row.created_at,
        "expires_at": row.expires_at,
        "used_at": row.used_at,
    }


def revoke(tx: Transaction, actor: Actor, token_id: str, now: int) -> None:
    """From the next request on. Again, it changes nothing. Raises Problem (UnknownToken)."""
    row = _ONE.first(tx.conn, {"token_id": token_id})
    if row is None:
        raise Problem(404, "UnknownToken", "There is no such token")
    if tx.conn.execute(_REVOKE, {"this": token_id, "now": now}).rowcount:
        audit.record(tx.conn, actor, now, "TokenRevoked", account=account(row.name))


def note_use(conn: Connection, token_id: str, now: int) -> None:
    conn.execute(_USED, {"this": token_id, "now": now})


def account(name: str) -> str:
    """How audit lines name a token: no operator has such a name."""
    return "token:" + name
