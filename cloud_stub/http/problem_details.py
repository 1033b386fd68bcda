"""Errors as RFC 9457 problem details over HTTP."""

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException
from starlette.routing import Match

from ..base.problems import Problem, database_unavailable, invalid
from ..base.text import reason
from .problem_codes import MEANINGS, STATUS_OF
from .request_metrics import METHODS

log = structlog.get_logger()

CONTENT_TYPE = "application/problem+json"

# The codes of what is refused before a route has it.
_CODES = {
    400: "BadRequest",
    404: "NotFound",
    405: "MethodNotAllowed",
    413: "BodyTooLarge",
    431: "HeadersTooLarge",
}


def response(problem: Problem) -> JSONResponse:
    return JSONResponse(problem.body(), problem.status, problem.headers, media_type=CONTENT_TYPE)


def _field(location: tuple[int | str, ...]) -> str:
    """("body", "periods", 1, "start") as `periods[1].start`."""
    text = ""
    for part in location[1:] or location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def from_validation(error: RequestValidationError) -> Problem:
    found = error.errors()
    if any(each["type"] == "json_invalid" for each in found):
        return Problem(400, "NotJson", MEANINGS[400]["NotJson"])
    return invalid(*((_field(each["loc"]), reason(each)) for each in found[:20]))


def from_http(error: HTTPException) -> Problem:
    code = _CODES.get(error.status_code, "NotFound")
    status = STATUS_OF[code]
    problem = Problem(status, code, MEANINGS[status][code])
    problem.headers.update(error.headers or {})
    return problem


def install(app: FastAPI) -> None:
    """Let `app` answer every expected error as a problem; http/guard.py answers the unexpected ones."""

    @app.exception_handler(Problem)
    async def on_problem(_: Request, error: Problem) -> JSONResponse:
        return response(error)

    @app.exception_handler(RequestValidationError)
    async def on_validation(_: Request, error: RequestValidationError) -> JSONResponse:
        return response(from_validation(error))

    @app.exception_handler(OperationalError)
    async def on_database(_: Request, error: OperationalError) -> JSONResponse:
        log.error("database_failed", exc_info=error)
        return response(database_unavailable())

    @app.exception_handler(HTTPException)
    async def on_http(request: Request, error: HTTPException) -> JSONResponse:
        problem = from_http(error)
        if error.status_code == 405:
            problem.headers["Allow"] = ", ".join(_allowed(app, request))
        return response(problem)


def _allowed(app: FastAPI, request: Request) -> list[str]:
    """The methods that some route takes at the request's address; a router answers with one route's alone."""
    return [
        method
        for method in sorted(METHODS)
        if any(
            route.matches({**request.scope, "method": method})[0] is Match.FULL for route in app.router.routes
        )
    ]
