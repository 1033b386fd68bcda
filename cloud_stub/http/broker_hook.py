"""For a broker that asks over HTTP who may connect: EMQX 5.8 and later.

The answer has the client's access list in it, so that the device table alone decides about both. mosquitto
reads a password file instead and does not ask.
"""

from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from pile_protocol import seal, topics

from ..base.problems import unauthorized
from ..base.tokens import bearer_token, secrets_equal
from ..cloud import Cloud
from ..piles import keys, monitors
from ..piles.broker_acl import CLOUD_USER, MONITOR_PREFIX, MONITORED
from .access import TheCloud
from .reads import quick

router = APIRouter(prefix="/broker", tags=["broker"], include_in_schema=False)

_DENY: dict[str, Any] = {"result": "deny"}


class ClientBody(BaseModel):
    """Who wants to connect; EMQX sends null for what the client left out.

    clientid: None if the broker's configuration does not send it, as that of the release before; then a
    client is bound to its topics only.
    """

    model_config = ConfigDict(extra="ignore", strict=True)

    username: str | None = Field(default=None, max_length=256)
    password: str | None = Field(default=None, max_length=256)
    clientid: str | None = Field(default=None, max_length=256)


@router.post("/auth")
async def authenticate(request: Request, cloud: TheCloud, body: ClientBody) -> dict[str, Any]:
    """`allow` with an access list, or `deny`. Needs RATELOCK_BROKER_TOKEN as a bearer token."""
    expected = cloud.settings.broker_token
    if expected is None:
        raise HTTPException(404)
    if not secrets_equal(bearer_token(request.headers.get("authorization")) or "", expected):
        raise unauthorized()
    if not body.username or not body.password or "\0" in body.username:
        return _DENY
    if not await _is_right(cloud, body.username, body.password, body.clientid):
        return _DENY
    return {"result": "allow", "is_superuser": False, "acl": access_list(body.username)}


def access_list(username: str) -> list[dict[str, str]]:
    """The cloud reaches every pile's topics; a read-only login reads them; a pile reaches only its own,
    each in its direction.
    """
    if username == CLOUD_USER:
        rules = [_rule("allow", "all", topics.PREFIX + "#")]
    elif username.startswith(MONITOR_PREFIX):
        rules = [_rule("allow", "subscribe", topics.topic("+", name)) for name in MONITORED]
    else:
        rules = [
            _rule("allow", "subscribe", "eq " + topics.topic(username, name)) for name in topics.DOWNWARD
        ]
        rules += [_rule("allow", "publish", "eq " + topics.topic(username, name)) for name in topics.UPWARD]
    return [*rules, _rule("deny", "all", "#")]


def _rule(permission: str, action: str, topic: str) -> dict[str, str]:
    return {"permission": permission, "action": action, "topic": topic}


async def _is_right(cloud: Cloud, username: str, password: str, client_id: str | None) -> bool:
    """Whether the password is the user's, and the client id the pile's own. A broker ends the older of two
    connections with one client id, so no client may use the id of another.
    """
    if username == CLOUD_USER:
        return secrets_equal(password, cloud.settings.read_mqtt_password())
    if username.startswith(MONITOR_PREFIX):
        return await quick(cloud, lambda conn: monitors.is_right(conn, username, password))
    key = await quick(cloud, lambda conn: keys.admitted_key(conn, username))
    if key is None or not secrets_equal(password, seal.mqtt_password(key)):
        return False
    return client_id in (None, username, seal.mqtt_client_id(username, key))
