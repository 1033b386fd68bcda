"""What any pile and any phone may send, by hypothesis: the cloud answers, never with an error of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given
from hypothesis import settings as how
from hypothesis import strategies as st

from cloud_stub.app import create_app
from cloud_stub.cloud import Cloud
from cloud_stub.settings import Settings
from pile_protocol import fields, seal, topics, wire
from tests.cloud.fakes import FLAT_RATE, FakeLink, new_key

OPERATOR = {"Authorization": "Bearer an-operators-token"}
DEVICE_ID = "PILE-1"
OFTEN = how(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
PRINTABLE = "".join(map(chr, range(32, 127)))

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=10), inner, max_size=5),
    max_leaves=20,
)


def allowed(field: Any) -> st.SearchStrategy[Any]:
    """Every value that a check of pile_protocol.fields lets through, the bounds more often than the rest."""
    if isinstance(field, fields.Int):
        return st.sampled_from([field.low, field.high]) | st.integers(field.low, field.high)
    if isinstance(field, fields.Bool):
        return st.booleans()
    if isinstance(field, fields.Text):
        return st.text(
            PRINTABLE if field.alphabet is None else field.alphabet or st.characters(codec="utf-8"),
            min_size=field.low,
            max_size=field.high,
        )
    if isinstance(field, fields.OneOf):
        return st.sampled_from(field.words)
    if isinstance(field, fields.Nullable):
        return st.none() | allowed(field.inner)
    if isinstance(field, fields.Array):
        return st.lists(allowed(field.item), min_size=field.low, max_size=min(field.high, field.low + 3))
    if isinstance(field, fields.Row):
        return st.tuples(*[allowed(item) for _, item in field.fields]).map(list)
    assert isinstance(field, fields.Table)
    needed = {name: allowed(item) for name, optional, item in field.fields if not optional}
    may = {name: allowed(item) for name, optional, item in field.fields if optional}
    return st.fixed_dictionaries(needed, optional=may)


class Site:
    """A cloud in this process with one pile."""

    def __init__(self, client: TestClient, link: FakeLink):
        self.client = client
        self.link = link
        made = client.post("/api/piles", json={"device_id": DEVICE_ID}, headers=OPERATOR)
        self.key = bytes.fromhex(made.json()["key"])
        client.put(f"/api/piles/{DEVICE_ID}/rate", json=FLAT_RATE, headers=OPERATOR)

    def say(self, name: str, payload: bytes) -> None:
        """Returns once the cloud has acknowledged it."""
        self.link.deliver(topics.topic(DEVICE_ID, name), payload)

    def internal_errors(self) -> list[Any]:
        return self.client.get("/api/rejects?reason=InternalError", headers=OPERATOR).json()["items"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder: Path = tmp_path_factory.mktemp("site")
    link = FakeLink()
    cloud = Cloud(Settings(data=folder, operator_token=OPERATOR["Authorization"][7:], duty_period_s=60), link)  # type: ignore[arg-type]
    with TestClient(create_app(cloud)) as client:
        yield Site(client, link)


SPOKEN = (topics.HELLO, topics.ORDER_STATUS, topics.STATUS, topics.METER)


@pytest.mark.parametrize("name", SPOKEN)
def test_whatever_the_tables_allow_is_taken_or_rejected_and_acknowledged(site: Site, name: str):
    @OFTEN
    @given(allowed(wire.BY_TOPIC[name]))
    def check(message: dict[str, Any]) -> None:
        site.say(name, json.dumps(message).encode())
        assert not site.internal_errors(), message

    check()


@OFTEN
@given(message=allowed(wire.SETTLEMENT))
def test_any_settlement_that_a_pile_could_seal_is_stored_and_acknowledged(
    site: Site, message: dict[str, Any]
):
    del message["mac"]
    message["device_id"] = DEVICE_ID
    sealed = seal.seal(json.dumps(message), site.key)
    before = len(site.link.sent(DEVICE_ID, topics.SETTLEMENT_ACK))
    site.say(topics.SETTLEMENT, sealed)
    assert not site.internal_errors(), message
    assert len(site.link.sent(DEVICE_ID, topics.SETTLEMENT_ACK)) == before + 1, (
        "the pile would send it for ever"
    )


@OFTEN
@given(name=st.sampled_from((*SPOKEN, topics.SETTLEMENT)), payload=st.binary(max_size=200) | JSON)
def test_any_bytes_are_rejected_and_acknowledged(site: Site, name: str, payload: Any):
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    site.say(name, data)
    assert not site.internal_errors(), data


@OFTEN
@given(method=st.sampled_from(("POST", "PUT")), body=JSON, raw=st.binary(max_size=100))
def test_no_body_brings_out_an_internal_error(site: Site, method: str, body: Any, raw: bytes):
    for path in ("/api/orders", f"/api/piles/{DEVICE_ID}/rate", "/api/piles"):
        for content in (json.dumps(body).encode(), raw):
            headers = {**OPERATOR, **new_key(), "Content-Type": "application/json"}
            answer = site.client.request(method, path, content=content, headers=headers)
            assert answer.status_code < 500, (path, content, answer.text)


@OFTEN
@given(
    start=st.text(max_size=8) | st.just("00:00"),
    price=st.integers(-1, 10**13) | st.floats(),
    zone=st.text(max_size=20) | st.sampled_from(("UTC", "Asia/Shanghai", "../etc/passwd", "")),
    currency=st.text(max_size=4) | st.just("CNY"),
    fee=st.integers(),
)
def test_no_rate_brings_out_an_internal_error(
    site: Site, start: str, price: Any, zone: str, currency: str, fee: int
):
    period = {"start": start, "label": "flat", "electricity_price": price, "service_price": 0}
    body = {"currency": currency, "time_zone": zone, "session_fee_minor": fee, "periods": [period]}
    content = json.dumps(body).encode()
    headers = {**OPERATOR, "Content-Type": "application/json"}
    answer = site.client.put(f"/api/piles/{DEVICE_ID}/rate", content=content, headers=headers)
    assert answer.status_code < 500, (body, answer.text)
