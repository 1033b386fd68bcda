"""The phone's page. Its shell is the same for every pile: what it shows, its scripts ask the API."""

from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from ..cloud import Cloud
from . import assets

LANGUAGES = ("en", "zh-CN")


def _shell(request: Request, status: int) -> HTMLResponse:
    language = assets.preferred_language(request.headers, request.cookies, LANGUAGES)
    return assets.page("phone.html", language, status)


async def ask_for_pile(request: Request) -> HTMLResponse:
    """A page that asks for the id on the pile."""
    return _shell(request, 200)


async def phone_page(request: Request) -> HTMLResponse:
    """What a pile's QR code opens; an id that is none gets the page that says so."""
    cloud: Cloud = request.app.state.cloud
    known = cloud.orders.keys.get(cloud.reader, request.path_params["device_id"]) is not None
    return _shell(request, 200 if known else 404)


routes = [
    Route("/p/", ask_for_pile),
    Route("/p/{device_id:path}", phone_page),
    Route("/p", ask_for_pile),
    Route("/", ask_for_pile),
]
