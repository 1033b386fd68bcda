"""For operators: the names that belong to ids."""

from fastapi import APIRouter

from ..reports import names
from .access import READ, TheCloud
from .reads import quick

router = APIRouter(prefix="/api", tags=["operator"])


@router.post("/names", dependencies=READ)
async def list_names(cloud: TheCloud, body: names.NamesBody) -> dict[str, dict[str, str]]:
    """The names of piles, sites and tariffs by their ids. Nothing is stored."""
    return await quick(cloud, lambda conn: names.names(conn, body))
