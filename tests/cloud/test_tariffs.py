"""Tariffs over HTTP: versions for now and later, assignments, what phone, order and display get of them."""

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

from cloud_stub.base.clock import now_s
from cloud_stub.cloud import Cloud
from pile_protocol import pricing, wire
from tests.cloud.conftest import Phone
from tests.cloud.fakes import FLAT_RATE, FakeLink, FakePile, new_key

HOUR_S = 3_600
DAY_S = 86_400


def priced(electricity: int, **other: Any) -> dict[str, Any]:
    period = {"start": "00:00", "label": "flat", "electricity_price": electricity, "service_price": 100_000}
    return FLAT_RATE | {"periods": [period]} | other


CHEAP, DEAR = priced(500_000), priced(900_000)


@pytest.fixture
def site(operator: Any) -> None:
    """The site HARBOUR in Berlin."""
    body = {"site_id": "HARBOUR", "name": "Harbour", "time_zone": "Europe/Berlin"}
    assert operator("POST", "/api/sites", body).status_code == 201


@pytest.fixture
def tariff(operator: Any) -> Any:
    """`tariff(id, rate, **query)`: makes a tariff with a version; returns the version."""

    def make(tariff_id: str, rate: Any, **query: Any) -> dict[str, Any]:
        operator("POST", "/api/tariffs", {"tariff_id": tariff_id, "name": tariff_id.title()})
        return publish(operator, tariff_id, rate, **query)

    return make


def publish(operator: Any, tariff_id: str, rate: Any, **query: Any) -> dict[str, Any]:
    text = "&".join(f"{name}={value}" for name, value in query.items())
    made = operator("POST", f"/api/tariffs/{tariff_id}/versions?{text}", rate)
    assert made.status_code == 201, made.text
    return made.json()


def assign(operator: Any, tariff_id: str | None, *places: str) -> Any:
    return operator("PUT", "/api/assignments", {"tariff_id": tariff_id, "places": list(places)})


def problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert (answer.status_code, answer.json().get("code")) == (status, code), answer.text
    return answer.json()


def shown(client: TestClient, connector: int = 1, device_id: str = "PILE-1") -> dict[str, Any]:
    return client.get(f"/api/piles/{device_id}/rate?connector={connector}").json()


def display(link: FakeLink, device_id: str = "PILE-1") -> dict[str, Any]:
    return json.loads(link.sent(device_id, "rate")[-1])


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch, cloud: Cloud) -> Any:
    """`at(time)`: from now on it is that time, for the API and for the periodic jobs, which run once."""

    def go(time: int) -> None:
        rooms = [
            f"http.{name}" for name in ("driver", "operator_tariffs", "operator_rates", "operator_sites")
        ]
        for room in (*rooms, "payments.confirmation"):
            monkeypatch.setattr(f"cloud_stub.{room}.now_s", lambda: time)
        cloud.jobs.run_once(time)

    return go


def test_the_nearest_assignment_holds(
    client: TestClient, operator: Any, add_pile: Any, tariff: Any, site: Any
):
    add_pile(rate=None)
    of = {name: tariff(name, priced(price))["rate_id"] for name, price in (("a", 1), ("b", 2), ("c", 3))}
    assert shown(client)["code"] == "NoRate"
    operator("POST", "/api/pile-moves", {"selection": "pile:PILE-1", "site_id": "HARBOUR"})
    for tariff_id, place, holding in (
        ("a", "site:HARBOUR", ("a", "a")),
        ("b", "pile:PILE-1", ("b", "b")),
        ("c", "connector:PILE-1/2", ("b", "c")),
        (None, "pile:PILE-1", ("a", "c")),
        (None, "connector:PILE-1/2", ("a", "a")),
    ):
        assert assign(operator, tariff_id, place).json() == {"tariff_id": tariff_id, "places": [place]}
        assert tuple(shown(client, n)["rate_id"] for n in (1, 2)) == tuple(of[each] for each in holding)
    pile = client.get("/api/piles/PILE-1").json()
    assert (pile["rate_id"], pile["connectors"][1]["rate_id"]) == (of["a"], of["a"])


def test_a_connector_is_confirmed_at_its_own_rate(
    client: TestClient, operator: Any, pile: FakePile, tariff: Any
):
    """A page that knows one rate of a pile only is refused with the connector's."""
    own = tariff("fast", DEAR)
    assign(operator, "fast", "connector:PILE-1/2")
    body = {"device_id": "PILE-1", "connector": 2, "rate_id": shown(client)["rate_id"]}
    refused = problem(client.post("/api/orders", json=body, headers=new_key()), 409, "RateChanged")
    assert refused["rate"]["rate_id"] == own["rate_id"]
    body["rate_id"] = own["rate_id"]
    assert client.post("/api/orders", json=body, headers=new_key()).status_code == 201


def test_a_version_holds_from_its_date_and_running_orders_keep_theirs(
    client: TestClient, operator: Any, phone: Phone, pile: FakePile, tariff: Any, link: FakeLink, at: Any
):
    cheap = tariff("city", CHEAP)
    assign(operator, "city", "pile:PILE-1")
    switch_at = now_s() + HOUR_S
    dear = publish(operator, "city", DEAR, from_at=switch_at)
    assert shown(client)["rate_id"] == display(link)["rate_id"] == cheap["rate_id"]
    assert shown(client)["changes_at"] == switch_at

    at(switch_at - 1)
    pile.online()
    order = phone.order(duration_s=2 * HOUR_S)
    locked = phone.message(pile)["rate"]
    assert (locked["rate_id"], [step[1] for step in locked["steps"]]) == (cheap["rate_id"], [500_000])
    assert locked["until_at"] > switch_at + HOUR_S
    before = len(link.sent("PILE-1", "rate"))

    at(switch_at)
    assert (shown(client)["rate_id"], shown(client)["changes_at"]) == (dear["rate_id"], None)
    assert display(link)["rate_id"] == dear["rate_id"]
    assert len(link.sent("PILE-1", "rate")) == before + 1
    late = {"device_id": "PILE-1", "connector": 2, "rate_id": cheap["rate_id"]}
    refused = problem(client.post("/api/orders", json=late, headers=new_key()), 409, "RateChanged")
    assert refused["rate"]["rate_id"] == dear["rate_id"]
    now = client.get(f"/api/orders/{order['order_id']}", headers={"Authorization": "Bearer " + phone.token})
    assert now.json()["rate"]["rate_id"] == cheap["rate_id"]
    at(switch_at + 1)
    assert len(link.sent("PILE-1", "rate")) == before + 1  # once is enough


def test_of_versions_the_one_that_began_last_holds(
    client: TestClient, operator: Any, pile: Any, tariff: Any, at: Any
):
    first = tariff("city", CHEAP)
    assign(operator, "city", "pile:PILE-1")
    now = now_s()
    later = publish(operator, "city", DEAR, from_at=now + HOUR_S)
    corrected = publish(operator, "city", priced(800_000), from_at=now + HOUR_S)
    at(now + 60)
    between = publish(operator, "city", priced(600_000))
    assert shown(client)["rate_id"] == between["rate_id"]
    at(now + HOUR_S)
    assert shown(client)["rate_id"] == corrected["rate_id"]
    states = {
        each["rate_id"]: each["state"]
        for each in operator("GET", "/api/tariffs/city/versions").json()["items"]
    }
    assert states == {
        first["rate_id"]: "Past",
        later["rate_id"]: "Past",
        corrected["rate_id"]: "Running",
        between["rate_id"]: "Past",
    }


def test_what_was_published_holds_also_after_the_clock_was_set_back(
    client: TestClient, operator: Any, pile: FakePile, at: Any
):
    newest = operator("PUT", "/api/piles/PILE-1/rate", DEAR).json()
    at(now_s() - DAY_S)
    assert shown(client)["rate_id"] == newest["rate_id"]


def test_a_version_can_be_withdrawn_before_it_begins(
    client: TestClient, operator: Any, pile: Any, tariff: Any, at: Any
):
    cheap = tariff("city", CHEAP)
    assign(operator, "city", "pile:PILE-1")
    switch_at = now_s() + HOUR_S
    path = f"/api/tariffs/city/versions/{publish(operator, 'city', DEAR, from_at=switch_at)['rate_id']}"
    for _ in range(2):
        assert operator("DELETE", path).json()["withdrawn_at"] is not None
    at(switch_at)
    assert shown(client)["rate_id"] == cheap["rate_id"]
    problem(operator("DELETE", f"/api/tariffs/city/versions/{cheap['rate_id']}"), 409, "RateInEffect")
    problem(operator("DELETE", "/api/tariffs/city/versions/r-none"), 404, "UnknownRate")


def test_a_version_begins_now_or_within_two_years(operator: Any, tariff: Any):
    tariff("city", CHEAP)
    for from_at in (now_s() - 60, now_s() + 3 * 366 * DAY_S):
        answer = operator("POST", f"/api/tariffs/city/versions?from_at={from_at}", CHEAP)
        assert problem(answer, 422, "InvalidRequest")["errors"][0]["field"] == "from_at"


def test_a_version_that_somebody_else_published_is_not_overwritten_unseen(operator: Any, tariff: Any):
    first = tariff("city", CHEAP, replaces="none")
    second = publish(operator, "city", DEAR, replaces=first["rate_id"], from_at=now_s() + HOUR_S)
    refused = operator("POST", f"/api/tariffs/city/versions?replaces={first['rate_id']}", CHEAP)
    assert problem(refused, 409, "RateReplaced")["rate"] == second


def test_the_rate_of_one_pile_is_a_tariff_of_its_own(
    client: TestClient, operator: Any, pile: FakePile, tariff: Any, site: Any
):
    operator("POST", "/api/pile-moves", {"selection": "all", "site_id": "HARBOUR"})
    tariff("city", CHEAP)
    assign(operator, "city", "site:HARBOUR", "pile:PILE-1")
    own = operator("PUT", "/api/piles/PILE-1/rate", DEAR).json()
    assert shown(client)["rate_id"] == own["rate_id"]
    left = operator("GET", "/api/audit?tariff_id=city").json()["items"][0]
    assert (left["action"], left["device_id"]) == ("TariffUnassigned", "PILE-1")
    view = operator("GET", "/api/tariffs/pile:PILE-1").json()
    assert (view["rate"]["rate_id"], view["places"]) == (own["rate_id"], ["pile:PILE-1"])
    listed = operator("GET", "/api/tariffs").json()["items"]
    assert [each["tariff_id"] for each in listed] == ["city"]
    listed = operator("GET", "/api/tariffs?of_piles=true").json()["items"]
    assert [each["tariff_id"] for each in listed] == ["city", "pile:PILE-1"]
    errors = problem(assign(operator, "pile:PILE-1", "site:HARBOUR"), 422, "InvalidRequest")["errors"]
    assert errors[0]["field"] == "tariff_id"
    assign(operator, None, "pile:PILE-1")
    history = operator("GET", "/api/piles/PILE-1/rates").json()["items"]
    assert [each["state"] for each in history] == ["Running", "Running", "Past"]  # in the tariff of each


def test_who_confirmed_which_version_is_told(operator: Any, phone: Phone, pile: FakePile, tariff: Any):
    version = tariff("city", CHEAP)
    assign(operator, "city", "pile:PILE-1")
    phone.order()
    newer = publish(operator, "city", DEAR)
    new, old = operator("GET", "/api/tariffs/city/versions").json()["items"]
    assert (new["rate_id"], new["confirmed"]["orders"]) == (newer["rate_id"], 0)
    assert (old["rate_id"], old["confirmed"]["running"]) == (version["rate_id"], 1)
    assert old["published_by"] == "operator token"
    differing = operator(
        "GET", f"/api/tariffs/city/differences?before={old['rate_id']}&after={new['rate_id']}"
    ).json()
    assert differing == [{"field": "00:00 electricity_price", "before": 500_000, "after": 900_000}]


def test_a_tariff_that_is_assigned_is_not_removed(operator: Any, pile: Any, tariff: Any, client: TestClient):
    tariff("city", CHEAP)
    assign(operator, "city", "connector:PILE-1/2")
    problem(operator("DELETE", "/api/tariffs/city"), 409, "TariffInUse")
    assign(operator, None, "connector:PILE-1/2")
    assert operator("DELETE", "/api/tariffs/city").json() == {"tariff_id": "city"}
    problem(operator("GET", "/api/tariffs/city"), 404, "UnknownTariff")
    problem(assign(operator, "city", "pile:PILE-1"), 404, "UnknownTariff")
    problem(operator("POST", "/api/tariffs", {"tariff_id": "city", "name": "City"}), 409, "TariffExists")
    assert operator("GET", "/api/tariffs").json()["items"] == []


NO_PLACES = (
    *("pile:PILE-9", "site:NONE", "connector:PILE-1/3", "connector:PILE-1/0", "connector:PILE-1/", "PILE-1"),
    *("pile:", "pile:a\x00b", "pile:x' OR 1=1", "site:%", "connector:PILE-1/1.0", "tag:a\x00b", ""),
)


def test_a_place_that_is_none_is_named_and_nothing_is_assigned(
    client: TestClient, operator: Any, pile: FakePile, tariff: Any
):
    tariff("city", CHEAP)
    before = shown(client)["rate_id"]
    for place in NO_PLACES:
        refused = problem(assign(operator, "city", "pile:PILE-1", place), 422, "InvalidRequest")
        assert refused["errors"][0]["field"] in ("places", "selection"), place
    assert shown(client)["rate_id"] == before


NO_ZONE = {name: value for name, value in CHEAP.items() if name != "time_zone"}


def test_the_site_gives_the_time_zone_where_a_version_has_none(
    client: TestClient, operator: Any, add_pile: Any, tariff: Any, site: Any, link: FakeLink
):
    add_pile(rate=None)
    tariff("city", NO_ZONE)
    refused = assign(operator, "city", "pile:PILE-1")
    assert "PILE-1 has no site" in problem(refused, 422, "InvalidRequest")["errors"][0]["reason"]
    refused = operator("PUT", "/api/piles/PILE-1/rate", NO_ZONE)
    assert problem(refused, 422, "InvalidRequest")["errors"][0]["field"] == "time_zone"
    operator("POST", "/api/pile-moves", {"selection": "pile:PILE-1", "site_id": "HARBOUR"})
    assert assign(operator, "city", "pile:PILE-1").status_code == 200
    assert shown(client)["time_zone"] == display(link)["time_zone"] == "Europe/Berlin"
    refused = operator("POST", "/api/pile-moves", {"selection": "all", "site_id": None})
    assert problem(refused, 422, "InvalidRequest")["errors"][0]["field"] == "site_id"
    seen = {
        "device_id": "PILE-1",
        "connector": 1,
        "rate_id": shown(client)["rate_id"],
        "time_zone": "Europe/Berlin",
    }
    operator("PATCH", "/api/sites/HARBOUR", {"time_zone": "Asia/Tokyo"})
    assert shown(client)["time_zone"] == "Asia/Tokyo"
    refused = problem(client.post("/api/orders", json=seen, headers=new_key()), 409, "RateChanged")
    assert refused["rate"]["time_zone"] == "Asia/Tokyo"


def test_a_version_without_time_zone_is_not_published_where_a_pile_has_no_site(
    operator: Any, pile: FakePile, tariff: Any
):
    tariff("city", CHEAP)
    assign(operator, "city", "pile:PILE-1")
    refused = operator("POST", "/api/tariffs/city/versions", NO_ZONE)
    assert problem(refused, 422, "InvalidRequest")["errors"][0]["field"] == "time_zone"


WEEKEND = {"name": "weekend", "weekdays": [6, 7], "periods": priced(300_000)["periods"]}


def test_a_display_shows_the_periods_of_today_and_an_order_locks_those_of_its_days(
    client: TestClient, operator: Any, phone: Phone, pile: FakePile, tariff: Any, link: FakeLink, at: Any
):
    friday = 1_893_456_000 + 3 * DAY_S + 12 * HOUR_S  # 4 January 2030, 12:00
    at(friday)
    version = tariff("city", DEAR | {"time_zone": "UTC", "days": [WEEKEND]})
    assign(operator, "city", "pile:PILE-1")
    pile.online()
    for message in (display(link), shown(client)):
        members = [name for name, is_optional, _ in wire.RATE.fields if not is_optional]
        wire.RATE.check("", {name: message[name] for name in members})
        assert message["periods"] == [[0, 900_000, 100_000, "flat"]]
        assert "days" not in message
    assert [step[:2] for step in shown(client)["steps"]] == [
        [friday, 900_000],
        [friday + 12 * HOUR_S, 300_000],
    ]
    phone.order(duration_s=DAY_S)
    locked = phone.message(pile)["rate"]
    assert [step[:2] for step in locked["steps"]] == [[friday, 900_000], [friday + 12 * HOUR_S, 300_000]]
    assert pricing.digest(locked)
    before = len(link.sent("PILE-1", "rate"))
    at(friday + 12 * HOUR_S - 1)
    assert len(link.sent("PILE-1", "rate")) == before
    at(friday + 12 * HOUR_S)
    assert display(link)["periods"] == [[0, 300_000, 100_000, "flat"]]
    assert display(link)["rate_id"] == version["rate_id"]


def test_a_display_gets_the_rates_of_connectors_that_differ(
    operator: Any, pile: FakePile, tariff: Any, link: FakeLink
):
    version = tariff("fast", DEAR)
    assign(operator, "fast", "connector:PILE-1/2")
    message = display(link)
    wire.RATE.check("", message)
    assert [(each["connector"], each["rate_id"]) for each in message["connectors"]] == [
        (2, version["rate_id"])
    ]
    assert message["periods"][0][1] == 800_000
    pile.hello()
    assert display(link) == message
    assign(operator, None, "connector:PILE-1/2")
    assert "connectors" not in display(link)


def test_a_pile_without_a_rate_shows_none(operator: Any, pile: FakePile, link: FakeLink):
    assign(operator, None, "pile:PILE-1")
    assert link.sent("PILE-1", "rate")[-1] == b""


def test_what_was_done_with_tariffs_is_in_the_audit_trail(operator: Any, pile: FakePile, tariff: Any):
    tariff("city", CHEAP)
    later = publish(operator, "city", DEAR, from_at=now_s() + HOUR_S)
    operator("DELETE", f"/api/tariffs/city/versions/{later['rate_id']}")
    operator("PATCH", "/api/tariffs/city", {"name": "Town"})
    assign(operator, "city", "pile:PILE-1")
    assign(operator, None, "pile:PILE-1")
    operator("DELETE", "/api/tariffs/city")
    lines = operator("GET", "/api/audit?tariff_id=city").json()["items"]
    assert [line["action"] for line in reversed(lines)] == [
        *("TariffAdded", "RatePublished", "RatePublished", "RateWithdrawn", "TariffRenamed"),
        *("TariffAssigned", "TariffUnassigned", "TariffRemoved"),
    ]
    assert {line["actor"] for line in lines} == {"operator token"}
    of_pile = [line["action"] for line in operator("GET", "/api/audit?device_id=PILE-1").json()["items"]]
    assert of_pile[:2] == ["TariffUnassigned", "TariffAssigned"]
