"""Server-sent events, from a real HTTP server."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from cloud_stub.cloud import Cloud
from cloud_stub.jobs.rereader import Rereader
from cloud_stub.orders.hub import Hub
from tests.cloud.conftest import AS_OPERATOR
from tests.cloud.fakes import FLAT_RATE, WAIT_S, FakeLink, FakePile, new_key, open_sealed
from tests.cloud.operators import member


@pytest.fixture
def http(served: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=served, timeout=WAIT_S) as client:
        yield client


@pytest.fixture
def pile(http: httpx2.Client, link: FakeLink) -> FakePile:
    made = http.post("/api/piles", json={"device_id": "PILE-1"}, headers=AS_OPERATOR)
    http.put("/api/piles/PILE-1/rate", json=FLAT_RATE, headers=AS_OPERATOR)
    key = bytes.fromhex(made.json()["key"])
    pile = FakePile("PILE-1", key, lambda name, data: link.deliver("pile/v1/PILE-1/" + name, data))
    pile.online()
    return pile


@pytest.fixture
def order(http: httpx2.Client, pile: FakePile) -> dict[str, Any]:
    rate_id = http.get("/api/piles/PILE-1").json()["rate_id"]
    body = {"device_id": "PILE-1", "connector": 1, "rate_id": rate_id}
    return http.post("/api/orders", json=body, headers=new_key()).json()


def read(response: httpx2.Response) -> Iterator[tuple[str, Any]]:
    """(event name, data) of each event."""
    name = ""
    for line in response.iter_lines():
        field, _, value = line.partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            yield name, json.loads(value)


def watch(http: httpx2.Client, order: dict[str, Any], **headers: str) -> Any:
    return http.stream(
        "GET", f"/api/orders/{order['order_id']}/events", params={"token": order["token"]}, headers=headers
    )


def test_a_watcher_sees_the_whole_order_and_the_stream_ends_with_it(
    http: httpx2.Client, pile: FakePile, order: dict[str, Any], link: FakeLink
):
    message = open_sealed("order", link.sent("PILE-1", "order")[0], pile.key)
    with watch(http, order) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        events = read(response)
        assert next(events)[1]["state"] == "Pending"
        pile.order_status(order["order_id"], "Charging")
        assert next(events)[1]["state"] == "Charging"
        for register_mwh in (1000, 2000):
            pile.meter(order["order_id"], register_mwh)
            name, meter = next(events)
            assert (name, meter["register_mwh"]) == ("meter", register_mwh)
        pile.settle(message)
        name, settled = next(events)
        assert (name, settled["state"], settled["total_minor"]) == ("order", "Settled", 350)
        payment = {"amount_minor": 350, "method": "test"}
        http.post(f"/api/orders/{order['order_id']}/payment", params={"token": order["token"]}, json=payment)
        assert next(events)[1]["state"] == "Paid"
        assert list(events) == []


def test_who_comes_back_starts_from_the_present_state(
    http: httpx2.Client, pile: FakePile, order: dict[str, Any]
):
    pile.order_status(order["order_id"], "Charging")
    for last in ("1", "nonsense", "99999999999999999999"):
        with watch(http, order, **{"Last-Event-ID": last}) as response:
            name, shown = next(read(response))
            assert (name, shown["state"]) == ("order", "Charging")


def test_the_stream_of_an_order_that_has_ended_is_one_event(
    http: httpx2.Client, pile: FakePile, order: dict[str, Any]
):
    pile.order_status(order["order_id"], "Rejected", "NoClock")
    with watch(http, order) as response:
        assert [(name, shown["state"]) for name, shown in read(response)] == [("order", "Rejected")]


def test_a_change_that_another_process_made_is_seen(http: httpx2.Client, order: dict[str, Any], cloud: Cloud):
    with watch(http, order) as response:
        events = read(response)
        assert next(events)[1]["state"] == "Pending"
        with cloud.store.writing.begin() as conn:
            conn.exec_driver_sql("UPDATE orders SET state = 'Expired', version = version + 1")
        assert next(events)[1]["state"] == "Expired"


def test_any_number_of_orders_can_be_watched(cloud: Cloud, order: dict[str, Any]):
    """A statement may have 65,535 parameters at PostgreSQL: with more, no other process's change was seen."""
    woken: list[str] = []
    cloud.hub.wake_all = woken.extend  # type: ignore[method-assign]
    watched = [order["order_id"], *(f"watched-{n}" for n in range(70_000))]
    Rereader(cloud.hub, cloud.store.reading, 500)._reread(watched)
    assert woken == [order["order_id"]]


def test_a_server_that_ends_lets_its_watchers_go(http: httpx2.Client, order: dict[str, Any], cloud: Cloud):
    with watch(http, order) as response:
        events = read(response)
        next(events)
        cloud.hub.close()
        assert list(events) == []


def test_who_has_gone_is_not_kept():
    hub = Hub()

    async def watch_and_go() -> None:
        with hub.watch("order") as changed:
            hub.wake("order")
            await changed.wait()

    asyncio.run(watch_and_go())
    hub.wake("order")
    assert not hub._watchers


def test_meter_values_do_not_pile_up(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("cloud_stub.orders.hub.METERS_KEPT", 3)
    hub = Hub()
    for n in range(10):
        hub.put_meter("PILE-1", {"order_id": str(n), "register_mwh": n})
    assert [n for n in range(10) if hub.meter("PILE-1", str(n))] == [7, 8, 9]


def test_an_operator_watches_with_a_sessions_cookie_until_the_session_ends(
    http: httpx2.Client, cloud: Cloud, pile: FakePile, order: dict[str, Any]
):
    headers = member(cloud, "viewer")
    stream = http.stream("GET", f"/api/orders/{order['order_id']}/events", headers=headers)
    with stream as response:
        events = read(response)
        assert next(events)[1]["state"] == "Pending"
        pile.order_status(order["order_id"], "Charging")
        assert next(events)[1]["state"] == "Charging"
        (found,) = http.get("/api/sessions", headers=AS_OPERATOR).json()["items"]
        http.delete("/api/sessions/" + found["session_id"], headers=AS_OPERATOR)
        pile.meter(order["order_id"], 1000)
        assert list(events) == []
