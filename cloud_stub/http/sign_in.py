"""Signing in and out of the console, and what belongs to the caller: who it is, its own password."""

from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Depends, Request, Response
from pydantic import ConfigDict, Field

from ..base.body import Body
from ..base.clock import now_s
from ..base.problems import Problem, invalid, too_many, unauthorized
from ..cloud import Cloud
from ..db import audit
from ..db.audit import Actor
from ..db.writer import Transaction
from ..people import attempts, passwords, sessions, users
from ..people.roles import PERMISSIONS, ROLES
from . import cookies
from .access import AnyOperator, Caller, TheCaller, TheCloud, limit_sign_ins
from .api_schema import raises
from .rate_limits import network
from .reads import quick

log = structlog.get_logger()

router = APIRouter(prefix="/api")

_TYPED_MAX = 1_000  # what a person may type; a password that can be right is shorter
_Typed = Annotated[str, Field(max_length=_TYPED_MAX)]


class SignInBody(Body):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "anna", "password": "correct horse battery"}]},
    )

    name: _Typed
    password: _Typed


class OwnPasswordBody(Body):
    """The caller's password until now, and from now on."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"old": "correct horse battery", "new": "staple of the four words"}]},
    )

    old: _Typed
    new: _Typed


async def _from_console(request: Request) -> None:
    cookies.check_origin(request)


def caller_view(caller: Caller) -> dict[str, Any]:
    """Who the caller is, and what that one may do, for a page that offers only that."""
    session = caller.session
    return {
        "kind": caller.actor.kind,
        "name": caller.actor.name,
        "role": session.role if session else None,
        "permissions": [each for each in PERMISSIONS if each in caller.permissions],
        "session_id": session.session_id if session else None,
        "expires_at": session.expires_at if session else None,
    }


@router.get("/session", tags=["sign in"], openapi_extra=raises("Unauthorized"))
async def get_session(request: Request, caller: TheCaller) -> dict[str, Any]:
    """Who the caller is; null where there is no session. A token that is not valid is refused."""
    if caller is None and "authorization" in request.headers:
        raise unauthorized()
    return {"caller": caller_view(caller) if caller else None}


@router.post(
    "/session",
    status_code=201,
    dependencies=[Depends(_from_console), Depends(limit_sign_ins)],
    tags=["sign in"],
    openapi_extra=raises("SignInRefused", "CrossSite", "TooManyRequests"),
)
async def sign_in(cloud: TheCloud, request: Request, response: Response, body: SignInBody) -> dict[str, Any]:
    """Begin a session with a name and a password. The answer sets its cookie.

    The time it takes tells nothing about which accounts there are.
    """
    found, is_right = await _try(cloud, request, body.name.strip().lower(), body.password)
    if found is None or not is_right or not users.may_sign_in(found):
        await _failed(cloud, request, found)
        raise _refused()
    renewed = found.password_hash
    if passwords.is_outdated(renewed):
        renewed = await cloud.passwords.run(lambda: passwords.hashed(body.password))
    actor, address = Actor(audit.USER, found.name), _address(request)

    def begin(tx: Transaction) -> tuple[sessions.Session, str]:
        now = now_s()
        if not users.note_sign_in(tx.conn, found, renewed, _network(request), now):
            raise _refused()  # the account was changed while its password was checked
        audit.record(tx.conn, actor, now, "SignedIn", account=found.name, detail=address)
        life_s = cloud.settings.session_s
        return sessions.begin(tx.conn, found.name, found.role, address, _browser(request), now, life_s)

    session, secret = await cloud.write(begin)
    cookies.put(request, response, cloud, secret)
    return {"caller": caller_view(Caller(actor, ROLES[session.role], session))}


@router.delete("/session", tags=["operator"])
async def sign_out(
    cloud: TheCloud, request: Request, response: Response, caller: AnyOperator
) -> dict[str, Any]:
    """End the session that the call came with; a token has none."""
    session = caller.session
    if session is not None:
        await cloud.write(lambda tx: sessions.end(tx, caller.actor, session.session_id, now_s()))
    cookies.clear(request, response, cloud)
    return {"signed_out": session is not None}


@router.put(
    "/session/password",
    tags=["operator"],
    openapi_extra=raises("NoPassword", "UnknownUser", "TooManyRequests"),
)
async def set_own_password(
    cloud: TheCloud, request: Request, caller: AnyOperator, body: OwnPasswordBody
) -> dict[str, Any]:
    """Change the caller's own password; its other sessions end."""
    session = caller.session
    if session is None:
        raise Problem(409, "NoPassword", "Only an account has a password; a token has none")
    name = session.user_name
    passwords.check(body.new, name, "new")
    found, is_right = await _try(cloud, request, name, body.old)
    if not is_right:
        await _failed(cloud, request, found)
        raise invalid(("old", "is not the password"))
    new_hash = await cloud.passwords.run(lambda: passwords.hashed(body.new))
    await cloud.write(
        lambda tx: users.set_password(
            tx, caller.actor, caller.permissions, name, new_hash, now_s(), session.session_id
        )
    )
    return {"name": name}


async def _try(cloud: Cloud, request: Request, name: str, password: str) -> tuple[users.UserRow | None, bool]:
    """The account with that name, and whether that is its password. Raises Problem (TooManyRequests)."""
    found = None
    if users.is_name(name):  # what cannot be a name is not looked up
        found = await quick(cloud, lambda conn: users.find(conn, name))
    if not cloud.attempts.take(name, _network(request), found.signed_in_from if found else None):
        raise too_many(attempts.PERIOD_S)
    password_hash = found.password_hash if found else None
    return found, await cloud.passwords.run(lambda: passwords.is_right(password_hash, password))


async def _failed(cloud: Cloud, request: Request, found: users.UserRow | None) -> None:
    """Log a failure and add an audit line, unless there were many. A name that no account has is not kept: a
    person may have typed a password there.
    """
    name = found.name if found else None
    address = _address(request)
    log.warning("sign_in_failed", account=name, address=address)
    unwritten = cloud.refusal_lines.take(name or "")
    if unwritten is None:
        return
    detail = address + ("" if found else ", no such account")
    detail += attempts.unwritten_words(unwritten)
    await cloud.write(
        lambda tx: audit.record(
            tx.conn, Actor(audit.CLOUD, "sign-in"), now_s(), "SignInFailed", account=name, detail=detail
        )
    )


def _refused() -> Problem:
    return Problem(401, "SignInRefused", "The name or the password is not right")


def _address(request: Request) -> str:
    return (request.client.host if request.client else "unknown")[:64]


def _network(request: Request) -> str:
    return network(request.client.host if request.client else None) or "this machine"


def _browser(request: Request) -> str:
    said = request.headers.get("user-agent", "")[:200]
    return "".join(each for each in said if each.isascii() and each.isprintable())
