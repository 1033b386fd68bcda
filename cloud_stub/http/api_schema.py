"""The OpenAPI document: what FastAPI finds in the routes, and with it problems, security and examples.

A route names the problems of its own (`openapi_extra=raises("UnknownPile")`); those that every route has, or
every route of an audience, are added here.
"""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import iter_route_contexts

from . import cookies
from .access import permissions
from .problem_codes import MEANINGS, STATUS_OF
from .problem_details import CONTENT_TYPE

_RAISES = "x-raises"
_OPERATOR_TAGS = {"operator", "reports"}
_ORDER_PATH = "/api/orders/{order_id}"

_SECURITY_SCHEMES = {
    "operator": {"type": "http", "scheme": "bearer", "description": "The operator token, or an API token"},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": cookies.NAME,
        "description": "A session of the console, `__Host-" + cookies.NAME + "` over https. What changes"
        f" something also needs the header `{cookies.HEADER}: 1`.",
    },
    "order": {"type": "http", "scheme": "bearer", "description": "The order's token, told when it was made"},
    "orderInQuery": {
        "type": "apiKey",
        "in": "query",
        "name": "token",
        "description": "The order's token, for clients that cannot set a header",
    },
    "metrics": {
        "type": "http",
        "scheme": "bearer",
        "description": "RATELOCK_METRICS_TOKEN's, the operator token, or an API token with `read`",
    },
}
_PROBLEM = {
    "title": "Problem",
    "type": "object",
    "description": "RFC 9457 problem details. `code` is stable; some codes bring members of their own.",
    "required": ["type", "title", "status", "code"],
    "properties": {
        "type": {"type": "string", "const": "about:blank"},
        "title": {"type": "string", "description": "For people"},
        "status": {"type": "integer"},
        "code": {"type": "string", "enum": sorted(STATUS_OF)},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "description": "Of InvalidRequest: each field that cannot be used",
            "items": {
                "type": "object",
                "required": ["field", "reason"],
                "properties": {"field": {"type": "string"}, "reason": {"type": "string"}},
            },
        },
    },
}
_HEADERS = {
    401: {"WWW-Authenticate": {"schema": {"type": "string", "const": "Bearer"}}},
    429: {"Retry-After": {"description": "Seconds", "schema": {"type": "integer", "minimum": 1}}},
}
_EXAMPLES = {
    "device_id": "PILE-1",
    "order_id": "06g9r2k4vw8m1c0qz7n5t3xh2b",
    "settlement_id": 1,
    "from": "2026-11-23",
    "to": "2026-11-29",
    "from_at": 1_795_392_000,
    "until_at": 1_795_478_400,
}
# Of request bodies whose members do not show by themselves what they are.
_BODIES = {
    "OrderBody": {
        "device_id": "PILE-1",
        "connector": 1,
        "rate_id": "r-06g9r2k4vw8m1c0qz7n5t3xh2b",
        "price": 1_200_000,
        "limits": {"energy_mwh": 5_000_000},
    },
    "ReviewBody": {"decision": "release", "note": "The pile's clock was wrong."},
}
# FastAPI does not check it; orders/create.py does.
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": "A new random text for each order: the same one again gets the same order again",
    "schema": {"type": "string", "minLength": 16, "maxLength": 128, "pattern": "^[ -~]*$"},
    "example": "5f0c3f2a-6a0e-4a53-9d5e-1f7b7f1f6f7e",
}


def raises(*codes: str) -> dict[str, Any]:
    """For a route's `openapi_extra`: the problems of its own. Raises KeyError for an unknown code."""
    for code in codes:
        STATUS_OF[code]
    return {_RAISES: list(codes)}


def install(app: FastAPI) -> None:
    """Let `app` answer /openapi.json with the whole document."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = document


def _document(app: FastAPI) -> dict[str, Any]:
    made = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
    _name_permissions(app, made["paths"])
    for path, operations in made["paths"].items():
        for method, operation in operations.items():
            _complete(path, method, operation)
    schemas = made["components"]["schemas"]
    for replaced in ("HTTPValidationError", "ValidationError"):
        schemas.pop(replaced, None)
    schemas["Problem"] = _PROBLEM
    for name, example in _BODIES.items():
        schemas[name]["examples"] = [example]
    made["components"]["securitySchemes"] = _SECURITY_SCHEMES
    return made


def _name_permissions(app: FastAPI, paths: dict[str, Any]) -> None:
    for route in iter_route_contexts(app.routes):
        dependant = getattr(route, "dependant", None)
        for needed in set(permissions(dependant)) - {"any"} if dependant else ():
            permission = needed.removeprefix("order:")
            whose = "Operators need" if needed != permission else "Needs"
            for method in getattr(route, "methods", None) or ():
                operation = paths[getattr(route, "path", "")][method.lower()]
                operation["description"] += f"\n\n{whose} the permission `{permission}`."


def _complete(path: str, method: str, operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    responses.pop("422", None)  # FastAPI's own form of it
    security = _security(path, operation)
    if security:
        operation["security"] = [{name: []} for name in security]
    if "parameters" in operation:
        operation["parameters"] = list(_parameters(operation["parameters"]))
    codes = {*operation.pop(_RAISES, ()), *_general(path, method, operation, security)}
    for status, meanings in MEANINGS.items():
        found = {code: text for code, text in meanings.items() if code in codes}
        if found:
            responses[str(status)] = _response(status, found)


def _parameters(found: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for parameter in found:
        name = parameter["name"]
        if name == "idempotency-key":
            yield _IDEMPOTENCY_KEY
        elif name in _EXAMPLES:
            yield parameter | {"example": _EXAMPLES[name]}
        elif name != "token":  # a security scheme describes it
            yield parameter


def _security(path: str, operation: dict[str, Any]) -> tuple[str, ...]:
    """The security schemes of the route; any one of them is enough."""
    if _is_of_order(path, operation):
        return "order", "orderInQuery", "operator", "session"
    if path == "/metrics":
        return "metrics", "session"
    return ("operator", "session") if _OPERATOR_TAGS & set(operation["tags"]) else ()


def _is_of_order(path: str, operation: dict[str, Any]) -> bool:
    """Whether the route accepts an order's token."""
    return path.startswith(_ORDER_PATH) and not _OPERATOR_TAGS & set(operation["tags"])


def _general(path: str, method: str, operation: dict[str, Any], security: tuple[str, ...]) -> Iterator[str]:
    """The codes that a route has because of what it is."""
    yield from ("BadRequest", "HeadersTooLarge", "InternalError")
    if path.startswith("/api/"):
        yield "DatabaseUnavailable"
    if _is_of_order(path, operation):
        yield "UnknownOrder"
    elif security:
        yield "Unauthorized"
    if "session" in security:
        yield "Forbidden"
    if "session" in security and method not in ("get", "head"):
        yield "CrossSite"
    if operation.get("parameters") or "requestBody" in operation:
        yield "InvalidRequest"
    if "requestBody" in operation:
        yield from ("NotJson", "BodyTooLarge")
        if path.startswith("/api/"):
            yield "OutcomeUnknown"


def _response(status: int, meanings: dict[str, str]) -> dict[str, Any]:
    schema = {
        "allOf": [{"$ref": "#/components/schemas/Problem"}, {"properties": {"code": {"enum": [*meanings]}}}]
    }
    examples = {
        code: {"value": {"type": "about:blank", "title": text, "status": status, "code": code}}
        for code, text in meanings.items()
    }
    made = {
        "description": "; ".join(f"`{code}`: {text}" for code, text in meanings.items()),
        "content": {CONTENT_TYPE: {"schema": schema, "examples": examples}},
    }
    return made | ({"headers": _HEADERS[status]} if status in _HEADERS else {})
