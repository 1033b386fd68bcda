"""A pile's label as SVG, PNG or PDF, for the operator to look at and print."""

import asyncio
from typing import Literal

from fastapi import APIRouter
from starlette.responses import Response

from ..piles import labels, registry
from .access import READ, TheCloud
from .api_schema import raises
from .reads import quick

router = APIRouter(prefix="/api", tags=["operator"])


_BINARY = {"schema": {"type": "string", "contentMediaType": "application/octet-stream"}}


@router.get(
    "/piles/{device_id}/label",
    response_class=Response,
    responses={
        200: {
            "content": {
                "image/svg+xml": {"schema": {"type": "string"}},
                "image/png": _BINARY,
                "application/pdf": _BINARY,
            }
        }
    },
    openapi_extra=raises("UnknownPile", "PileRemoved"),
    dependencies=READ,
)
async def get_label(cloud: TheCloud, device_id: str, kind: Literal["svg", "png", "pdf"] = "svg") -> Response:
    """The label with the code that opens the pile's page: a drawing, a picture, or a sheet to print."""
    known = (await quick(cloud, lambda conn: registry.get(conn, device_id))).device_id
    base_url = cloud.settings.base_url
    headers = {"Content-Disposition": f'inline; filename="{known}.{kind}"'}
    if kind == "pdf":
        sheet = await asyncio.to_thread(labels.pdf, base_url, [known])
        return Response(sheet, media_type="application/pdf", headers=headers)
    if kind == "png":
        picture = await asyncio.to_thread(labels.png, base_url, known)
        return Response(picture, media_type="image/png", headers=headers)
    return Response(labels.svg(base_url, known), media_type="image/svg+xml", headers=headers)
