"""HTTP under clients that mean ill: too often, too large, too slow, without a token, with somebody else's."""

from __future__ import annotations

import json
import re
import socket
import threading
from typing import Any

import pytest
import uvicorn
from fastapi.testclient import TestClient

from cloud_stub.app import create_app
from cloud_stub.cloud import Cloud
from cloud_stub.http import rate_limits, request_deadline
from tests.cloud.fakes import WAIT_S, new_key

# -- how often -----------------------------------------------------------------------------------------------


def test_a_bucket_holds_a_minute_and_fills_steadily():
    limit = rate_limits.Limit(per_minute=6)
    assert [limit.wait_s("203.0.113.1", 0) for _ in range(7)] == [0] * 6 + [10]
    assert limit.wait_s("203.0.113.1", 9_999) == 1
    assert limit.wait_s("203.0.113.1", 10_000) == 0
    assert limit.wait_s("203.0.113.1", 10_000) == 10
    assert [limit.wait_s("203.0.113.1", 3_600_000) for _ in range(7)] == [0] * 6 + [10]


def test_clients_have_buckets_of_their_own():
    limit = rate_limits.Limit(per_minute=1)
    assert limit.wait_s("203.0.113.1", 0) == 0 < limit.wait_s("203.0.113.1", 0)
    assert limit.wait_s("203.0.113.2", 0) == 0
    assert limit.wait_s("2001:db8:0:1::5", 0) == 0 < limit.wait_s("2001:db8:0:1:ffff::6", 0), "one site"
    assert limit.wait_s("2001:db8:0:2::5", 0) == 0
    assert limit.wait_s("::ffff:203.0.113.1", 0) > 0, "the same address in another spelling"


@pytest.mark.parametrize("client_address", ["127.0.0.1", "::1", "::ffff:127.0.0.1", None])
def test_this_machine_is_not_limited(client_address):
    limit = rate_limits.Limit(per_minute=1)
    assert [limit.wait_s(client_address, 0) for _ in range(100)] == [0] * 100


def test_those_without_an_address_share_one_bucket():
    limit = rate_limits.Limit(per_minute=2)
    assert [limit.wait_s(said, 0) for said in ("unknown", "203.0.113.1:x", "")] == [0, 0, 30]
    assert limit.wait_s("203.0.113.1", 0) == 0


def test_no_limit_is_none():
    limit = rate_limits.Limit(per_minute=0)
    assert [limit.wait_s("203.0.113.1", 0) for _ in range(1_000)] == [0] * 1_000


def test_clients_remembered_are_bounded(monkeypatch):
    monkeypatch.setattr(rate_limits, "CLIENTS_KEPT", 100)
    limit = rate_limits.Limit(per_minute=1)
    for n in range(10_000):
        limit.wait_s(f"10.0.{n >> 8}.{n & 255}", 0)
    assert len(limit._free_at) == 100


def from_address(cloud: Cloud, address: str) -> TestClient:
    return TestClient(create_app(cloud), client=(address, 50_000))


def test_quotes_are_limited_by_address(cloud: Cloud, pile: Any):
    cloud.settings.quotes_per_minute = 3
    phone_client = from_address(cloud, "203.0.113.7")
    path = f"/api/piles/{pile.device_id}/rate"
    assert [phone_client.get(path).status_code for _ in range(3)] == [200] * 3
    refused = phone_client.get(path)
    assert (refused.status_code, refused.json()["code"]) == (429, "TooManyRequests")
    assert 1 <= int(refused.headers["retry-after"]) <= 20
    assert phone_client.get(f"/api/piles/{pile.device_id}").status_code == 429
    assert from_address(cloud, "203.0.113.8").get(path).status_code == 200


def test_orders_are_limited_by_address_and_nothing_is_made(cloud: Cloud, pile: Any, phone: Any):
    cloud.settings.orders_per_minute = 2
    caller = from_address(cloud, "203.0.113.7")
    body = phone.body(pile.device_id)
    answers = [caller.post("/api/orders", json=body, headers=new_key()) for _ in range(3)]
    assert [a.status_code for a in answers] == [201, 409, 429]
    assert int(answers[2].headers["retry-after"]) >= 1
    # Whoever has an order is never kept from it: watching, stopping and paying are not limited.
    token = {"Authorization": "Bearer " + answers[0].json()["token"]}
    for _ in range(5):
        assert caller.get(f"/api/orders/{answers[0].json()['order_id']}", headers=token).status_code == 200


# -- who -----------------------------------------------------------------------------------------------------

# What anyone may call; every other route needs the operator's token or the order's own.
OPEN = {
    "/api/piles/{device_id}",
    "/api/piles/{device_id}/rate",
    "/api/session",
    "/healthz",
    "/readyz",
    "/openapi.json",
    "/docs",
    "/static",
}
OPEN_POSTS = {"/api/orders", "/api/session", "/api/payments/{adapter}/events"}  # the last: by signature
PAGES = re.compile(r"^/($|p($|/)|console|static|favicon)")


def test_every_route_is_open_on_purpose_or_needs_a_token(cloud: Cloud):
    document = create_app(cloud).openapi()
    app = create_app(cloud)
    closed = 0
    with TestClient(app) as anyone:
        for path, methods in document["paths"].items():
            for method in methods:
                if (path in OPEN and method == "get") or (path in OPEN_POSTS and method == "post"):
                    continue
                if PAGES.match(path):
                    continue
                filled = re.sub(r"\{(\w+)(:path)?\}", "1", path)
                for headers in ({}, {"Authorization": "Bearer " + "x" * 43}, {"Authorization": "Bearer "}):
                    answer = anyone.request(method.upper(), filled, headers=headers)
                    assert answer.status_code in (401, 404), (method, path, answer.status_code)
                    if answer.status_code == 404:  # an order's route does not even tell that it exists
                        assert answer.json()["code"] == "UnknownOrder", (method, path, answer.text)
                closed += 1
    assert closed > 15, "the routes were not found"


def test_an_orders_route_gives_nothing_to_the_token_of_another(
    client: TestClient,
    phone: Any,
    pile: Any,
):
    mine = phone.order(pile.device_id, 1)
    other = phone.order(pile.device_id, 2)
    calls = [("GET", ""), ("GET", "/events"), ("GET", "/curve"), ("POST", "/stop"), ("POST", "/payment")]
    for method, rest in calls:
        for token in (other["token"], mine["token"][:-1], mine["token"] + "x", mine["order_id"], ""):
            answer = client.request(
                method,
                f"/api/orders/{mine['order_id']}{rest}",
                json={"amount_minor": 1, "method": "test"} if rest == "/payment" else None,
                headers={"Authorization": "Bearer " + token},
            )
            assert (answer.status_code, answer.json()["code"]) == (404, "UnknownOrder"), (method, rest)
            asked = client.request(method, f"/api/orders/{mine['order_id']}{rest}", params={"token": token})
            assert asked.status_code == 404, (method, rest)


# -- how large, and what comes back --------------------------------------------------------------------------


def test_headers_too_large_are_refused(client: TestClient):
    answer = client.get("/healthz", headers={"X-Much": "x" * 9_000})
    assert (answer.status_code, answer.json()["code"]) == (431, "HeadersTooLarge")
    assert client.get("/healthz", headers={"X-Much": "x" * 7_000}).status_code == 200


def test_answers_that_are_data_say_so(client: TestClient, pile: Any, as_operator: dict[str, str]):
    for path in (f"/api/piles/{pile.device_id}", "/api/piles/NONE", "/healthz", "/api/orders", "/nowhere"):
        answer = client.get(path, headers=as_operator)
        assert answer.headers["x-content-type-options"] == "nosniff", path
        assert answer.headers["referrer-policy"] == "no-referrer", path
        assert "default-src 'none'" in answer.headers["content-security-policy"], path
        assert answer.headers["cache-control"] == "no-store", path
    polled = client.get("/api/piles", headers=as_operator)
    assert polled.headers["cache-control"] == "no-cache, private", "its own word counts"


def test_pages_keep_their_own_headers(client: TestClient):
    page = client.get("/p/PILE-1")
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert page.headers["x-content-type-options"] == "nosniff"


# -- how slow ------------------------------------------------------------------------------------------------


@pytest.fixture
def quick_server(cloud: Cloud, client: TestClient):
    """A real server beside `client`, whose own clients have one second for a request; gives its port."""
    ready = threading.Event()

    class Server(uvicorn.Server):
        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            ready.set()

    config = uvicorn.Config(
        create_app(cloud),
        port=0,
        log_level="warning",
        access_log=False,
        lifespan="off",  # `client` has started the cloud
        http=request_deadline.with_deadline(1),
        h11_max_incomplete_event_size=request_deadline.HEAD_MAX_BYTES,
    )
    server = Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert ready.wait(WAIT_S)
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(WAIT_S)


def connect(port: int) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", port), timeout=WAIT_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def ends(sock: socket.socket) -> bytes:
    """What the server still says before it ends the connection; a hang is the socket's timeout."""
    data = b""
    try:
        while more := sock.recv(65_536):
            data += more
    except ConnectionError:
        pass
    return data


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ",
        b"POST /api/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{",
        b"POST /api/orders HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
    ],
    ids=["nothing", "half a header", "half a body", "half a chunk"],
)
def test_a_request_that_does_not_come_whole_in_time_ends_its_connection(quick_server, said):
    with connect(quick_server) as sock:
        sock.sendall(said)
        ends(sock)


def test_a_byte_now_and_then_wins_no_time(quick_server):
    with connect(quick_server) as sock:
        sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        sock.settimeout(0.1)
        for _ in range(200):
            try:
                sock.sendall(b"x")
                if not sock.recv(1):
                    break
            except TimeoutError:
                continue
            except ConnectionError:
                break
        else:
            pytest.fail("a header that never ends was listened to for ever")


def test_the_deadline_counts_for_the_next_request_on_a_connection_too(quick_server):
    with connect(quick_server) as sock:
        sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = sock.recv(65_536)
        assert answer.startswith(b"HTTP/1.1 200")
        sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: ")
        assert b"200 OK" not in ends(sock)


def test_slow_connections_keep_nobody_out(quick_server):
    slow = [connect(quick_server) for _ in range(200)]
    try:
        for sock in slow:
            sock.sendall(b"GET / HTTP/1.1\r\nX: ")
        with connect(quick_server) as sock:
            sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            answer = ends(sock)
        assert answer.startswith(b"HTTP/1.1 200") and json.loads(answer.partition(b"\r\n\r\n")[2])
        for sock in slow:
            ends(sock)
    finally:
        for sock in slow:
            sock.close()


def test_a_watcher_is_no_slow_client(quick_server, cloud: Cloud, phone: Any, pile: Any):
    """Its request was whole at once; that nothing happens for a while is the order's doing."""
    made = phone.order(pile.device_id)
    with connect(quick_server) as sock:
        head = f"GET /api/orders/{made['order_id']}/events?token={made['token']} HTTP/1.1\r\nHost: x\r\n\r\n"
        sock.sendall(head.encode())
        sock.settimeout(0.2)
        data = b""
        for _ in range(12):  # beyond its second
            try:
                more = sock.recv(65_536)
            except TimeoutError:
                continue
            assert more, "the stream was ended"
            data += more
        assert b"event: order" in data
        cloud.hub.close()


def test_a_head_without_end_is_refused_before_it_fills_the_memory(quick_server):
    with connect(quick_server) as sock:
        try:
            sock.sendall(b"GET / HTTP/1.1\r\nX: " + b"x" * 200_000)
        except ConnectionError:
            pass
        assert b"400" in ends(sock)[:20]
