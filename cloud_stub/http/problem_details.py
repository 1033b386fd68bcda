"""Errors as RFC 9457 problem details over HTTP."""

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException

from ..base.problems import Problem, database_unavailable, invalid

log = structlog.get_logger()

CONTENT_TYPE = "application/problem+json"

_STATUS_CODES = {
    400: ("BadRequest", "The request cannot be read"),
    404: ("NotFound", "There is nothing here"),
    405: ("MethodNotAllowed", "This address does not take that method"),
    413: ("BodyTooLarge", "The request's body is too large"),
    431: ("HeadersTooLarge", "The request's headers are too large"),
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
        return Problem(400, "NotJson", "The request's body is not JSON")
    return invalid(*((_field(each["loc"]), each["msg"]) for each in found[:20]))


def from_http(error: HTTPException) -> Problem:
    code, title = _STATUS_CODES.get(error.status_code, ("HttpError", "The request was refused"))
    problem = Problem(error.status_code, code, title)
    problem.headers.update(error.headers or {})
    return problem


def install(app: FastAPI) -> None:
    """Answer every expected error of `app` as a problem; http.guard answers the unexpected ones."""

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
    async def on_http(_: Request, error: HTTPException) -> JSONResponse:
        return response(from_http(error))
