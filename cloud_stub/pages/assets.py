"""What the pages load, and the headers of both.

A page is a shell without data: its scripts ask the API. Everything a shell loads has the version of the
whole static folder in its address (`/static/<version>/<name>`), so a browser may keep it for ever, and a
changed file is another address.
"""

import hashlib
import os
import string
from functools import cache
from pathlib import Path

from starlette.datastructures import Headers
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Scope

FOLDER = Path(__file__).parent / "static"

# Nothing from elsewhere, nothing written into the page itself: an injected script or style has no effect.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_FOR_EVER = "public, max-age=31536000, immutable"
_ASK_AGAIN = "no-cache"


@cache
def version() -> str:
    """12 hex digits that change with any file of the static folder."""
    digest = hashlib.sha256()
    for file in sorted(FOLDER.iterdir()):
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def page(name: str, language: str = "en", status: int = 200) -> HTMLResponse:
    """The shell `name` of the static folder; `$static` and `$language` in it are filled in."""
    text = _template(name).substitute(static=f"/static/{version()}", language=language)
    # The language follows two headers; nothing else of a shell differs between visitors.
    headers = _HEADERS | {"Cache-Control": _ASK_AGAIN, "Vary": "Accept-Language, Cookie"}
    return HTMLResponse(text, status, headers)


@cache
def _template(name: str) -> string.Template:
    return string.Template((FOLDER / name).read_text(encoding="utf-8"))


def app() -> ASGIApp:
    """Serves the static folder, compressed where the browser takes that."""
    return GZipMiddleware(_Versioned(directory=FOLDER), minimum_size=500)


class _Versioned(StaticFiles):
    """The first part of a path is the version; another than ours may be answered, but not kept."""

    def get_path(self, scope: Scope) -> str:
        given, _, rest = super().get_path(scope).partition(os.sep)
        scope["ratelock.current"] = given == version()
        return rest

    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers["Cache-Control"] = _FOR_EVER if scope["ratelock.current"] else _ASK_AGAIN
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response


def preferred_language(headers: Headers, cookies: dict[str, str], known: tuple[str, ...]) -> str:
    """The language chosen before (cookie `language`), else the first known one that the browser prefers.

    `known` are tags such as "en" and "zh-CN"; the first of them answers for all others.
    """
    chosen = cookies.get("language")
    if chosen in known:
        return chosen
    for wanted in _accepted(headers.get("accept-language", "")):
        for tag in known:
            if tag.partition("-")[0].lower() == wanted:
                return tag
    return known[0]


def _accepted(header: str) -> list[str]:
    """The languages of an Accept-Language header without their regions, the most wanted first."""
    ranked = []
    for place, part in enumerate(header[:500].split(",")):
        tag, _, weight = part.strip().partition(";q=")
        try:
            quality = float(weight) if weight else 1.0
        except ValueError:
            continue
        if quality > 0:
            ranked.append((-quality, place, tag.partition("-")[0].lower()))
    return [language for _, _, language in sorted(ranked)]
