"""The operator's console. Its shell holds no data; its scripts ask the API with the operator token."""

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from ..http.languages import language_of
from . import assets

router = APIRouter(include_in_schema=False)


@router.get("/console")
@router.get("/console/")
async def console_page(request: Request) -> HTMLResponse:
    """The shell, for everybody: the API decides who may see data."""
    return assets.page("console.html", language_of(request))
