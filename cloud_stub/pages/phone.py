"""The phone's page. Its shell is the same for every pile; its scripts ask the API for what it shows."""

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from pile_protocol import messages, wire
from pile_protocol.errors import MessageError

from ..cloud import Cloud
from ..http.languages import language_of
from ..http.reads import quick
from . import assets

_CONNECTORS = frozenset(str(number) for number in range(1, messages.MAX_CONNECTORS + 1))
# What the page of a pile may load from a payment provider: its form runs in the provider's own frame.
_OF_PROVIDERS = {
    "stripe": {
        "script-src": "https://js.stripe.com",
        "frame-src": "https://js.stripe.com https://hooks.stripe.com",
        "connect-src": "https://api.stripe.com",
    }
}


def _payment_of(cloud: Cloud) -> str:
    return cloud.settings.payment


def _shell(request: Request, status: int, payment: str = "") -> HTMLResponse:
    others = _OF_PROVIDERS.get(payment)
    return assets.page("phone.html", language_of(request), status, others=others)


async def ask_for_pile(request: Request) -> HTMLResponse:
    """A page that asks for the id on the pile."""
    return _shell(request, 200)


async def phone_page(request: Request) -> Response:
    """The page that a pile's QR code opens. For an unknown id 404 with the same shell, which shows that."""
    cloud: Cloud = request.app.state.cloud
    asked = request.path_params["device_id"]
    device_id, connector = _split(asked)
    if await _is_known(cloud, device_id):
        return _shell(request, 200, _payment_of(cloud))
    # People type and paste an id with a blank or a slash at its end, or in small letters.
    bare, connector = _split(asked.strip(" /"))
    for meant in (bare.strip(), bare.strip().upper()):
        if await _is_known(cloud, meant):
            query = request.url.query
            return RedirectResponse(f"/p/{meant}{connector}" + (f"?{query}" if query else ""))
    return _shell(request, 404)


def _split(place: str) -> tuple[str, str]:
    """(device id, "/2" or nothing) of what stands behind /p/."""
    device_id, slash, connector = place.rpartition("/")
    if slash and connector in _CONNECTORS:
        return device_id, slash + connector
    return place, ""


async def _is_known(cloud: Cloud, device_id: str) -> bool:
    """Raises Problem (DatabaseUnavailable)."""
    try:
        wire.DEVICE_ID.check("device_id", device_id)
    except MessageError:
        return False  # what cannot be an id is not looked up
    known = cloud.context.known_piles
    return device_id in known or await quick(cloud, lambda conn: known.has(conn, device_id))


def for_people(otherwise: ASGIApp) -> ASGIApp:
    """Answers unknown addresses: a browser gets a page, other clients the answer of `otherwise`."""

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
