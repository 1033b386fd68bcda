"""The cookie of a console's session, and the header by which a request shows that it comes from the console.

The cookie is HttpOnly and SameSite=Strict, and Secure where the site is https; there its name begins with
`__Host-`, so that no other host of the domain can set it. A browser sends it with every request, so a
request that changes something also needs the header HEADER: a page of another origin cannot set one without
the cloud's consent (CORS), which is never given. Unlike a comparison of Origin with Host, this works behind
a proxy that changes Host, and over plain http, where browsers send no Sec-Fetch-Site.
"""

from urllib.parse import urlsplit

from fastapi import Request, Response

from ..base.problems import Problem
from ..cloud import Cloud

NAME = "ratelock"
HEADER = "X-RateLock-Console"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def secret(request: Request, cloud: Cloud) -> str | None:
    """The secret of the session's cookie, None without one."""
    return request.cookies.get(_name(_is_https(request, cloud))) or None


def check_origin(request: Request) -> None:
    """Raises Problem (CrossSite) for a request that another site's page may have sent."""
    if request.method not in _SAFE and HEADER.lower() not in request.headers:
        raise Problem(403, "CrossSite", f"With a session's cookie this needs the header {HEADER}: 1")


def put(request: Request, response: Response, cloud: Cloud, secret: str) -> None:
    """Set the cookie, until the browser ends; the session may end earlier."""
    _set(request, response, cloud, secret, None)


def clear(request: Request, response: Response, cloud: Cloud) -> None:
    _set(request, response, cloud, "", 0)


def _set(request: Request, response: Response, cloud: Cloud, value: str, max_age: int | None) -> None:
    https = _is_https(request, cloud)
    response.set_cookie(
        _name(https), value, max_age=max_age, path="/", secure=https, httponly=True, samesite="strict"
    )


def _name(https: bool) -> str:
    return "__Host-" + NAME if https else NAME


def _is_https(request: Request, cloud: Cloud) -> bool:
    """Whether the browser sees https: a trusted proxy's X-Forwarded-Proto or the public address says so."""
    public = urlsplit(cloud.settings.public_url or "")
    return request.url.scheme == "https" or (
        public.scheme == "https" and request.headers.get("host", "") == public.netloc
    )
