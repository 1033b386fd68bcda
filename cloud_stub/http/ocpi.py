"""For roaming partners: OCPI 2.2.1, the sender's side of locations, tariffs and CDRs. Off without
RATELOCK_OCPI_FILE.

Requests carry an API token with `read`, in OCPI's own header. Answers, also those to mistakes, have OCPI's
envelope, so this is not part of the API's own description.
"""

import base64
import binascii
from datetime import datetime, timezone
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, FastAPI, Request, Response
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from ..base.clock import iso_utc, now_s
from ..base.problems import Problem, database_unavailable, forbidden, invalid, unauthorized
from ..bridges.ocpi import pages, party
from ..bridges.ocpi.numbers import text_of
from ..cloud import Cloud
from .access import TheCloud, by_token
from .reads import read

LIMIT_MAX = 100
VERSION = "2.2.1"
MODULES = ("locations", "tariffs", "cdrs")
# Status codes of OCPI.
_SUCCESS, _CLIENT_ERROR, _BAD_PARAMETER, _SERVER_ERROR = 1000, 2000, 2001, 3000

router = APIRouter(prefix="/ocpi", include_in_schema=False)


def install(app: FastAPI, cloud: Cloud) -> None:
    """Raises OSError; Problem (InvalidRequest) where the file has a mistake."""
    if cloud.settings.ocpi_file is not None:
        app.state.ocpi = party.load(cloud.settings.ocpi_file)
        app.include_router(router)


@router.get("/versions")
async def versions(request: Request, cloud: TheCloud) -> Response:
    """The version that is spoken here."""
    refusal = await _refusal(request, cloud)
    return refusal or _enveloped([{"version": VERSION, "url": f"{cloud.settings.base_url}/ocpi/{VERSION}"}])


@router.get("/" + VERSION)
async def details(request: Request, cloud: TheCloud) -> Response:
    """The addresses of the modules."""
    base = f"{cloud.settings.base_url}/ocpi/{VERSION}/"
    endpoints = [{"identifier": name, "role": "SENDER", "url": base + name} for name in MODULES]
    return await _refusal(request, cloud) or _enveloped({"version": VERSION, "endpoints": endpoints})


@router.get(f"/{VERSION}/locations")
@router.get(f"/{VERSION}/tariffs")
@router.get(f"/{VERSION}/cdrs")
async def objects(request: Request, cloud: TheCloud) -> Response:
    """One page of a module, with the headers that tell of the others."""
    refusal = await _refusal(request, cloud)
    if refusal is not None:
        return refusal
    module = request.url.path.rpartition("/")[2]
    try:
        wanted, offset, limit = _asked(request)
        page = slice(offset, offset + limit)

        def look(conn: Connection) -> tuple[list[Any], int]:
            owner, known = request.app.state.ocpi, cloud.context.rates
            found, total = pages.found(conn, owner, known, module, wanted, now_s(), page)
            return list(found), total

        found, total = await read(cloud, look)
    except Problem as problem:
        return _mistake(problem)
    except OperationalError:
        return _mistake(database_unavailable())
    headers = {"X-Total-Count": str(total), "X-Limit": str(LIMIT_MAX)}
    if offset + limit < total:
        query = urlencode(dict(request.query_params) | {"offset": str(offset + limit), "limit": str(limit)})
        headers["Link"] = f'<{cloud.settings.base_url}/ocpi/{VERSION}/{module}?{query}>; rel="next"'
    return _enveloped(found, headers)


def _asked(request: Request) -> tuple[pages.Wanted, int, int]:
    """The time, offset and limit that are asked for. Raises Problem (InvalidRequest)."""
    asked = request.query_params
    wanted = pages.Wanted(
        _at("date_from", asked.get("date_from", ""), 0), _at("date_to", asked.get("date_to", ""), pages.END)
    )
    offset = _whole("offset", asked.get("offset", "0"))
    limit = _whole("limit", asked.get("limit", str(LIMIT_MAX)))
    if limit == 0:
        raise invalid(("limit", "must be at least 1"))
    return wanted, offset, min(limit, LIMIT_MAX)


def _whole(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise invalid((name, "must be a whole number below 10^9"))
    return int(text)


def _at(name: str, text: str, default: int) -> int:
    """A DateTime of OCPI: in UTC, with or without Z."""
    if not text:
        return default
    try:
        said = datetime.fromisoformat(text.removesuffix("Z"))
        return int((said if said.tzinfo else said.replace(tzinfo=timezone.utc)).timestamp())
    except (ValueError, OverflowError):
        raise invalid((name, "must be a date and time such as 2026-11-28T00:00:00Z")) from None


async def _refusal(request: Request, cloud: Cloud) -> Response | None:
    """None for a token that may read. OCPI sends it in base64; many send it as it is."""
    scheme, _, sent = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "token":
        return _mistake(unauthorized())
    for text in (_decoded(sent.strip()), sent.strip()):
        caller = await by_token(cloud, text) if text else None
        if caller is not None:
            return None if "read" in caller.permissions else _mistake(forbidden("read"))
    return _mistake(unauthorized())


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        return ""


def _enveloped(data: Any, headers: dict[str, str] | None = None) -> Response:
    envelope = {"data": data, "status_code": _SUCCESS, "timestamp": iso_utc(now_s())}
    return Response(text_of(envelope), media_type="application/json", headers=headers)


def _mistake(problem: Problem) -> Response:
    """HTTP's status for who may ask at all and for the server; else 200, and OCPI's status code tells."""
    code = _BAD_PARAMETER if problem.status == 422 else _CLIENT_ERROR
    if problem.status >= 500:
        code = _SERVER_ERROR
    message = f"{problem.code}: {problem.detail or problem.title}"
    envelope = {"status_code": code, "status_message": message, "timestamp": iso_utc(now_s())}
    status = 200 if problem.status == 422 else problem.status
    return Response(text_of(envelope), status, media_type="application/json")
