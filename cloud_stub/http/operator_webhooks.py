"""For owners: webhooks, to which events are sent."""

import asyncio
from typing import Any

from fastapi import APIRouter
from pydantic import Field

from ..base.body import Body
from ..base.clock import now_s
from ..bridges.webhooks import addresses, channel, registry
from .access import CanPeople, TheCloud
from .api_schema import raises
from .reads import quick, read

router = APIRouter(prefix="/api/webhooks", tags=["operator"])


class WebhookBody(Body):
    """A new webhook: its name, its address, and kinds of events or groups of kinds (docs/webhooks.md)."""

    name: str = Field(pattern=registry.NAME, examples=["books"])
    url: str = Field(max_length=addresses.URL_MAX, examples=["https://books.example.org/ratelock"])
    kinds: list[str] = Field(min_length=1, max_length=60, examples=[["order", "flagged"]])


@router.get("")
async def list_webhooks(cloud: TheCloud, _: CanPeople) -> dict[str, Any]:
    """The webhooks by name, and how many events wait for each."""
    return {"items": await read(cloud, registry.list_views)}


@router.post("", status_code=201, openapi_extra=raises("WebhookExists", "TooManyWebhooks"))
async def add_webhook(cloud: TheCloud, actor: CanPeople, body: WebhookBody) -> dict[str, Any]:
    """Add a webhook. Only this answer has its secret."""
    private = cloud.settings.webhook_private
    return await cloud.write(
        lambda tx: registry.add(tx, actor, body.name, body.url, body.kinds, private, now_s())
    )


@router.get("/{name}", openapi_extra=raises("UnknownWebhook"))
async def get_webhook(cloud: TheCloud, _: CanPeople, name: str) -> dict[str, Any]:
    """A webhook and the events that have waited longest for it."""
    return await read(cloud, lambda conn: registry.show(conn, name))


@router.delete("/{name}", openapi_extra=raises("UnknownWebhook"))
async def remove_webhook(cloud: TheCloud, actor: CanPeople, name: str) -> dict[str, Any]:
    """Remove a webhook, with what waits for it."""
    await cloud.write(lambda tx: registry.remove(tx, actor, name, now_s()))
    return {"name": name}


@router.post("/{name}/resend", openapi_extra=raises("UnknownWebhook"))
async def resend_to_webhook(cloud: TheCloud, actor: CanPeople, name: str) -> dict[str, Any]:
    """Send what waits for it within a minute, also where it was disabled."""
    return await cloud.write(lambda tx: registry.resend(tx, actor, name, now_s()))


@router.post("/{name}/test", openapi_extra=raises("UnknownWebhook"))
async def test_webhook(cloud: TheCloud, _: CanPeople, name: str) -> dict[str, Any]:
    """Send it an event of kind Test at once, and tell what it answered."""
    row = await quick(cloud, lambda conn: registry.find(conn, name))
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(cloud.slow_reads, channel.send_test, cloud.settings, row)
