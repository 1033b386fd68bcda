"""Labels of piles and connectors as SVG, PNG or PDF, for the operator to look at and print."""

import asyncio
from collections.abc import Iterable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import Field
from sqlalchemy import Connection
from starlette.responses import Response

from pile_protocol import messages

from ..base.body import Body
from ..base.problems import invalid, unknown_connector
from ..piles import labels, registry
from ..sites.pile_import import ROWS_MAX
from ..sites.selection import pile_ids
from .access import READ, TheCloud
from .api_schema import raises
from .operator_piles import DEVICE_ID
from .reads import quick

router = APIRouter(prefix="/api", tags=["operator"])

LABELS_MAX = 2_000  # of one answer: 12 ms of CPU each
Kind = Literal["svg", "png", "pdf"]
Selection = Annotated[str, Query(max_length=100, examples=["site:HARBOUR", "tag:kerbside", "all"])]
_BINARY = {"schema": {"type": "string", "contentMediaType": "application/octet-stream"}}


class LabelsBody(Body):
    """Which piles; one that is not registered has no label."""

    device_ids: list[Annotated[str, Field(pattern=DEVICE_ID)]] = Field(
        min_length=1, max_length=ROWS_MAX, examples=[["PILE-1"]]
    )


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
    openapi_extra=raises("UnknownPile", "PileRemoved", "UnknownConnector"),
    dependencies=READ,
)
async def get_label(
    cloud: TheCloud,
    device_id: str,
    kind: Kind = "svg",
    connector: Annotated[
        int | None,
        Query(
            ge=1, le=messages.MAX_CONNECTORS, description="Without: the pile; as pdf, each connector of it"
        ),
    ] = None,
) -> Response:
    """The label with the code that opens a connector's page: a drawing, a picture, or a sheet to print."""
    pile = await quick(cloud, lambda conn: registry.get(conn, device_id))
    if connector is not None and connector > pile.connectors:
        raise unknown_connector(connector)
    base_url = cloud.settings.base_url
    name = pile.device_id if connector is None else f"{pile.device_id}/{connector}"
    if kind == "pdf":
        names = labels.names(pile.device_id, pile.connectors) if connector is None else [name]
        return await _sheet(base_url, names, labels.file_name(name, kind))
    headers = {"Content-Disposition": f'inline; filename="{labels.file_name(name, kind)}"'}
    if kind == "png":
        picture = await asyncio.to_thread(labels.png, base_url, name)
        return Response(picture, media_type="image/png", headers=headers)
    return Response(labels.svg(base_url, name), media_type="image/svg+xml", headers=headers)


_SHEETS: dict[str, Any] = {
    "response_class": Response,
    "responses": {200: {"content": {"application/pdf": _BINARY}}},
    "dependencies": READ,
}


@router.get("/labels.pdf", openapi_extra=raises("UnknownPile", "PileRemoved", "UnknownSite"), **_SHEETS)
async def get_labels(cloud: TheCloud, selection: Selection = "all") -> Response:
    """One sheet after the other with the labels of all connectors of the selected piles."""
    names = await quick(cloud, lambda conn: label_names(conn, pile_ids(conn, selection)))
    return await _sheet(cloud.settings.base_url, names, "labels.pdf")


@router.post("/labels.pdf", **_SHEETS)
async def make_labels(cloud: TheCloud, body: LabelsBody) -> Response:
    """The labels of these piles, such as those of an import. Nothing is stored."""
    names = await quick(cloud, lambda conn: label_names(conn, body.device_ids))
    return await _sheet(cloud.settings.base_url, names, "labels.pdf")


def label_names(conn: Connection, device_ids: Iterable[str]) -> list[str]:
    """The labels of these piles. Raises Problem (InvalidRequest) where there is none."""
    rows = registry.find_many(conn, device_ids)
    if not rows:
        raise invalid(("selection", "names no pile"))
    return [name for each in sorted(rows) for name in labels.names(each, rows[each].connectors)]


async def _sheet(base_url: str, names: list[str], file_name: str) -> Response:
    if len(names) > LABELS_MAX:
        reason = f"has {len(names)} labels, more than {LABELS_MAX}: ask for a site or a tag at a time"
        raise invalid(("selection", reason))
    sheet = await asyncio.to_thread(labels.pdf, base_url, names)
    headers = {"Content-Disposition": f'inline; filename="{file_name}"'}
    return Response(sheet, media_type="application/pdf", headers=headers)
