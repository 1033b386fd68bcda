"""The console's sign-in under those who guess, flood or forge requests."""

from __future__ import annotations

import asyncio
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from argon2 import PasswordHasher
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient
from sqlalchemy import text

from cloud_stub.app import create_app
from cloud_stub.base.problems import Problem
from cloud_stub.cloud import Cloud
from cloud_stub.db import audit
from cloud_stub.db.schema import metadata
from cloud_stub.http import cookies
from cloud_stub.http.rate_limits import Limit
from cloud_stub.people import attempts, passwords, sessions, users
from tests.cloud.fakes import WAIT_S
from tests.cloud.operators import FROM_CONSOLE, account, is_known, member, refusal, session, sign_in

only_sqlite = pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
PASSWORD = "correct horse battery"
HASH = passwords.hashed(PASSWORD)


@pytest.fixture
def anna(cloud: Cloud, client: TestClient) -> str:
    """An owner who can sign in; addresses are not limited."""
    account(cloud, "anna", "owner", HASH)
    client.app.state.sign_in_limit = Limit(0)  # type: ignore[attr-defined]
    return "anna"


def from_address(client: TestClient, address: str) -> TestClient:
    """Another browser before the same cloud."""
    return TestClient(client.app, client=(address, 50_000))


def failures(cloud: Cloud) -> list[tuple[str | None, str]]:
    with cloud.store.reading.connect() as conn:
        found = audit.list_lines(conn, audit.Wanted({"action": "SignInFailed"}), 500)
    return [(row.account, row.detail) for row in found]


# -- the cookie


@only_sqlite
@pytest.mark.parametrize(
    ("base_url", "public_url", "secure"),
    [
        ("http://testserver", None, False),
        ("https://testserver", None, True),
        ("http://testserver", "https://testserver/", True),  # a proxy that says nothing about https
        ("http://127.0.0.1:8080", "https://piles.example.org", False),  # past the proxy, on the machine
    ],
)
def test_the_cookie_is_for_this_site_and_its_requests_alone(
    cloud: Cloud, anna: str, base_url: str, public_url: str | None, secure: bool
):
    cloud.settings.public_url = public_url
    browser = TestClient(create_app(cloud), base_url=base_url)
    body = {"name": anna, "password": PASSWORD}
    answer = browser.post("/api/session", json=body, headers=FROM_CONSOLE)
    name, _, rest = answer.headers["set-cookie"].partition("=")
    secret, *attributes = rest.split("; ")
    wanted = {"HttpOnly", "Path=/", "SameSite=strict"} | ({"Secure"} if secure else set())
    assert (name, set(attributes)) == ("__Host-ratelock" if secure else "ratelock", wanted)
    assert len(secret) == 43
    headers = {"Cookie": f"{name}={secret}"}
    plain = TestClient(browser.app, base_url="http://10.0.0.1")
    # Over plain http the name of the https cookie means nothing.
    assert is_known(plain, headers) != secure
    signed_out = browser.delete("/api/session", headers=FROM_CONSOLE | headers)
    assert "Max-Age=0" in signed_out.headers["set-cookie"]


@only_sqlite
def test_a_phone_gets_no_cookie(client: TestClient, pile: Any, phone: Any):
    order = phone.order()
    own = f"/api/orders/{order['order_id']}?token={order['token']}"
    for path in ("/", "/p/PILE-1", "/api/piles/PILE-1", "/api/piles/PILE-1/rate", own, "/console"):
        assert "set-cookie" not in client.get(path).headers, path


@only_sqlite
def test_each_sign_in_has_a_secret_of_its_own(cloud: Cloud, client: TestClient, anna: str):
    client.cookies.set("ratelock", "x" * 43)  # as somebody else would have it
    assert sign_in(client, anna, PASSWORD) == 201
    first = [each.value for each in client.cookies.jar if each.value != "x" * 43]
    client.cookies.clear()
    assert sign_in(client, anna, PASSWORD) == 201
    assert first and client.cookies.get("ratelock") not in first


# -- forged requests


# Whoever may call these needs no session; the second is signed by a payment provider.
OPEN_POSTS = ("/api/orders", "/api/payments/{adapter}/events")


@only_sqlite
def test_a_request_of_another_sites_page_changes_nothing(
    cloud: Cloud, client: TestClient, phone: Any, pile: Any
):
    """A browser sends the cookie with it, but the other page cannot set the header."""
    order = phone.order()
    cookie = {"Cookie": member(cloud, "owner")["Cookie"]}
    with cloud.store.reading.connect() as conn:
        before = audit.list_lines(conn, audit.Wanted(), 1)
    tried = 0
    for route in iter_route_contexts(client.app.routes):  # type: ignore[attr-defined]
        for method in sorted((getattr(route, "methods", None) or set()) - {"GET", "HEAD"}):
            declared = str(getattr(route, "path", ""))
            path = re.sub(r"\{\w+\}", order["order_id"], declared)
            if path.startswith("/api/") and declared not in OPEN_POSTS:
                assert refusal(client.request(method, path, headers=cookie)) == (403, "CrossSite"), path
                tried += 1
    assert tried > 15
    with cloud.store.reading.connect() as conn:
        assert audit.list_lines(conn, audit.Wanted(), 1) == before
    assert is_known(client, cookie), "it could look, and not be read"


@only_sqlite
def test_another_sites_page_signs_nobody_in(client: TestClient, anna: str):
    form = {"Content-Type": "text/plain"}
    body = '{"name": "anna", "password": "correct horse battery"}'
    assert client.post("/api/session", content=body, headers=form).status_code == 403
    assert client.post("/api/session", content=body, headers=form | FROM_CONSOLE).status_code == 422
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    asked["Access-Control-Request-Headers"] = cookies.HEADER
    answer = client.options("/api/session", headers=asked)
    assert not [name for name in answer.headers if name.startswith("access-control-")]


@only_sqlite
def test_a_cookie_does_not_help_a_token_that_is_wrong(
    cloud: Cloud, client: TestClient, phone: Any, pile: Any
):
    order = phone.order()
    headers = member(cloud, "owner")
    path = f"/api/orders/{order['order_id']}"
    assert client.get(path, headers=headers).status_code == 200
    assert refusal(client.get(path + "?token=wrong", headers=headers)) == (404, "UnknownOrder")
    for wrong in ("Bearer wrong", "Bearer rl_wrong", "Basic eDp5", "Bearer ", ""):
        answer = client.get("/api/orders", headers=headers | {"Authorization": wrong})
        assert refusal(answer) == (401, "Unauthorized"), wrong


# -- guessing


@only_sqlite
def test_one_address_may_try_only_so_often(cloud: Cloud, anna: str):
    cloud.settings.sign_ins_per_minute = 3
    browser = TestClient(create_app(cloud), client=("203.0.113.7", 50_000))
    assert [sign_in(browser, f"name-{n}", "wrong") for n in range(4)] == [401, 401, 401, 429]
    assert sign_in(browser, anna, PASSWORD) == 429, "a right one neither"
    assert sign_in(from_address(browser, "203.0.113.8"), anna, PASSWORD) == 201


@only_sqlite
def test_guessing_from_elsewhere_does_not_keep_an_owner_out(client: TestClient, anna: str):
    """Many addresses use up what the account takes from strangers; its own network has its own budget."""
    at_home = from_address(client, "198.51.100.4")
    assert sign_in(at_home, anna, PASSWORD) == 201, "the first of those from elsewhere"
    statuses = [sign_in(from_address(client, f"203.0.113.{n}"), anna, f"guess {n}") for n in range(22)]
    assert statuses == [401] * (attempts.BURST - 1) + [429] * 3
    elsewhere = from_address(client, "203.0.113.99")
    answer = elsewhere.post("/api/session", json={"name": anna, "password": PASSWORD}, headers=FROM_CONSOLE)
    assert refusal(answer) == (429, "TooManyRequests")
    assert answer.headers["retry-after"] == str(attempts.PERIOD_S), "for a while, not for ever"
    assert sign_in(at_home, anna, PASSWORD) == 201
    assert sign_in(at_home, anna, "wrong") == 401


def test_a_budget_fills_again(monkeypatch: pytest.MonkeyPatch):
    now = [0]
    monkeypatch.setattr("time.monotonic_ns", lambda: now[0])
    limits = attempts.Attempts()
    assert [limits.take("anna", "a", "b") for _ in range(attempts.BURST + 1)] == [True] * 20 + [False]
    assert limits.take("anna", "b", "b") and limits.take("ben", "a", None)
    now[0] = attempts.PERIOD_S * 1_000_000_000
    assert [limits.take("anna", "c", "b") for _ in range(2)] == [True, False]


@only_sqlite
def test_failures_are_audited_and_bounded_without_what_was_typed(cloud: Cloud, client: TestClient, anna: str):
    for n in range(12):
        assert sign_in(client, anna, f"wrong {n}") == 401
        assert sign_in(client, f"my-own-password-{n}", "x") == 401
    found = failures(cloud)
    assert [row for row in found if row[0] == anna] == [(anna, "testclient")] * attempts.LINES_BURST
    assert [row for row in found if row[0] is None] == (
        [(None, "testclient, no such account")] * attempts.LINES_BURST
    )
    assert attempts.Lines().take("anna") == 0


def test_what_had_no_line_is_counted_in_the_next(monkeypatch: pytest.MonkeyPatch):
    now = [0]
    monkeypatch.setattr("time.monotonic_ns", lambda: now[0])
    limits = attempts.Lines()
    assert [limits.take("anna") for _ in range(12)] == [0] * 10 + [None] * 2
    now[0] = attempts.LINES_PERIOD_S * 1_000_000_000
    assert [limits.take("anna") for _ in range(2)] == [2, None]


@only_sqlite
def test_a_name_that_nobody_has_takes_as_long_as_one_that_somebody_has(
    cloud: Cloud, client: TestClient, anna: str, monkeypatch: pytest.MonkeyPatch
):
    """One hash of the same cost in every case, and the same answer."""
    account(cloud, "gone", "viewer", HASH)
    account(cloud, "off", "viewer", HASH)
    with cloud.store.writing.begin() as conn:
        conn.execute(text("UPDATE users SET disabled_at = 1 WHERE name = 'off'"))
        conn.execute(text("UPDATE users SET removed_at = 1, password_hash = '' WHERE name = 'gone'"))
    costs: list[str] = []
    verify = passwords._hasher.verify

    class Counted:
        def verify(self, password_hash: str, password: str) -> bool:
            costs.append(password_hash.rpartition("$")[0].rpartition("$")[0])
            return verify(password_hash, password)

        check_needs_rehash = passwords._hasher.check_needs_rehash

    monkeypatch.setattr(passwords, "_hasher", Counted())
    answers = []
    for name in (anna, "nobody", "no name at all", "", "off", "gone", "\0", "x" * 1_000):
        password = PASSWORD if name in ("off", "gone") else "wrong"
        body = {"name": name, "password": password}
        answers.append(client.post("/api/session", json=body, headers=FROM_CONSOLE))
    assert {(each.status_code, each.text) for each in answers} == {(401, answers[0].text)}
    assert costs == ["$argon2id$v=19$m=19456,t=2,p=1"] * len(answers)


# -- a flood


def test_hashing_waits_in_a_bounded_queue_and_never_on_the_event_loop():
    begun, go_on = threading.Event(), threading.Event()

    def work() -> str:
        begun.set()
        assert go_on.wait(WAIT_S)
        return threading.current_thread().name

    async def flood() -> list[Any]:
        pool = passwords.Passwords()
        waiting = [asyncio.ensure_future(pool.run(work)) for _ in range(passwords.WAITING_MAX)]
        await asyncio.to_thread(begun.wait, WAIT_S)  # the loop is free meanwhile
        with pytest.raises(Problem, match="TooManyRequests"):
            await pool.run(work)
        go_on.set()
        names = await asyncio.gather(*waiting)
        assert await pool.run(lambda: "again") == "again"
        pool.stop()
        return names

    names = asyncio.run(flood())
    assert set(names) == {"passwords_0"}, "one core at most"


@only_sqlite
def test_others_are_served_while_a_password_is_checked(
    cloud: Cloud, client: TestClient, anna: str, monkeypatch: pytest.MonkeyPatch
):
    begun, go_on = threading.Event(), threading.Event()

    def slow(password_hash: str | None, password: str) -> bool:
        begun.set()
        return go_on.wait(WAIT_S)

    monkeypatch.setattr(passwords, "is_right", slow)
    with ThreadPoolExecutor(1) as pool:
        signing_in = pool.submit(sign_in, client, anna, PASSWORD)
        assert begun.wait(WAIT_S)
        assert client.get("/healthz").status_code == 200
        go_on.set()
        assert signing_in.result(WAIT_S) == 201


@only_sqlite
@pytest.mark.parametrize("change", ["disabled_at = 1", "removed_at = 1", "password_hash = 'another'"])
def test_who_is_disabled_while_the_password_is_checked_is_not_signed_in(
    cloud: Cloud, client: TestClient, anna: str, monkeypatch: pytest.MonkeyPatch, change: str
):
    def changed_meanwhile(password_hash: str | None, password: str) -> bool:
        with cloud.store.writing.begin() as conn:
            conn.execute(text("UPDATE users SET " + change))
        return True

    monkeypatch.setattr(passwords, "is_right", changed_meanwhile)
    assert sign_in(client, anna, PASSWORD) == 401
    with cloud.store.reading.connect() as conn:
        assert conn.execute(text("SELECT count(*) FROM sessions")).scalar_one() == 0


@only_sqlite
def test_a_hash_of_lower_cost_is_made_anew_at_the_next_sign_in(cloud: Cloud, client: TestClient):
    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    account(cloud, "anna", "owner", cheap)
    assert sign_in(client, "anna", PASSWORD) == 201
    with cloud.store.reading.connect() as conn:
        row = users.find(conn, "anna")
    assert row is not None and not passwords.is_outdated(row.password_hash)
    assert sign_in(client, "anna", PASSWORD) == 201


# -- what is kept


@only_sqlite
def test_no_secret_is_stored_or_logged(
    cloud: Cloud,
    client: TestClient,
    anna: str,
    as_operator: dict[str, str],
    capsys: pytest.CaptureFixture[str],
):
    """Neither a password nor the text of a cookie or token: only their hashes."""
    assert sign_in(client, anna, PASSWORD) == 201
    cookie = client.cookies.get("ratelock") or ""
    body = {"name": "ci", "permissions": ["read"], "days": 1}
    token = client.post("/api/tokens", json=body, headers=as_operator).json()["token"]
    sign_in(client, anna, "a wrong password of hers")
    sign_in(client, "a-password-as-name", "x")
    client.cookies.clear()
    client.get("/api/orders", headers={"Authorization": "Bearer " + token + "x"})
    with cloud.store.reading.connect() as conn:
        tables = [table.name for table in metadata.sorted_tables]
        kept = str([conn.execute(text("SELECT * FROM " + name)).all() for name in tables])
    said = capsys.readouterr()
    assert "sign_in_failed" in said.out + said.err
    for secret in (PASSWORD, cookie, token, "a wrong password of hers", "a-password-as-name"):
        assert len(secret) > 10 and secret not in kept, secret
        assert secret not in said.out + said.err, secret
    assert "argon2id" in kept


@only_sqlite
def test_the_sessions_of_one_person_are_bounded(cloud: Cloud, client: TestClient, anna: str):
    first = session(cloud, anna, "owner")
    for _ in range(sessions.PER_USER_MAX):
        session(cloud, anna, "owner")
    assert not is_known(client, first)
