"""For payment providers: what they tell by themselves."""

import structlog
from fastapi import APIRouter, Request

from ..base.clock import now_s
from ..base.problems import Problem
from ..payments import calls
from .access import TheCloud
from .api_schema import raises

log = structlog.get_logger()
router = APIRouter(prefix="/api/payments", tags=["payment provider"])


@router.post("/{adapter}/events", openapi_extra=raises("UnknownAdapter", "EventRefused"))
async def receive_events(cloud: TheCloud, request: Request, adapter: str) -> dict[str, int]:
    """Signed by the provider. An event about a call that is resolved changes nothing, so events may come
    more than once and in any order.
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
        is_known = await cloud.write(
            lambda tx, event=event: calls.resolve_event(tx, cloud.context, event, now_s())
        )
        cloud.metrics.payment_events.labels("known" if is_known else "unknown").inc()
        log.info("payment_event", event_id=event.event_id, key=event.key, is_known=is_known)
    return {"events": len(events)}
