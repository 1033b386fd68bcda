"""For payment providers: what they tell by themselves."""

import asyncio

import structlog
from fastapi import APIRouter, Request

from ..base.problems import Problem
from ..payments import port
from .access import TheCloud
from .api_schema import raises

log = structlog.get_logger()
router = APIRouter(prefix="/api/payments", tags=["payment provider"])


@router.post(
    "/{adapter}/events", openapi_extra=raises("UnknownAdapter", "EventRefused", "PaymentUnavailable")
)
async def receive_events(cloud: TheCloud, request: Request, adapter: str) -> dict[str, int]:
    """Signed by the provider. An event says only which call changed: the cloud then looks the call up, and
    believes no state and no amount of the event. So events may come more than once, in any order, or from
    elsewhere. If the provider does not answer, it has to send the event again.
    """
    found = cloud.cashier.adapter
    if found is None or found.is_test or found.name != adapter:
        raise Problem(404, "UnknownAdapter", "The cloud does not use that payment provider")
    body = await request.body()
    try:
        events = found.webhook(request.headers, body)
    except Problem:
        cloud.metrics.payment_events.labels("refused").inc()
        log.warning("payment_event_refused", adapter=adapter, size_bytes=len(body))
        raise
    for event in events:
        try:
            is_known = await asyncio.wrap_future(cloud.cashier.hear(event.key))
        except port.ProviderError:
            raise Problem(503, "PaymentUnavailable", "The payment provider does not answer") from None
        cloud.metrics.payment_events.labels("known" if is_known else "unknown").inc()
        log.info("payment_event", event_id=event.event_id, key=event.key, is_known=is_known)
    return {"events": len(events)}
