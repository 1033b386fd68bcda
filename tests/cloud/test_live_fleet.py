"""The fleet as the console shows it: what charges now, filters, what is not sent twice, its events."""

import json
from typing import Any

from fastapi.testclient import TestClient

from tests.cloud.conftest import Phone
from tests.cloud.fakes import FakePile


def test_the_fleet_tells_what_charges_now(operator: Any, phone: Phone, pile: FakePile):
    phone.order()
    pile.order_status(phone.order_id, "Accepted")
    pile.order_status(phone.order_id, "Charging")
    pile.meter(phone.order_id, 1_500_000)
    first = operator("GET", "/api/piles").json()
    connector = first["items"][0]["connectors"][0]
    assert connector["busy"]
    assert (
        connector["order"].items()
        >= {
            "order_id": phone.order_id,
            "state": "Charging",
            "power_mw": 7_000_000,
            "energy_mwh": 1_500_000,
            "minor_digits": 2,
        }.items()
    )
    assert first["items"][0]["connectors"][1]["order"] is None
    assert first["summary"].items() >= {"piles": 1, "online": 1, "charging": 1, "faulted": 0}.items()
    assert operator("GET", "/api/piles/PILE-1/report").json()["connectors"][0] == connector
    assert phone.token not in json.dumps(first)


def test_the_fleet_is_filtered_by_state(operator: Any, add_pile: Any, phone: Phone):
    charging, faulted, _online = add_pile("PILE-1"), add_pile("PILE-2"), add_pile("PILE-3")
    add_pile("PILE-4", online=False)
    phone.order("PILE-1")
    charging.order_status(phone.order_id, "Charging")
    faulted.online(connector=1, status="Faulted", fault="GroundFailure")
    expected = {
        "charging": ["PILE-1"],
        "faulted": ["PILE-2"],
        "online": ["PILE-1", "PILE-2", "PILE-3"],
        "offline": ["PILE-4"],
    }
    for state, ids in expected.items():
        found = operator("GET", f"/api/piles?state={state}").json()
        assert [each["device_id"] for each in found["items"]] == ids
        assert (found["summary"][state], found["summary"]["matching"]) == (len(ids), len(ids))
    assert operator("GET", "/api/piles?state=lost").status_code == 422


def test_an_unchanged_fleet_is_not_sent_twice(
    client: TestClient, as_operator: dict[str, str], pile: FakePile
):
    first = client.get("/api/piles", headers=as_operator)
    again = as_operator | {"If-None-Match": first.headers["etag"]}
    unchanged = client.get("/api/piles", headers=again)
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    pile.offline()
    changed = client.get("/api/piles", headers=again)
    assert changed.status_code == 200
    assert changed.json()["items"][0]["online"] is False
    assert client.get("/api/piles", headers={"If-None-Match": first.headers["etag"]}).status_code == 401


def test_a_fault_that_goes_is_an_event_too(operator: Any, pile: FakePile):
    pile.online(connector=1, status="Faulted", fault="GroundFailure")
    pile.online(connector=1, status="Faulted", fault="GroundFailure")
    assert operator("GET", "/api/piles?state=faulted").json()["summary"]["matching"] == 1
    pile.offline()  # a last will tells nothing of connectors
    assert operator("GET", "/api/piles?state=faulted").json()["summary"]["matching"] == 1
    pile.online()
    assert operator("GET", "/api/piles?state=faulted").json()["summary"]["matching"] == 0
    told = [each["kind"] for each in operator("GET", "/api/events?device_id=PILE-1").json()["items"]]
    assert told.count("FaultReported") == told.count("FaultCleared") == 1


def test_an_emergency_stop_is_told_apart_and_is_an_event(operator: Any, pile: FakePile):
    def stopped() -> list[bool]:
        (item,) = operator("GET", "/api/piles").json()["items"]
        return [each["emergency_stop"] for each in item["connectors"]]

    pile.online(connector=1, status="Unavailable")
    pile.online(connector=1, status="Unavailable")
    assert stopped() == [True, False]
    pile.offline()  # nobody knows any more
    assert stopped() == [False, False]
    pile.online(connector=1, status="Available")
    told = [each["kind"] for each in operator("GET", "/api/events?device_id=PILE-1").json()["items"]]
    assert told.count("EmergencyStopPressed") == told.count("EmergencyStopReleased") == 1
