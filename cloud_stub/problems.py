"""RFC 9457 problem details: the one shape of every error that leaves over HTTP.

A unit of work raises Problem *before* its first write, so the writer may keep the rest of its group.
"""

from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException

log = structlog.get_logger()

CONTENT_TYPE = "application/problem+json"

_STATUS_CODES = {
    400: ("BadRequest", "The request cannot be read"),
    404: ("NotFound", "There is nothing here"),
    405: ("MethodNotAllowed", "This address does not take that method"),
    413: ("BodyTooLarge", "The request's body is too large"),
    431: ("HeadersTooLarge", "The request's headers are too large"),
}


class Problem(Exception):
    """`code` is stable and for programs, `title` for people; `members` join the JSON object."""

    def __init__(self, status: int, code: str, title: str, detail: str | None = None, **members: Any):
        super().__init__(f"{code}: {detail or title}")
        self.status = status
        self.code = code
        self.title = title
        self.detail = detail
        self.members = members
        self.headers: dict[str, str] = {}

    def body(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "type": "about:blank",
            "title": self.title,
            "status": self.status,
            "code": self.code,
        }
        if self.detail:
            found["detail"] = self.detail
        return found | self.members

    def response(self) -> JSONResponse:
        return JSONResponse(self.body(), self.status, self.headers, media_type=CONTENT_TYPE)


def unknown_pile(device_id: str) -> Problem:
    return Problem(404, "UnknownPile", "There is no pile with that id", device_id=device_id[:64])


def pile_removed(device_id: str, removed_at: int) -> Problem:
    title = "This pile was removed; orders made there keep their receipts"
    return Problem(410, "PileRemoved", title, device_id=device_id, removed_at=removed_at)


def unknown_order() -> Problem:
    """Also for a wrong token: whoever does not own an order does not learn that it exists."""
    return Problem(404, "UnknownOrder", "There is no such order, or the token is not its own")


def unknown_settlement() -> Problem:
    return Problem(404, "UnknownSettlement", "There is no settlement with that id")


def invalid(*errors: tuple[str, str]) -> Problem:
    """422 naming each field that is wrong and why."""
    listed = [{"field": field, "reason": reason} for field, reason in errors]
    detail = "; ".join(f"{field}: {reason}" for field, reason in errors)
    return Problem(
        422, "InvalidRequest", "The request has a field that cannot be used", detail, errors=listed
    )


def unauthorized() -> Problem:
    problem = Problem(401, "Unauthorized", "This needs the operator token")
    problem.headers["WWW-Authenticate"] = "Bearer"
    return problem


def too_many(wait_s: int) -> Problem:
    problem = Problem(429, "TooManyRequests", "Too many requests from this address; wait and try again")
    problem.headers["Retry-After"] = str(wait_s)
    return problem


def internal_error() -> Problem:
    return Problem(500, "InternalError", "Something went wrong here; it has been noted")


def database_unavailable() -> Problem:
    problem = Problem(503, "DatabaseUnavailable", "The database does not answer; try again")
    problem.headers["Retry-After"] = "1"
    return problem


def _field(location: tuple[int | str, ...]) -> str:
    """("body", "periods", 1, "start") as `periods[1].start`."""
    text = ""
    for part in location[1:] or location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def from_validation(error: RequestValidationError) -> Problem:
    found = error.errors()
    if any(each["type"] == "json_invalid" for each in found):
        return Problem(400, "NotJson", "The request's body is not JSON")
    return invalid(*((_field(each["loc"]), each["msg"]) for each in found[:20]))


def from_http(error: HTTPException) -> Problem:
    code, title = _STATUS_CODES.get(error.status_code, ("HttpError", "The request was refused"))
    problem = Problem(error.status_code, code, title)
    problem.headers.update(error.headers or {})
    return problem


def install(app: FastAPI) -> None:
    """Make every error of `app` a problem. Unexpected ones are guard's."""

    @app.exception_handler(Problem)
    async def on_problem(_: Request, error: Problem) -> JSONResponse:
        return error.response()

    @app.exception_handler(RequestValidationError)
    async def on_validation(_: Request, error: RequestValidationError) -> JSONResponse:
        return from_validation(error).response()

    @app.exception_handler(OperationalError)
    async def on_database(_: Request, error: OperationalError) -> JSONResponse:
        log.error("database_failed", exc_info=error)
        return database_unavailable().response()

    @app.exception_handler(HTTPException)
    async def on_http(_: Request, error: HTTPException) -> JSONResponse:
        return from_http(error).response()
