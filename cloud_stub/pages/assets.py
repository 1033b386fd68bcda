"""Pages, the files that they load, and the HTTP headers of both.

A page is a shell without data: its scripts ask the API. The address of each file that it loads contains the
version of the whole static folder (`/static/<version>/<name>`), so a browser may keep the file for ever: a
changed file has another address.
"""

import gzip
import hashlib
import mimetypes
import string
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import rcssmin
import rjsmin
from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response

router = APIRouter(include_in_schema=False)

FOLDER = Path(__file__).parent / "static"
# Installed by `npm ci` (tools/setup.py, Dockerfile); a cloud without them cannot write images onto boards.
PACKAGES = Path(__file__).parent / "npm" / "node_modules"
ESPTOOL = PACKAGES / "esptool-js" / "bundle.js"
# Of esptool-js and of what its bundle contains.
ESPTOOL_LICENCES = ("esptool-js/LICENSE", "pako/LICENSE", "atob-lite/LICENSE.md")

# Only files of this host, nothing inline: an injected script or style has no effect.
_SOURCES = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data: blob:",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}
CONTENT_SECURITY_POLICY = "; ".join(f"{name} {source}" for name, source in _SOURCES.items())


def _policy_with(others: Mapping[str, str]) -> str:
    """CONTENT_SECURITY_POLICY with more sources: of a directive that it has, or of another one."""
    wider = {name: f"{_SOURCES.get(name, '')} {source}".strip() for name, source in others.items()}
    return "; ".join(f"{name} {source}" for name, source in (_SOURCES | wider).items())


_FOR_EVER = "public, max-age=31536000, immutable"
_ASK_AGAIN = "no-cache"
_WITH_SERIAL = {"Permissions-Policy": "camera=(), geolocation=(), microphone=(), serial=(self)"}
_PAGE_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), serial=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": _ASK_AGAIN,
    # A shell differs between visitors by its language only, which these two decide.
    "Vary": "Accept-Language, Cookie",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is sent: `plain`, minified, and `packed` with gzip."""

    media_type: str
    plain: bytes
    packed: bytes


@cache
def assets() -> dict[str, Asset]:
    """Everything in the static folder that pages load, and esptool-js if it is installed; read once."""
    found = {file.name: _asset(file) for file in sorted(FOLDER.iterdir()) if file.suffix != ".html"}
    if ESPTOOL.is_file():
        found["esptool.js"] = _packed("text/javascript", ESPTOOL.read_bytes())
        licences = "\n".join(
            f"{name}\n\n{(PACKAGES / name).read_text(encoding='utf-8')}" for name in ESPTOOL_LICENCES
        )
        found["esptool-licences.txt"] = _packed("text/plain; charset=utf-8", licences.encode())
    return found


def _asset(file: Path) -> Asset:
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".js":
        text = str(rjsmin.jsmin(text))
    elif file.suffix == ".css":
        text = str(rcssmin.cssmin(text))
    return _packed(mimetypes.guess_type(file.name)[0] or "application/octet-stream", text.encode())


def _packed(media_type: str, plain: bytes) -> Asset:
    return Asset(media_type, plain, gzip.compress(plain, mtime=0))


@cache
def version() -> str:
    """8 hex digits that change with any file that pages load."""
    digest = hashlib.sha256()
    for name, asset in assets().items():
        digest.update(name.encode() + b"\0" + asset.plain + b"\0")
    return digest.hexdigest()[:8]


def page(
    name: str,
    language: str = "en",
    status: int = 200,
    serial: bool = False,
    others: Mapping[str, str] | None = None,
) -> HTMLResponse:
    """The shell `name` of the static folder; `$static` and `$language` in it are filled in.

    serial: whether the page may use the serial ports that a person chooses for it. others: what it may load
    from other hosts, as directives of a content security policy.
    """
    headers = _PAGE_HEADERS | _WITH_SERIAL if serial else _PAGE_HEADERS
    if others:
        headers = headers | {"Content-Security-Policy": _policy_with(others)}
    return HTMLResponse(_shell(name, language), status, headers)


@cache  # by the few languages a page has
def _shell(name: str, language: str) -> bytes:
    lines = (FOLDER / name).read_text(encoding="utf-8").splitlines()
    template = string.Template("\n".join(line.strip() for line in lines))
    return template.substitute(static=f"/static/{version()}", language=language).encode()


@router.get("/static/{given}/{name}")
async def get_asset(request: Request, given: str, name: str) -> Response:
    """A page from before an update asks for another version: it gets this one, which it must not keep."""
    asset = assets().get(name)
    if asset is None:
        raise HTTPException(404)
    headers = {
        "Cache-Control": _FOR_EVER if given == version() else _ASK_AGAIN,
        "X-Content-Type-Options": "nosniff",
        "Vary": "Accept-Encoding",
    }
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(asset.packed, 200, headers | {"Content-Encoding": "gzip"}, asset.media_type)
    return Response(asset.plain, 200, headers, asset.media_type)
