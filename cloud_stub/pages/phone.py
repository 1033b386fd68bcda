"""The phone's page. Its shell is the same for every pile: what it shows, its scripts ask the API."""

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from ..api.access import TheCloud
from . import assets

router = APIRouter(include_in_schema=False)

LANGUAGES = ("en", "zh-CN")


def _shell(request: Request, status: int) -> HTMLResponse:
    language = assets.preferred_language(request.headers, request.cookies, LANGUAGES)
    return assets.page("phone.html", language, status)


@router.get("/")
@router.get("/p")
@router.get("/p/")
async def ask_for_pile(request: Request) -> HTMLResponse:
    """A page that asks for the id on the pile."""
    return _shell(request, 200)


@router.get("/p/{device_id:path}")
async def phone_page(request: Request, cloud: TheCloud, device_id: str) -> HTMLResponse:
    """What a pile's QR code opens; an id that is none gets the page that says so."""
    known = cloud.orders.keys.get(cloud.reader, device_id) is not None
    return _shell(request, 200 if known else 404)
