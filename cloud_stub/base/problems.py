"""Errors that are answered to the HTTP client; http/problem_details.py makes the answers (RFC 9457).

A unit of work raises Problem *before* its first write, so the writer may keep the rest of its group.
"""

from collections.abc import Mapping
from typing import Any


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


def unknown_pile(device_id: str) -> Problem:
    return Problem(404, "UnknownPile", "There is no pile with that id", device_id=device_id[:64])


def pile_removed(device_id: str, removed_at: int) -> Problem:
    title = "This pile was removed; orders made there keep their receipts"
    return Problem(410, "PileRemoved", title, device_id=device_id, removed_at=removed_at)


def unknown_order() -> Problem:
    """Also for a wrong token, so that only its owner learns that an order exists."""
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


def require_unchanged(seen: Mapping[str, Any] | None, present: Mapping[str, Any]) -> None:
    """seen: members of a thing as the caller knew them; present: as they are. Raises Problem (Replaced)."""
    changed = {name: present[name] for name, value in (seen or {}).items() if value != present[name]}
    if changed:
        raise Problem(409, "Replaced", "Somebody else has changed it meanwhile", present=changed)


def unauthorized() -> Problem:
    problem = Problem(401, "Unauthorized", "Sign in, or send a token that is valid")
    problem.headers["WWW-Authenticate"] = "Bearer"
    return problem


def forbidden(permission: str) -> Problem:
    return Problem(403, "Forbidden", "Your role does not allow this", permission=permission)


def too_many(wait_s: int) -> Problem:
    problem = Problem(429, "TooManyRequests", "Too many requests; wait and try again")
    problem.headers["Retry-After"] = str(wait_s)
    return problem


def internal_error() -> Problem:
    return Problem(500, "InternalError", "Something went wrong here; it has been noted")


def database_unavailable() -> Problem:
    problem = Problem(503, "DatabaseUnavailable", "The database does not answer; try again")
    problem.headers["Retry-After"] = "1"
    return problem


def write_unknown() -> Problem:
    """The commit was sent to the database, which has not answered. It may have taken effect."""
    title = "The database does not answer; it may or may not have been done"
    detail = "Look, or try again with the same Idempotency-Key"
    problem = Problem(503, "OutcomeUnknown", title, detail)
    problem.headers["Retry-After"] = "5"
    return problem


def unknown_connector(connector: int) -> Problem:
    return Problem(404, "UnknownConnector", "This pile has no such connector", connector=connector)
