"""For operators: many piles registered at once."""

from fastapi import APIRouter
from starlette.responses import Response

from ..base.clock import now_s
from ..db.writer import Transaction
from ..piles.credentials import admit_many
from ..sites.pile_import import ImportBody, import_piles, keys_as_csv
from .access import CanRegister, TheCloud
from .api_schema import raises
from .operator_piles import broker_unavailable

router = APIRouter(prefix="/api", tags=["operator"])


@router.post(
    "/pile-imports",
    status_code=201,
    response_class=Response,
    responses={201: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
    openapi_extra=raises("BrokerUnavailable"),
)
async def import_many(cloud: TheCloud, actor: CanRegister, body: ImportBody) -> Response:
    """Register every pile of a table, or none. Only this answer, a CSV, has their keys.

    InvalidRequest names each wrong row: `field` is its line.
    """

    def register(tx: Transaction) -> dict[str, bytes]:
        return import_piles(tx, actor, body.csv, lambda keys: admit_many(cloud.settings, keys), now_s())

    try:
        keys = await cloud.write(register)
    except OSError as error:
        raise broker_unavailable(error) from error
    headers = {"Content-Disposition": 'attachment; filename="keys.csv"', "Cache-Control": "no-store"}
    return Response(keys_as_csv(keys), 201, headers, "text/csv; charset=utf-8")
