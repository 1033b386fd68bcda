"""For operators: holds and the calls to the payment provider; free vend."""

import asyncio
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse

from ..base.clock import now_s
from ..payments import due, free, views
from ..payments.reconciliation import reconcile
from ..reports import payments_report
from ..reports.csv_lines import MEDIA_TYPE
from .access import READ, CanMoney, Limit, TheCloud
from .api_schema import raises
from .operator_reports import Days
from .paging import page
from .reads import quick, read

router = APIRouter(prefix="/api", tags=["operator"])


@router.get("/payments", dependencies=READ)
async def list_payments(
    cloud: TheCloud,
    state: Annotated[str | None, Query(pattern="^[A-Za-z]{1,16}$")] = None,
    order_id: Annotated[str | None, Query(max_length=40)] = None,
    limit: Limit = 50,
    before: str | None = None,
) -> dict[str, Any]:
    """The holds, newest first: what is held, captured, released and refunded."""
    found = await quick(cloud, lambda conn: views.list_holds(conn, state, order_id, limit, before))
    return page(found, limit, "hold_id")


@router.get("/payments/{hold_id}", dependencies=READ, openapi_extra=raises("UnknownHold"))
async def get_payment(cloud: TheCloud, hold_id: str) -> dict[str, Any]:
    """A hold and every call to its provider."""
    return await quick(cloud, lambda conn: views.hold_with_calls(conn, hold_id))


@router.post("/payments/{hold_id}/retry", openapi_extra=raises("UnknownHold", "NothingToRetry"))
async def retry_payment(cloud: TheCloud, actor: CanMoney, hold_id: str) -> dict[str, Any]:
    """Make a refused capture, release or refund again; what is due is worked out anew."""
    row = await cloud.write(lambda tx: due.retry(tx, actor, hold_id, now_s()))
    return views.hold_view(row)


@router.get("/reports/payments", tags=["reports"], dependencies=READ)
async def get_payments_report(cloud: TheCloud, days: Days) -> dict[str, Any]:
    """What was held, captured, released and refunded on each day, by adapter, and what of the bills of that
    day is unpaid. `unresolved`: calls to the provider whose outcome has been missing for 10 minutes.
    """
    return await read(cloud, lambda conn: payments_report.by_day(conn, days, now_s()))


@router.get(
    "/reports/payments.csv",
    tags=["reports"],
    response_class=Response,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
    dependencies=READ,
)
async def export_payments_report(cloud: TheCloud, days: Days) -> Response:
    """The same as CSV, with exact decimals."""
    found = await read(cloud, lambda conn: payments_report.by_day(conn, days, now_s()))
    return StreamingResponse(
        payments_report.csv_lines(found),
        media_type=MEDIA_TYPE,
        headers={"Content-Disposition": 'attachment; filename="payments.csv"', "Cache-Control": "no-store"},
    )


@router.get(
    "/reports/reconciliation",
    tags=["reports"],
    openapi_extra=raises("NoPaymentProvider", "PaymentUnavailable"),
    dependencies=READ,
)
async def get_reconciliation(cloud: TheCloud, days: Days) -> dict[str, Any]:
    """Our calls beside the provider's own report, which is asked for it. Each difference is named:
    MissingAtProvider, MissingHere, AmountDiffers, StateDiffers.
    """
    store, adapter = cloud.store, cloud.cashier.adapter
    ask = partial(reconcile, store, adapter, days.from_at, days.until_at, now_s())
    found = await asyncio.get_running_loop().run_in_executor(cloud.slow_reads, ask)
    return days.named() | found


@router.get("/free-vend")
async def list_free_vend(
    cloud: TheCloud, actor: CanMoney, limit: Limit = 50, before: str | None = None
) -> dict[str, Any]:
    """The codes and sites that make orders free, newest first."""
    found = await quick(cloud, lambda conn: free.list_grants(conn, limit, before))
    return page(found, limit, "grant_id")


@router.post("/free-vend", status_code=201, openapi_extra=raises("UnknownSite"))
async def grant_free_vend(cloud: TheCloud, actor: CanMoney, body: free.GrantBody) -> dict[str, Any]:
    """Make a code that makes orders free, or let everybody at a site charge for free."""
    row = await cloud.write(lambda tx: free.grant(tx, actor, body, now_s()))
    return row._asdict()


@router.delete("/free-vend/{grant_id}", openapi_extra=raises("UnknownGrant"))
async def revoke_free_vend(cloud: TheCloud, actor: CanMoney, grant_id: str) -> dict[str, Any]:
    """It makes no further order free; again changes nothing."""
    row = await cloud.write(lambda tx: free.revoke(tx, actor, grant_id, now_s()))
    return row._asdict()
