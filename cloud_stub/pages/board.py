"""The page that makes a pile of a board, over a serial port of the operator's PC."""

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from ..http.languages import language_of
from . import assets

router = APIRouter(include_in_schema=False)


@router.get("/console/flash")
async def board_page(request: Request) -> HTMLResponse:
    """The shell, for everybody: the API decides who may register a pile."""
    return assets.page("board.html", language_of(request), serial=True)
