"""For owners: the accounts of operators, their sessions, API tokens."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field, field_validator

from ..base.body import Body
from ..base.clock import now_s
from ..people import passwords, sessions, tokens, users
from ..people.roles import PERMISSIONS, ROLES
from .access import AnyOperator, CanPeople, TheCloud
from .api_schema import raises
from .reads import quick

router = APIRouter(prefix="/api", tags=["operator"])

_ROLE = "^(" + "|".join(ROLES) + ")$"
_PASSWORD = Field(max_length=passwords.LENGTH_MAX, examples=["correct horse battery"])


class UserBody(Body):
    """A new account. Small letters, digits and . _ - are in its name, so that no two names look alike."""

    name: str = Field(pattern=users.NAME, examples=["anna"])
    role: str = Field(pattern=_ROLE, examples=["operator"])
    password: str = _PASSWORD


class RoleFields(Body):
    role: str = Field(pattern=_ROLE, examples=["operator"])


class RoleBody(RoleFields):
    replaces: RoleFields | None = Field(default=None, description="What the caller knows of the account")


class PasswordBody(Body):
    password: str = _PASSWORD


class DisabledBody(Body):
    disabled: bool


class TokenBody(Body):
    """A new API token: what it may do, and after how many days it ends."""

    name: str = Field(pattern=users.NAME, examples=["monthly-export"])
    permissions: list[str] = Field(min_length=1, max_length=len(PERMISSIONS), examples=[["read"]])
    days: int = Field(ge=1, le=tokens.DAYS_MAX, examples=[90])

    @field_validator("permissions")
    @classmethod
    def _check(cls, value: list[str]) -> list[str]:
        """Raises ValueError for what is no permission."""
        if not set(value) <= set(PERMISSIONS):
            raise ValueError("each must be one of " + ", ".join(PERMISSIONS))
        return value


@router.get("/roles")
async def list_roles(_: CanPeople) -> dict[str, list[str]]:
    """The roles, and what each may do."""
    return {role: [each for each in PERMISSIONS if each in held] for role, held in ROLES.items()}


@router.get("/users")
async def list_users(cloud: TheCloud, _: CanPeople) -> dict[str, Any]:
    """The accounts by name, without those that were removed."""
    return {"items": await quick(cloud, users.list_views)}


@router.post("/users", status_code=201, openapi_extra=raises("UserExists", "TooManyRequests"))
async def add_user(cloud: TheCloud, actor: CanPeople, caller: AnyOperator, body: UserBody) -> dict[str, Any]:
    """Add an account. A name that was removed is not used again."""
    passwords.check(body.password, body.name)
    made = await cloud.passwords.run(lambda: passwords.hashed(body.password))
    return await cloud.write(
        lambda tx: users.add(tx, actor, caller.permissions, body.name, body.role, made, now_s())
    )


@router.put("/users/{name}/role", openapi_extra=raises("UnknownUser", "LastOwner", "Replaced"))
async def set_role(
    cloud: TheCloud, actor: CanPeople, caller: AnyOperator, name: str, body: RoleBody
) -> dict[str, Any]:
    """What the account may do from its next request on."""
    replaces = body.replaces.role if body.replaces else None
    return await cloud.write(
        lambda tx: users.set_role(tx, actor, caller.permissions, name, body.role, now_s(), replaces)
    )


@router.put("/users/{name}/password", openapi_extra=raises("UnknownUser", "TooManyRequests"))
async def set_password(
    cloud: TheCloud, actor: CanPeople, caller: AnyOperator, name: str, body: PasswordBody
) -> dict[str, Any]:
    """Set an account's password, for who has forgotten it; ends its sessions."""
    passwords.check(body.password, name)
    made = await cloud.passwords.run(lambda: passwords.hashed(body.password))
    await cloud.write(lambda tx: users.set_password(tx, actor, caller.permissions, name, made, now_s()))
    return {"name": name}


@router.put("/users/{name}/disabled", openapi_extra=raises("UnknownUser", "LastOwner"))
async def set_disabled(
    cloud: TheCloud, actor: CanPeople, caller: AnyOperator, name: str, body: DisabledBody
) -> dict[str, Any]:
    """Let the account sign in no more, which ends its sessions; or again."""
    return await cloud.write(
        lambda tx: users.set_disabled(tx, actor, caller.permissions, name, body.disabled, now_s())
    )


@router.delete("/users/{name}", openapi_extra=raises("UnknownUser", "LastOwner"))
async def remove_user(cloud: TheCloud, actor: CanPeople, caller: AnyOperator, name: str) -> dict[str, Any]:
    """Remove the account for ever. Its audit lines stay, and API tokens that it made go on working."""
    await cloud.write(lambda tx: users.remove(tx, actor, caller.permissions, name, now_s()))
    return {"name": name}


@router.get("/sessions")
async def list_sessions(
    cloud: TheCloud, _: CanPeople, user: Annotated[str | None, Query(max_length=32)] = None
) -> dict[str, Any]:
    """The sessions that have not ended, newest first."""
    idle_s = cloud.settings.session_idle_s
    return {"items": await quick(cloud, lambda conn: sessions.list_views(conn, now_s(), idle_s, user))}


@router.delete("/sessions/{session_id}", openapi_extra=raises("UnknownSession"))
async def end_session(cloud: TheCloud, actor: CanPeople, session_id: str) -> dict[str, Any]:
    """End a session: its browser has to sign in again."""
    await cloud.write(lambda tx: sessions.end(tx, actor, session_id, now_s()))
    return {"session_id": session_id}


@router.get("/tokens")
async def list_tokens(cloud: TheCloud, _: CanPeople) -> dict[str, Any]:
    """The API tokens that are not revoked, newest first."""
    return {"items": await quick(cloud, tokens.list_views)}


@router.post("/tokens", status_code=201, openapi_extra=raises("TokenExists", "TooManyTokens"))
async def add_token(
    cloud: TheCloud, actor: CanPeople, caller: AnyOperator, body: TokenBody
) -> dict[str, Any]:
    """Make an API token. Only this answer has its text."""
    scope = frozenset(body.permissions)
    return await cloud.write(
        lambda tx: tokens.add(tx, actor, caller.permissions, body.name, scope, body.days, now_s())
    )


@router.delete("/tokens/{token_id}", openapi_extra=raises("UnknownToken"))
async def revoke_token(cloud: TheCloud, actor: CanPeople, token_id: str) -> dict[str, Any]:
    """Revoke an API token, from its next request on."""
    await cloud.write(lambda tx: tokens.revoke(tx, actor, token_id, now_s()))
    return {"token_id": token_id}
