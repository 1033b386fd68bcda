"""Holds answers against the API's own description: status, content type, and the code of a problem."""

import re
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI

# Answers that no route makes: what is refused before a route is found.
_BEFORE_ROUTES = {"NotFound", "MethodNotAllowed", "BodyTooLarge"}

_operations: list[tuple[re.Pattern[str], dict[str, Any]]] = []


def described(app: FastAPI) -> Callable[[Any], None]:
    """A hook for an HTTP client: AssertionError for an answer that the OpenAPI document does not have.

    The document is made once in a test run: it is the same whatever the cloud's settings are.
    """
    if not _operations:
        paths = sorted(app.openapi()["paths"].items(), key=lambda each: each[0].count("{"))
        for path, methods in paths:
            pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path)) + "$"
            _operations.append((re.compile(pattern), methods))

    def check(answer: Any) -> None:
        request = answer.request
        methods = next((each for pattern, each in _operations if pattern.match(request.url.path)), {})
        operation = methods.get(request.method.lower())
        if operation is None:
            return
        what = f"{request.method} {request.url.path}: {answer.status_code}"
        content_type = answer.headers.get("content-type", "").partition(";")[0]
        code = None
        if content_type == "application/problem+json":
            answer.read()
            code = answer.json()["code"]
            if code in _BEFORE_ROUTES:
                return
            what += " " + code
        assert str(answer.status_code) in operation["responses"], what + " is not described"
        content = operation["responses"][str(answer.status_code)].get("content", {})
        if answer.status_code != 304:
            assert content_type in content, f"{what}: {content_type} is not described"
        if content_type == "application/problem+json":
            codes = content[content_type]["schema"]["allOf"][1]["properties"]["code"]["enum"]
            assert code in codes, what + " is not described"

    return check
