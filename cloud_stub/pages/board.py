"""The page that makes a pile of a board, over a serial port of the operator's PC."""

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from . import assets

router = APIRouter(include_in_schema=False)

LANGUAGES = ("en", "zh-CN")


@router.get("/console/flash")
async def board_page(request: Request) -> HTMLResponse:
    """The shell, for everybody: the API decides who may register a pile."""
    language = assets.preferred_language(request.headers, request.cookies, LANGUAGES)
    return assets.page("board.html", language, serial=True)
