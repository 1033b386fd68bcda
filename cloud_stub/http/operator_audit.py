"""For operators: the audit trail, listed and exported."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import StreamingResponse

from ..db import audit
from ..reports import audit_csv
from ..reports.csv_lines import MEDIA_TYPE
from .access import READ, AnyOperator, Limit, RowId, TheCloud
from .paging import page
from .reads import read

router = APIRouter(prefix="/api", tags=["operator"], dependencies=READ)

_Word = Annotated[str | None, Query(max_length=100)]
_At = Annotated[int | None, Query(ge=0, le=2**40, description="Unix seconds")]


async def _wanted(
    caller: AnyOperator,
    actor: _Word = None,
    action: _Word = None,
    device_id: _Word = None,
    order_id: _Word = None,
    site_id: _Word = None,
    tariff_id: _Word = None,
    account: _Word = None,
    from_at: _At = None,
    until_at: _At = None,
) -> audit.Wanted:
    given = {
        "actor": actor,
        "action": action,
        "device_id": device_id,
        "order_id": order_id,
        "site_id": site_id,
        "tariff_id": tariff_id,
        "account": account,
    }
    columns = {column: value for column, value in given.items() if value is not None}
    # Who signed in when, and from where, is for those who manage accounts.
    return audit.Wanted(columns, from_at, until_at, accounts="people" in caller.permissions)


Wanted = Annotated[audit.Wanted, Depends(_wanted)]


@router.get("/audit")
async def list_audit(
    cloud: TheCloud, wanted: Wanted, limit: Limit = 50, before: RowId = None
) -> dict[str, Any]:
    """Who did what when, newest first. Lines about accounts need the permission `people`."""
    found = await read(cloud, lambda conn: audit.list_lines(conn, wanted, limit, before))
    return page([row._asdict() for row in found], limit, "id")


@router.get(
    "/audit.csv",
    response_class=Response,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
async def export_audit(cloud: TheCloud, wanted: Wanted) -> Response:
    """The same lines as CSV, times in UTC."""
    return StreamingResponse(
        audit_csv.csv_pages(cloud.store, wanted),
        media_type=MEDIA_TYPE,
        headers={"Content-Disposition": 'attachment; filename="audit.csv"', "Cache-Control": "no-store"},
    )
