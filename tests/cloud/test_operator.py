"""The operator's calls: the token, piles, rates, lists; and what every wrong request gets."""

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

from cloud_stub.cloud import Cloud
from cloud_stub.piles import broker_passwords
from cloud_stub.settings import Settings
from pile_protocol import seal, wire
from pile_protocol.messages import validate
from tests.cloud.conftest import Phone
from tests.cloud.fakes import FLAT_RATE, FakeLink, FakePile


def problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.json()


@pytest.mark.parametrize(
    "token", [None, "Bearer wrong", "Bearer ", "Basic operator-token-of-the-tests", "Bearer \xe9"]
)
def test_what_is_no_token_opens_nothing(client: TestClient, token: str | None):
    """tests/security asks every route."""
    headers = {} if token is None else {b"Authorization": token.encode("latin-1")}
    answer = client.get("/api/piles", headers=headers)
    problem(answer, 401, "Unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_a_piles_key_is_told_once_and_opens_the_broker(operator: Any, cloud: Cloud):
    made = operator("POST", "/api/piles", {"device_id": "P-1", "name": "Gate", "connectors": 4})
    assert made.status_code == 201
    key = bytes.fromhex(made.json()["key"])
    assert len(key) == 32
    passwd = (cloud.settings.broker_folder / "passwd").read_text()
    assert [line.split(":")[0] for line in passwd.splitlines()] == ["cloud", "P-1"]
    assert made.json()["key"] not in operator("GET", "/api/piles").text
    assert seal.mqtt_password(key) not in passwd


def test_a_pile_may_not_take_the_clouds_own_name_at_the_broker(operator: Any, cloud: Any):
    """With it, the pile's password would have replaced the cloud's, and the pile read every topic."""
    answer = operator("POST", "/api/piles", {"device_id": "cloud"})
    problem(answer, 422, "InvalidRequest")
    assert answer.json()["errors"][0]["field"] == "device_id"
    assert operator("GET", "/api/piles/cloud").status_code == 404


def test_a_pile_is_added_once(operator: Any):
    assert operator("POST", "/api/piles", {"device_id": "P-1"}).status_code == 201
    problem(operator("POST", "/api/piles", {"device_id": "P-1"}), 409, "PileExists")


@pytest.mark.parametrize(
    "body, field",
    [
        ({}, "device_id"),
        ({"device_id": "a b"}, "device_id"),
        ({"device_id": "ab"}, "device_id"),
        ({"device_id": "+/#"}, "device_id"),
        ({"device_id": "PILE\n"}, "device_id"),
        ({"device_id": "x" * 33}, "device_id"),
        ({"device_id": "P-1", "connectors": 0}, "connectors"),
        ({"device_id": "P-1", "connectors": 9}, "connectors"),
        ({"device_id": "P-1", "connectors": "2"}, "connectors"),
        ({"device_id": "P-1", "name": "a\0b"}, "name"),
        ({"device_id": "P-1", "colour": "red"}, "colour"),
    ],
)
def test_a_wrong_pile_is_told_what_is_wrong(operator: Any, body: dict[str, Any], field: str):
    found = problem(operator("POST", "/api/piles", body), 422, "InvalidRequest")
    assert [error["field"] for error in found["errors"]] == [field]


def test_a_rate_is_published_as_the_wire_has_it(
    operator: Any, add_pile: Any, link: FakeLink, client: TestClient
):
    add_pile(rate=None)
    rate = operator("PUT", "/api/piles/PILE-1/rate", FLAT_RATE)
    assert rate.status_code == 201
    validate(wire.RATE, rate.json())
    (_, _, data, retain) = link.published[-1]
    assert (json.loads(data), retain) == (rate.json(), True)
    shown = client.get("/api/piles/PILE-1/rate").json()
    assert shown.items() >= rate.json().items()
    assert shown["now"] == {
        "label": "flat",
        "electricity_price": 800_000,
        "service_price": 400_000,
        "time_price": 0,
        "until_at": None,
    }
    assert len(shown["steps"]) == 1


def test_every_publication_is_a_version_of_its_own(operator: Any, pile: FakePile, client: TestClient):
    made = [operator("PUT", "/api/piles/PILE-1/rate", FLAT_RATE).json()["rate_id"] for _ in range(3)]
    assert len(set(made)) == 3
    assert client.get("/api/piles/PILE-1").json()["rate_id"] == made[-1]
    history = operator("GET", "/api/piles/PILE-1/rates?limit=2").json()
    assert [rate["rate_id"] for rate in history["items"]] == [made[2], made[1]]
    older = operator("GET", f"/api/piles/PILE-1/rates?before={history['next']}").json()["items"]
    assert older[0]["rate_id"] == made[0]


def test_a_version_that_somebody_else_published_is_not_overwritten_unseen(
    operator: Any, add_pile: Any, client: TestClient
):
    """Two editors were open: the second to publish undid what the first had, without a word to either."""
    add_pile(rate=None)
    path = "/api/piles/PILE-1/rate"
    first = operator("PUT", path + "?replaces=none", FLAT_RATE)
    assert first.status_code == 201
    seen = first.json()["rate_id"]
    second = operator("PUT", f"{path}?replaces={seen}", FLAT_RATE | {"session_fee_minor": 70}).json()
    for stale in (seen, "none", ""):
        refused = operator("PUT", f"{path}?replaces={stale}", FLAT_RATE)
        assert problem(refused, 409, "RateReplaced")["rate"] == second
    assert client.get("/api/piles/PILE-1").json()["rate_id"] == second["rate_id"]
    assert operator("PUT", path, FLAT_RATE).status_code == 201  # who does not ask is not asked


@pytest.mark.parametrize("currency, digits", [("JPY", 0), ("CNY", 2), ("EUR", 2), ("KWD", 3), ("CLF", 4)])
def test_a_currency_brings_its_decimals(operator: Any, add_pile: Any, currency: str, digits: int):
    add_pile(rate=None)
    rate = operator("PUT", "/api/piles/PILE-1/rate", FLAT_RATE | {"currency": currency}).json()
    assert rate["minor_digits"] == digits


PERIOD = FLAT_RATE["periods"][0]


@pytest.mark.parametrize(
    "change, field",
    [
        ({"currency": "cny"}, "currency"),
        ({"currency": "CNYX"}, "currency"),
        ({"currency": "XYZ"}, "currency"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"time_zone": "../../etc/passwd"}, "time_zone"),
        ({"session_fee_minor": -1}, "session_fee_minor"),
        ({"session_fee_minor": 0.5}, "session_fee_minor"),
        ({"periods": []}, "periods"),
        ({"periods": [PERIOD] * 97}, "periods"),
        ({"periods": [PERIOD | {"start": "00:01"}]}, "periods[0].start"),
        ({"periods": [PERIOD, PERIOD]}, "periods[1].start"),
        ({"periods": [PERIOD, PERIOD | {"start": "24:00"}]}, "periods[1].start"),
        ({"periods": [PERIOD | {"label": "happy"}]}, "periods[0].label"),
        ({"periods": [PERIOD | {"electricity_price": 10**12 + 1}]}, "periods[0].electricity_price"),
        ({"periods": [PERIOD | {"service_price": -1}]}, "periods[0].service_price"),
        ({"valid_from": 0}, "valid_from"),
    ],
)
def test_a_wrong_rate_is_told_what_is_wrong(
    operator: Any, pile: FakePile, change: dict[str, Any], field: str
):
    found = problem(operator("PUT", "/api/piles/PILE-1/rate", FLAT_RATE | change), 422, "InvalidRequest")
    assert [error["field"] for error in found["errors"]] == [field]


def test_a_rate_for_no_pile(operator: Any):
    problem(operator("PUT", "/api/piles/PILE-9/rate", FLAT_RATE), 404, "UnknownPile")


def test_piles_come_in_pages_and_by_filter(operator: Any, add_pile: Any):
    for n in range(5):
        add_pile(f"PILE-{n}", online=n % 2 == 0)
    first = operator("GET", "/api/piles?limit=3").json()
    assert [each["device_id"] for each in first["items"]] == ["PILE-0", "PILE-1", "PILE-2"]
    rest = operator("GET", f"/api/piles?limit=3&after={first['next']}").json()
    assert [each["device_id"] for each in rest["items"]] == ["PILE-3", "PILE-4"]
    assert rest["next"] is None
    online = operator("GET", "/api/piles?online=true").json()["items"]
    assert [each["device_id"] for each in online] == ["PILE-0", "PILE-2", "PILE-4"]
    assert [each["device_id"] for each in operator("GET", "/api/piles?q=le-3").json()["items"]] == ["PILE-3"]
    assert operator("GET", "/api/piles?q=%25").json()["items"] == []  # no wildcard


def test_orders_come_newest_first_in_pages_and_by_filter(operator: Any, phone: Phone, pile: FakePile):
    made = []
    for connector in (1, 2):
        phone.order(connector=connector)
        made.append(phone.order_id)
    pile.order_status(made[0], "Rejected", "NoMeter")
    found = operator("GET", "/api/orders?limit=1").json()
    assert [each["order_id"] for each in found["items"]] == [made[1]]
    older = operator("GET", f"/api/orders?before={found['next']}").json()["items"]
    assert [each["order_id"] for each in older] == [made[0]]
    for query, expected in (
        ("state=Rejected", made[0]),
        ("connector=2", made[1]),
        ("device_id=PILE-1", made[1]),
    ):
        assert operator("GET", "/api/orders?" + query).json()["items"][0]["order_id"] == expected
    assert operator("GET", "/api/orders?device_id=PILE-9").json()["items"] == []
    assert phone.token not in json.dumps(found)
    problem(operator("GET", "/api/orders?state=Nowhere"), 422, "InvalidRequest")
    problem(operator("GET", "/api/orders?limit=501"), 422, "InvalidRequest")


@pytest.mark.parametrize(
    "method, path, body, status, code",
    [
        ("GET", "/nothing", None, 404, "NotFound"),
        ("GET", "/api/piles/PILE-9", None, 404, "UnknownPile"),
        ("GET", "/api/piles/PILE-9/rate", None, 404, "UnknownPile"),
        ("GET", "/api/piles/x%00y", None, 400, "BadRequest"),
        ("DELETE", "/api/orders", None, 405, "MethodNotAllowed"),
        ("POST", "/api/orders", b"{not json", 400, "NotJson"),
        ("POST", "/api/orders", b"\xff\xfe", 400, "NotJson"),
        ("POST", "/api/orders", b"[]", 422, "InvalidRequest"),
        ("POST", "/api/orders", b"", 422, "InvalidRequest"),
        ("POST", "/api/orders", b'{"device_id":"' + b"x" * 70_000 + b'"}', 413, "BodyTooLarge"),
        ("POST", "/api/orders", b"[" * 60_000, 400, "BadRequest"),
    ],
)
def test_every_wrong_request_gets_a_problem(
    client: TestClient, method: str, path: str, body: bytes | None, status: int, code: str
):
    answer = client.request(method, path, content=body, headers={"Content-Type": "application/json"})
    problem(answer, status, code)
    assert "Traceback" not in answer.text


def test_a_body_too_large_without_a_length_is_refused_too(client: TestClient):
    def chunks() -> Any:
        for _ in range(20):
            yield b" " * 5_000

    problem(client.post("/api/orders", content=chunks()), 413, "BodyTooLarge")


def test_a_name_with_half_a_character_breaks_nothing(client: TestClient, as_operator: dict[str, str]):
    headers = as_operator | {"Content-Type": "application/json"}
    answer = client.post("/api/piles", content=rb'{"device_id":"P-1","name":"\ud800"}', headers=headers)
    problem(answer, 422, "InvalidRequest")


def test_what_nobody_foresaw_is_a_problem_without_a_trace(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
):
    def fail(*_: Any) -> None:
        raise RuntimeError("a secret detail")

    monkeypatch.setattr("cloud_stub.piles.registry.get", fail)
    answer = client.get("/api/piles/PILE-1")
    problem(answer, 500, "InternalError")
    assert "secret" not in answer.text


def test_a_pile_without_a_rate_has_none_to_show(client: TestClient, add_pile: Any):
    add_pile(rate=None)
    problem(client.get("/api/piles/PILE-1/rate"), 409, "NoRate")


def test_health(client: TestClient, link: FakeLink):
    assert client.get("/healthz").json() == {"status": "ok", "mqtt": True}
    link.connected = False
    assert client.get("/healthz").json()["mqtt"] is False


def test_the_interface_describes_itself(client: TestClient):
    assert "/api/orders/{order_id}/events" in client.get("/openapi.json").json()["paths"]


@pytest.mark.parametrize(
    "currency, fee_minor, electricity_price, service_price, field",
    [
        ("CNY", 10**12, 5, 0, "session_fee_minor"),
        ("CNY", 10**12 - 1, 5, 5, None),
        ("KWD", 0, 10**12, 10**12, "periods[0].electricity_price"),
        ("KWD", 0, 10**12 - 2, 1, None),
        ("CLF", 0, 1, 10**12, "periods[0].service_price"),
    ],
)
def test_a_rate_whose_bill_would_not_fit_its_message_is_refused(
    operator: Any,
    pile: Any,
    currency: str,
    fee_minor: int,
    electricity_price: int,
    service_price: int,
    field: Any,
):
    prices = {"electricity_price": electricity_price, "service_price": service_price}
    rate = {
        "currency": currency,
        "time_zone": "UTC",
        "session_fee_minor": fee_minor,
        "periods": [{"start": "00:00", "label": "flat"} | prices],
    }
    answer = operator("PUT", "/api/piles/PILE-1/rate?allow_unusual=true", rate)
    if field is None:
        assert answer.status_code == 201
    else:
        problem(answer, 422, "InvalidRequest")
        assert [each["field"] for each in answer.json()["errors"]] == [field]


def test_a_fee_that_is_too_high_is_named_once(operator: Any, pile: Any):
    period = {"label": "flat", "electricity_price": 5, "service_price": 0}
    periods = [{"start": start} | period for start in ("00:00", "06:00", "18:00")]
    rate = {"currency": "CNY", "time_zone": "UTC", "session_fee_minor": 10**12, "periods": periods}
    answer = operator("PUT", "/api/piles/PILE-1/rate", rate)
    problem(answer, 422, "InvalidRequest")
    assert [each["field"] for each in answer.json()["errors"]] == ["session_fee_minor"]


@pytest.mark.parametrize("time_zone", ["localtime", "Factory"])
def test_a_time_zone_is_a_place(operator: Any, pile: Any, time_zone: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("cloud_stub.rates.model._time_zones", lambda: {"UTC", "localtime", "Factory"})
    period = {"start": "00:00", "label": "flat", "electricity_price": 1, "service_price": 1}
    rate = {"currency": "CNY", "time_zone": time_zone, "periods": [period]}
    answer = operator("PUT", "/api/piles/PILE-1/rate", rate)
    problem(answer, 422, "InvalidRequest")
    assert answer.json()["errors"][0]["field"] == "time_zone"


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_a_pile_that_the_broker_cannot_let_in_is_not_registered(
    operator: Any, cloud: Cloud, settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    """The broker's folder cannot be written: the id stays free, and the key is told once all is done."""
    body = {"device_id": "PILE-1", "connectors": 1}
    folder = settings.broker_folder
    folder.rename(folder.with_name("elsewhere"))
    folder.write_text("a file where the folder was")
    refused = operator("POST", "/api/piles", body)
    assert (refused.status_code, refused.json()["code"]) == (503, "BrokerUnavailable")
    assert operator("GET", "/api/piles/PILE-1").status_code == 404
    folder.unlink()
    folder.with_name("elsewhere").rename(folder)
    made = operator("POST", "/api/piles", body)
    assert made.status_code == 201
    line = next(x for x in (folder / "passwd").read_text().splitlines() if x.startswith("PILE-1:"))
    password = seal.mqtt_password(bytes.fromhex(made.json()["key"]))
    assert broker_passwords.matches(line, "PILE-1", password)
