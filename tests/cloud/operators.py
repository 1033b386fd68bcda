"""Operators of the tests: accounts with a session, without the cost of hashing a password."""

from typing import Any

from fastapi.testclient import TestClient

from cloud_stub.base.clock import now_s
from cloud_stub.cloud import Cloud
from cloud_stub.db.writer import Transaction
from cloud_stub.http import cookies
from cloud_stub.people import sessions, users
from cloud_stub.people.roles import ROLES
from tests.cloud.fakes import ACTOR

FROM_CONSOLE = {cookies.HEADER: "1"}


def account(cloud: Cloud, name: str, role: str, password_hash: str = "") -> None:
    with cloud.store.writing.begin() as conn:
        users.add(Transaction(conn), ACTOR, ROLES["owner"], name, role, password_hash, now_s())


def session(cloud: Cloud, name: str, role: str) -> dict[str, str]:
    """A new session of the account; returns the headers of its console's requests."""
    with cloud.store.writing.begin() as conn:
        _, secret = sessions.begin(conn, name, role, "203.0.113.9", "a browser", now_s(), 3600)
    return FROM_CONSOLE | {"Cookie": f"{cookies.NAME}={secret}"}


def member(cloud: Cloud, role: str, name: str | None = None) -> dict[str, str]:
    """A new account with that role, signed in; returns the headers of its console's requests."""
    account(cloud, name or "the-" + role, role)
    return session(cloud, name or "the-" + role, role)


def sign_in(client: TestClient, name: str, password: str, **headers: str) -> int:
    """Sign `client` in as its browser would; returns the answer's status."""
    body = {"name": name, "password": password}
    return client.post("/api/session", json=body, headers=FROM_CONSOLE | headers).status_code


def refusal(answer: Any) -> tuple[int, str]:
    """The status and code of an answer that is a problem."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["code"]


def is_known(client: TestClient, headers: dict[str, str] | None = None) -> bool:
    """Whether the cloud takes the client's cookie, or that of the headers, for somebody's session."""
    return client.get("/api/session", headers=headers).json()["caller"] is not None
