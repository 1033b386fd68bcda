"""Accounts, sessions and API tokens, over HTTP and the command line."""

import io
import json
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from cloud_stub.base.clock import now_s
from cloud_stub.cli import main
from cloud_stub.cloud import Cloud
from cloud_stub.db import audit
from cloud_stub.db.audit import Wanted
from cloud_stub.db.writer import Transaction
from cloud_stub.people import sessions, users
from cloud_stub.people.roles import ROLES
from cloud_stub.settings import Settings
from tests.cloud.changes import PASSWORD
from tests.cloud.fakes import ACTOR, WAIT_S, FakePile
from tests.cloud.operators import FROM_CONSOLE, account, is_known, member, refusal, session, sign_in

OTHER_PASSWORD = "staple of four words"


def lines(cloud: Cloud, **columns: str) -> list[tuple[str, str, str, str | None]]:
    """Kind of actor, actor, action, account of the newest lines."""
    with cloud.store.reading.connect() as conn:
        found = audit.list_lines(conn, Wanted(columns), 50)
    return [(row.actor_kind, row.actor, row.action, row.account) for row in found]


# -- accounts and sessions


def test_a_person_signs_in_is_known_by_name_and_signs_out(cloud: Cloud, client: TestClient, operator: Any):
    made = operator("POST", "/api/users", {"name": "anna", "role": "operator", "password": PASSWORD})
    assert made.status_code == 201
    assert made.json().keys() == {"name", "role", "created_at", "signed_in_at", "disabled_at"}
    assert sign_in(client, " Anna ", PASSWORD) == 201  # as a phone's keyboard writes it
    me = client.get("/api/session").json()["caller"]
    assert (me["kind"], me["name"], me["role"]) == ("user", "anna", "operator")
    assert me["permissions"] == ["read", "operate", "price", "register", "money"]
    added = client.post("/api/piles", json={"device_id": "PILE-1"}, headers=FROM_CONSOLE)
    assert added.status_code == 201
    assert lines(cloud, device_id="PILE-1") == [("user", "anna", "PileAdded", None)]
    cookie = client.cookies.get("ratelock")
    assert client.delete("/api/session", headers=FROM_CONSOLE).json() == {"signed_out": True}
    assert client.cookies.get("ratelock") is None
    client.cookies.set("ratelock", cookie or "")
    assert not is_known(client), "the session itself has ended"
    assert lines(cloud, account="anna") == [
        ("user", "anna", "SignedOut", "anna"),
        ("user", "anna", "SignedIn", "anna"),
        ("script", "operator token", "UserAdded", "anna"),
    ]


def test_a_password_is_changed_by_its_person_whose_other_sessions_end(
    cloud: Cloud, client: TestClient, operator: Any
):
    operator("POST", "/api/users", {"name": "anna", "role": "viewer", "password": PASSWORD})
    other = session(cloud, "anna", "viewer")
    assert sign_in(client, "anna", PASSWORD) == 201

    def change(old: str, new: str) -> Any:
        return client.put("/api/session/password", json={"old": old, "new": new}, headers=FROM_CONSOLE)

    wrong = change("not the password", OTHER_PASSWORD)
    assert refusal(wrong) == (422, "InvalidRequest")
    assert wrong.json()["errors"] == [{"field": "old", "reason": "is not the password"}]
    assert change(PASSWORD, "short").json()["errors"][0]["field"] == "new"
    assert change(PASSWORD, OTHER_PASSWORD).status_code == 200
    assert is_known(client), "this session stays"
    client.cookies.clear()
    assert not is_known(client, other)
    assert sign_in(client, "anna", PASSWORD) == 401
    assert sign_in(client, "anna", OTHER_PASSWORD) == 201
    assert refusal(operator("PUT", "/api/session/password", {"old": "x", "new": OTHER_PASSWORD})) == (
        409,
        "NoPassword",
    )


def test_what_an_account_may_do_changes_with_its_next_request(
    cloud: Cloud, client: TestClient, operator: Any, pile: FakePile
):
    headers = member(cloud, "viewer", "anna")
    reset = lambda: client.post("/api/piles/PILE-1/reset", json={}, headers=headers)  # noqa: E731
    assert refusal(reset()) == (403, "Forbidden")
    assert reset().json()["permission"] == "operate"
    assert operator("PUT", "/api/users/anna/role", {"role": "operator"}).json()["role"] == "operator"
    assert reset().status_code == 202
    disabled = operator("PUT", "/api/users/anna/disabled", {"disabled": True}).json()
    assert disabled["disabled_at"] is not None
    assert reset().status_code == 401
    operator("PUT", "/api/users/anna/disabled", {"disabled": False})
    assert reset().status_code == 401, "its sessions have ended"


def test_a_removed_name_is_not_used_again(cloud: Cloud, client: TestClient, operator: Any):
    headers = member(cloud, "operator", "anna")
    assert operator("DELETE", "/api/users/anna").status_code == 200
    assert not is_known(client, headers)
    assert operator("GET", "/api/users").json()["items"] == []
    body = {"name": "anna", "role": "viewer", "password": PASSWORD}
    assert refusal(operator("POST", "/api/users", body)) == (409, "UserExists")
    for method, rest, body in (
        ("DELETE", "", None),
        ("PUT", "/role", {"role": "viewer"}),
        ("PUT", "/disabled", {"disabled": False}),
        ("PUT", "/password", {"password": PASSWORD}),
    ):
        assert refusal(operator(method, "/api/users/anna" + rest, body)) == (404, "UnknownUser"), rest


def test_the_last_owner_stays_one(cloud: Cloud, client: TestClient, operator: Any):
    headers = member(cloud, "owner", "anna")
    account(cloud, "ben", "owner")
    operator("PUT", "/api/users/ben/disabled", {"disabled": True})
    refused = [
        ("DELETE", "/api/users/anna", None),
        ("PUT", "/api/users/anna/role", {"role": "operator"}),
        ("PUT", "/api/users/anna/disabled", {"disabled": True}),
    ]
    for method, path, body in refused:  # by the operator token, too
        assert refusal(operator(method, path, body)) == (409, "LastOwner"), path
        answer = client.request(method, path, json=body, headers=headers)
        assert refusal(answer) == (409, "LastOwner"), path
    operator("PUT", "/api/users/ben/disabled", {"disabled": False})
    assert operator("PUT", "/api/users/anna/role", {"role": "operator"}).status_code == 200


def test_two_owners_who_remove_each_other_leave_one(cloud: Cloud, client: TestClient):
    account(cloud, "anna", "owner")
    account(cloud, "ben", "owner")
    units = [
        cloud.writer.submit(lambda tx, n=n: users.remove(tx, ACTOR, ROLES["owner"], n, now_s()))
        for n in ("anna", "ben")
    ]
    outcomes = [each.exception(WAIT_S) for each in units]
    assert [outcome is None for outcome in outcomes].count(True) == 1, outcomes


@pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
def test_two_workers_do_not_remove_both_owners(cloud: Cloud):
    """The second one waits for the first one's commit, and sees it."""
    cloud.store.migrate()
    account(cloud, "anna", "owner")
    account(cloud, "ben", "owner")
    with cloud.store.writing.begin() as first:
        users.remove(Transaction(first), ACTOR, ROLES["owner"], "anna", now_s())
        cloud.writer.start()
        later = cloud.writer.submit(lambda tx: users.remove(tx, ACTOR, ROLES["owner"], "ben", now_s()))
        waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        with cloud.store.reading.connect() as conn:
            while not conn.execute(waiting).scalar_one() and not later.done():
                pass
    assert "LastOwner" in str(later.exception(WAIT_S))
    cloud.writer.stop()


def test_nobody_gives_more_than_they_hold(cloud: Cloud, client: TestClient, operator: Any):
    """A token that manages people makes no owner, and takes over no account that may do more."""
    account(cloud, "anna", "owner")
    account(cloud, "ben", "viewer")
    scope = {"name": "people", "permissions": ["people", "read"], "days": 1}
    token = {"Authorization": "Bearer " + operator("POST", "/api/tokens", scope).json()["token"]}
    calls = [
        ("POST", "/api/users", {"name": "eve", "role": "owner", "password": PASSWORD}),
        ("PUT", "/api/users/ben/role", {"role": "operator"}),
        ("PUT", "/api/users/anna/password", {"password": PASSWORD}),
        ("PUT", "/api/users/anna/disabled", {"disabled": True}),
        ("DELETE", "/api/users/anna", None),
        ("POST", "/api/tokens", {"name": "all", "permissions": ["money"], "days": 1}),
    ]
    for method, path, body in calls:
        answer = client.request(method, path, json=body, headers=token)
        assert refusal(answer) == (403, "Forbidden"), path
    made = client.post(
        "/api/users", json={"name": "eve", "role": "viewer", "password": PASSWORD}, headers=token
    )
    assert made.status_code == 201
    assert lines(cloud, account="eve") == [("token", "people", "UserAdded", "eve")]


def test_a_session_ends_when_it_is_not_used_and_at_its_latest_time(cloud: Cloud):
    cloud.store.migrate()
    account(cloud, "anna", "owner")
    idle_s, life_s, at = 1000, 5000, 1_800_000_000
    with cloud.store.writing.begin() as conn:
        found, secret = sessions.begin(conn, "anna", "owner", "203.0.113.9", "", at, life_s)
        live = lambda now: sessions.find(conn, secret, now, idle_s) is not None  # noqa: E731
        assert [live(at + s) for s in (0, 999, 1000)] == [True, True, False]
        for used in range(900, life_s, 900):
            sessions.note_use(conn, found.session_id, at + used)
        assert [live(at + s) for s in (4_999, 5_000)] == [True, False]
        assert sessions.find(conn, secret[:-1], at, idle_s) is None
        assert len(sessions.list_views(conn, at + 4_999, idle_s)) == 1
        sessions.trim(conn, at + 4_999, idle_s)
        assert len(sessions.list_views(conn, at + 4_999, idle_s)) == 1
        sessions.trim(conn, at + 5_000, idle_s)
        assert conn.execute(text("SELECT count(*) FROM sessions")).scalar_one() == 0
        for n in range(sessions.PER_USER_MAX + 5):
            sessions.begin(conn, "anna", "owner", f"10.0.0.{n}", "", at, life_s)
        addresses = [each["address"] for each in sessions.list_views(conn, at, idle_s)]
        assert len(addresses) == sessions.PER_USER_MAX and "10.0.0.0" not in addresses


def test_using_a_session_keeps_it_and_the_periodic_jobs_delete_what_has_ended(
    cloud: Cloud, client: TestClient, operator: Any
):
    headers = member(cloud, "owner", "anna")
    with cloud.store.writing.begin() as conn:
        conn.execute(text("UPDATE sessions SET used_at = used_at - 600"))
    assert is_known(client, headers)
    cloud.writer.submit(lambda tx: None).result(WAIT_S)
    (listed,) = operator("GET", "/api/sessions?user=anna").json()["items"]
    assert now_s() - listed["used_at"] < 60
    assert (listed["user_name"], listed["address"], listed["browser"]) == ("anna", "203.0.113.9", "a browser")
    cloud.jobs.run_once(now_s() + cloud.settings.session_idle_s + 1, sweep=True)
    assert not is_known(client, headers)


def test_an_owner_ends_the_session_of_another(cloud: Cloud, client: TestClient, operator: Any):
    headers = member(cloud, "viewer", "anna")
    (listed,) = operator("GET", "/api/sessions").json()["items"]
    assert operator("DELETE", "/api/sessions/" + listed["session_id"]).status_code == 200
    assert not is_known(client, headers)
    assert refusal(operator("DELETE", "/api/sessions/" + listed["session_id"])) == (404, "UnknownSession")
    assert lines(cloud, account="anna")[0] == ("script", "operator token", "SessionEnded", "anna")


# -- API tokens


def test_a_token_does_what_its_scope_says_until_its_end(cloud: Cloud, client: TestClient, operator: Any):
    made = operator("POST", "/api/tokens", {"name": "ci", "permissions": ["operate", "read"], "days": 90})
    assert made.json()["permissions"] == ["read", "operate"]
    token = {"Authorization": "Bearer " + made.json()["token"]}
    assert client.get("/api/orders", headers=token).status_code == 200
    assert client.get("/metrics", headers=token).status_code == 200
    assert refusal(client.post("/api/piles", json={"device_id": "P-1"}, headers=token)) == (403, "Forbidden")
    me = client.get("/api/session", headers=token).json()["caller"]
    assert (me["kind"], me["name"], me["role"]) == ("token", "ci", None)
    cloud.writer.submit(lambda tx: None).result(WAIT_S)
    (listed,) = operator("GET", "/api/tokens").json()["items"]
    assert "token" not in listed and "secret_hash" not in listed
    assert listed["used_at"] is not None and listed["created_by"] == "operator token"
    with cloud.store.writing.begin() as conn:
        conn.execute(text("UPDATE api_tokens SET expires_at = :now"), {"now": now_s()})
    assert refusal(client.get("/api/orders", headers=token)) == (401, "Unauthorized")


def test_a_revoked_token_is_none_and_its_name_is_free(cloud: Cloud, client: TestClient, operator: Any):
    body = {"name": "ci", "permissions": ["read"], "days": 1}
    made = operator("POST", "/api/tokens", body).json()
    assert refusal(operator("POST", "/api/tokens", body)) == (409, "TokenExists")
    for _ in range(2):
        assert operator("DELETE", "/api/tokens/" + made["token_id"]).status_code == 200
    token = {"Authorization": "Bearer " + made["token"]}
    assert refusal(client.get("/api/orders", headers=token)) == (401, "Unauthorized")
    assert operator("GET", "/api/tokens").json()["items"] == []
    assert operator("POST", "/api/tokens", body).status_code == 201
    assert refusal(operator("DELETE", "/api/tokens/none")) == (404, "UnknownToken")
    actions = [action for _, _, action, _ in lines(cloud, account="token:ci")]
    assert actions == ["TokenAdded", "TokenRevoked", "TokenAdded"]


# -- the command line


def test_people_on_the_command_line(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("RATELOCK_DATA", str(settings.data))
    monkeypatch.setenv("DATABASE_URL", settings.database)
    monkeypatch.setattr("cloud_stub.logs.configure", lambda: None)

    def run(*arguments: str, typed: str = PASSWORD + "\n") -> tuple[int, list[Any], str]:
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        code = main(list(arguments))
        said = capsys.readouterr()
        return code, [json.loads(each) for each in said.out.splitlines()], said.err

    assert run("user", "add", "anna", "--role", "owner", "--password-stdin")[0] == 0
    assert "UserExists" in run("user", "add", "anna", "--role", "viewer", "--password-stdin")[2]
    assert "password" in run("user", "add", "ben", "--role", "viewer", "--password-stdin", typed="short\n")[2]
    for name in ("Anna", "a b", "\u0430nna", "a" * 33, "-x", ""):
        code, _, error = run("user", "add", "--role", "viewer", "--password-stdin", "--", name)
        assert code == 1 and "name" in error, name
    assert run("user", "add", "ben", "--role", "viewer", "--password-stdin")[0] == 0
    assert run("user", "role", "ben", "operator")[1][0]["role"] == "operator"
    assert "LastOwner" in run("user", "disable", "anna")[2]
    assert run("user", "disable", "ben")[1][0]["disabled_at"] is not None
    assert run("user", "enable", "ben")[1][0]["disabled_at"] is None
    assert run("user", "password", "ben", "--password-stdin", typed=OTHER_PASSWORD)[0] == 0
    assert [each["name"] for each in run("user", "list")[1]] == ["anna", "ben"]
    assert run("user", "remove", "ben")[0] == 0
    assert [each["name"] for each in run("user", "list")[1]] == ["anna"]

    token = run("token", "add", "ci", "read", "operate", "--days", "30")[1][0]
    assert token["token"].startswith("rl_")
    assert run("token", "list")[1][0]["name"] == "ci"
    assert run("token", "revoke", token["token_id"])[0] == 0
    assert run("token", "list")[1] == []
    assert run("session", "list")[1] == []
    assert "UnknownSession" in run("session", "end", "none")[2]

    actions = [(each["actor_kind"], each["action"]) for each in run("audit", "--account", "ben")[1]]
    assert actions == [
        ("cli", each)
        for each in ("UserRemoved", "PasswordSet", "UserEnabled", "UserDisabled", "RoleSet", "UserAdded")
    ]
    assert main(["audit", "--csv", "--action", "UserAdded"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_the_terminal_is_asked_twice(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("RATELOCK_DATA", str(settings.data))
    monkeypatch.setenv("DATABASE_URL", settings.database)
    monkeypatch.setattr("cloud_stub.logs.configure", lambda: None)
    typed = iter([PASSWORD, PASSWORD + "x", PASSWORD, PASSWORD])
    monkeypatch.setattr("getpass.getpass", lambda prompt: next(typed))
    assert main(["user", "add", "anna", "--role", "owner"]) == 1
    assert "was not the same twice" in capsys.readouterr().err
    assert main(["user", "add", "anna", "--role", "owner"]) == 0
