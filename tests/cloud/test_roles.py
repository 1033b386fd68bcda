"""What each role may do, over every route of the application; and that what changes something is audited."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient

from cloud_stub.app import create_app
from cloud_stub.cloud import Cloud
from cloud_stub.db import audit
from cloud_stub.http.access import permissions
from cloud_stub.people.attempts import LINES_BURST
from cloud_stub.people.roles import PERMISSIONS, ROLES
from tests.cloud.changes import CHANGES, UNAUDITED, Change
from tests.cloud.conftest import AS_OPERATOR, Phone
from tests.cloud.fakes import FakePile, new_key
from tests.cloud.operators import member

only_sqlite = pytest.mark.parametrize("settings", ["sqlite"], indirect=True)

# Who may call them without being an operator. `/metrics` has a token of its own, and takes `read`.
OPEN = {
    ("GET", "/"),
    ("GET", "/p"),
    ("GET", "/p/"),
    ("GET", "/p/{device_id:path}"),
    ("GET", "/api/piles/{device_id}"),
    ("GET", "/api/piles/{device_id}/rate"),
    ("POST", "/api/orders"),
    ("POST", "/api/payments/{adapter}/events"),  # signed by the provider
    ("GET", "/api/session"),  # which says that nobody is signed in
    ("POST", "/api/session"),
    ("GET", "/console"),
    ("GET", "/console/"),
    ("GET", "/console/flash"),
    ("GET", "/static/{given}/{name}"),
    ("GET", "/docs"),
    ("GET", "/docs/start.js"),
    ("GET", "/docs/contrast.css"),
    ("GET", "/openapi.json"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
    ("POST", "/broker/auth"),  # RATELOCK_BROKER_TOKEN's
}


def routes(app: Any) -> Iterator[tuple[str, str, set[str]]]:
    """Method, path and the permissions that it needs, of each route of the application."""
    for route in iter_route_contexts(app.routes):
        path = str(getattr(route, "path", None))
        dependant = getattr(route, "dependant", None)
        needed = set(permissions(dependant)) if dependant else set()
        for method in sorted((getattr(route, "methods", None) or {"GET"}) - {"HEAD"}):
            if path != "/docs/assets":
                yield method, path, needed


def test_every_route_has_a_permission_or_is_open_on_purpose(cloud: Cloud):
    found = {(method, path): needed for method, path, needed in routes(create_app(cloud))}
    assert {route for route, needed in found.items() if not needed} == OPEN
    for route, needed in found.items():
        assert needed <= {*PERMISSIONS, "any", *("order:" + each for each in PERMISSIONS)}, route
        assert len(needed - {"any"}) <= 1, f"{route} needs one permission, not {needed}"
    assert len(found) > 60


@only_sqlite
@pytest.mark.parametrize("role", ROLES)
def test_a_role_opens_what_the_table_says_and_nothing_else(
    cloud: Cloud, client: TestClient, phone: Phone, pile: FakePile, role: str
):
    """Every route, as a member of each role: 403 with the permission that is missing, or something else."""
    order_id = phone.order()["order_id"]
    headers = member(cloud, role)
    refused = 0
    for method, path, needed in list(routes(client.app)):
        if not needed or (path.endswith("/events") and "order" in str(needed)) or "/session" in path:
            continue  # a stream that does not end; the session of this test
        filled = path.replace("{order_id}", order_id)
        answer = client.request(method, re.sub(r"\{\w+\}", "1", filled), headers=headers)
        (permission,) = (needed - {"any"}) or {"any"}
        missing = permission.removeprefix("order:") not in ROLES[role] | {"any"}
        told = answer.json().get("permission") if answer.status_code == 403 else None
        assert (answer.status_code == 403) == missing, (method, path, answer.text)
        assert told == (permission.removeprefix("order:") if missing else None), (method, path)
        refused += missing
    assert (refused == 0) == (role == "owner")


@only_sqlite
def test_each_route_that_changes_something_has_an_audit_line_with_who_did_it(
    cloud: Cloud, client: TestClient, phone: Phone, pile: FakePile, add_pile: Callable[..., FakePile]
):
    changing = {(m, p) for m, p, needed in routes(client.app) if m != "GET" and needed}
    left_out = changing - CHANGES.keys() - UNAUDITED.keys()
    assert not left_out, f"how to call them stands in tests/cloud/changes.py: {left_out}"
    headers = member(cloud, "owner")
    who = audit.Actor(audit.USER, "the-owner")
    for (method, path), change in CHANGES.items():
        assert (method, path) in changing, "there is no such route"
        with cloud.store.reading.connect() as conn:
            before = audit.list_lines(conn, audit.Wanted(), 1)[0].id
        _do(client, phone, add_pile, headers, method, path, change)
        with cloud.store.reading.connect() as conn:
            lines = [each for each in audit.list_lines(conn, audit.Wanted(), 10) if each.id > before]
        mine = [each for each in lines if (each.actor_kind, each.actor) == who]
        assert change.action in {each.action for each in mine}, (method, path, lines)
        about = next(each for each in mine if each.action == change.action)
        assert any(about[5:]), f"{method} {path}: the line does not say what it is about"


def _do(
    client: TestClient,
    phone: Phone,
    add_pile: Callable[..., FakePile],
    headers: dict[str, str],
    method: str,
    path: str,
    change: Change,
) -> None:
    def call(method: str, path: str, json: Any = None) -> Any:
        """As the operator token, for what has to be there first."""
        answer = client.request(method, path, json=json, headers=AS_OPERATOR)
        assert answer.status_code < 300, (path, answer.text)
        return answer.json()

    values = change.prepare(call, phone, add_pile) if change.prepare else {}
    filled = re.sub(r"\{(\w+)\}", lambda name: str(values[name[1]]), path)
    body = values.get("body", change.body)
    sent: dict[str, Any] = {"content": body} if isinstance(body, bytes) else {"json": body}
    answer = client.request(method, filled, headers=new_key() | values.get("headers", headers), **sent)
    assert answer.status_code < 300, (method, path, answer.text)


@only_sqlite
def test_what_is_refused_has_a_bounded_number_of_audit_lines(
    cloud: Cloud, client: TestClient, pile: FakePile
):
    headers = member(cloud, "viewer")
    for _ in range(LINES_BURST + 5):
        assert client.delete("/api/piles/PILE-1", headers=headers).status_code == 403
    assert client.delete("/api/piles/\u202ex", headers=member(cloud, "viewer", "eve")).status_code == 403
    # The lines are written in the background; whoever writes after them sees them stored.
    assert client.patch("/api/piles/PILE-1", json={"name": "x"}, headers=AS_OPERATOR).status_code == 200
    wanted = "/api/audit?action=Refused&limit=500"
    lines = client.get(wanted, headers=AS_OPERATOR).json()["items"]
    assert [each["device_id"] for each in lines] == [None] + ["PILE-1"] * LINES_BURST
    assert lines[1]["actor"] == lines[1]["account"] == "the-viewer"
    assert lines[1]["detail"] == "DELETE /api/piles/{device_id} needs register"
    assert client.get(wanted, headers=headers).json()["items"] == []  # lines about accounts are the owner's
