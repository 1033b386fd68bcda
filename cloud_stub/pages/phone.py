"""The phone's page. Its shell is the same for every pile: what it shows, its scripts ask the API."""

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from pile_protocol import wire
from pile_protocol.errors import MessageError

from ..cloud import Cloud
from ..http.reads import quick
from . import assets

LANGUAGES = ("en", "zh-CN")


def _shell(request: Request, status: int) -> HTMLResponse:
    language = assets.preferred_language(request.headers, request.cookies, LANGUAGES)
    return assets.page("phone.html", language, status)


async def ask_for_pile(request: Request) -> HTMLResponse:
    """A page that asks for the id on the pile."""
    return _shell(request, 200)


async def phone_page(request: Request) -> Response:
    """What a pile's QR code opens; an id that is none gets the page that says so."""
    cloud: Cloud = request.app.state.cloud
    asked = request.path_params["device_id"]
    if await _is_known(cloud, asked):
        return _shell(request, 200)
    # As people type and paste it: with a blank or a slash at its end, in small letters.
    bare = asked.strip(" /")
    for meant in (bare, bare.upper()):
        if meant != asked and await _is_known(cloud, meant):
            query = request.url.query
            return RedirectResponse(f"/p/{meant}" + (f"?{query}" if query else ""))
    return _shell(request, 404)


async def _is_known(cloud: Cloud, device_id: str) -> bool:
    """Raises Problem (DatabaseUnavailable)."""
    try:
        wire.DEVICE_ID.check("device_id", device_id)
    except MessageError:
        return False  # whatever stands in an address goes no further
    keys = cloud.context.keys
    return device_id in keys or await quick(cloud, lambda conn: keys.get(conn, device_id)) is not None


def for_people(otherwise: ASGIApp) -> ASGIApp:
    """Answers addresses where there is nothing: a browser gets a page that says so, all else `otherwise`."""

    async def missing(scope: Scope, receive: Receive, send: Send) -> None:
        answer = otherwise
        if scope["type"] == "http" and scope["method"] in ("GET", "HEAD"):
            request = Request(scope)
            in_browser = "text/html" in request.headers.get("accept", "")
            if in_browser and not scope["path"].startswith("/api/"):
                answer = _shell(request, 404)
        await answer(scope, receive, send)

    return missing


routes = [
    Route("/p/", ask_for_pile),
    Route("/p/{device_id:path}", phone_page),
    Route("/p", ask_for_pile),
    Route("/", ask_for_pile),
]
