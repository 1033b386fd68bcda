"""The generated description says what the validator of the wire says."""

import json

import jsonschema
import pytest
import yaml

from pile_protocol import fields, topics, wire
from pile_protocol.errors import MessageError
from pile_protocol.messages import validate
from tests.tap import wire_errors
from tools import asyncapi

MAC = "0" * 64
AT = 1_800_000_000
RATE = {
    "rate_id": "r1",
    "currency": "CNY",
    "minor_digits": 2,
    "session_fee_minor": 0,
    "steps": [[AT, 800_000, 400_000, "flat"]],
    "until_at": AT + 3600,
}
ORDER = {
    "kind": "order",
    "device_id": "PILE-1",
    "connector": 1,
    "order_id": "o1",
    "issued_at": AT,
    "expires_at": AT + 60,
    "limits": {"duration_s": 3600},
    "rate": RATE,
    "mac": MAC,
}
ACK = {
    "kind": "ack",
    "device_id": "PILE-1",
    "order_id": "o1",
    "seq": 1,
    "settlement_mac": MAC,
    "status": "Stored",
    "mac": MAC,
}


def altered(base: dict, **changes: object) -> dict:
    return {**base, **changes}


GOOD = [
    (topics.ORDER, ORDER),
    (topics.ORDER, altered(ORDER, later_member=1)),
    (topics.ORDER, altered(ORDER, limits={"duration_s": 1, "energy_mwh": 1, "cost_minor": 10**12})),
    (topics.SETTLEMENT_ACK, ACK),
    (topics.STATUS, {"online": False}),
    (topics.STATUS, {"online": True, "at": None}),
    (
        topics.ORDER_STATUS,
        {"order_id": None, "connector": None, "state": "Rejected", "reason": "Malformed", "at": None},
    ),
]
BAD = [
    (topics.ORDER, altered(ORDER, connector=0)),
    (topics.ORDER, altered(ORDER, connector="1")),
    (topics.ORDER, altered(ORDER, connector=True)),
    (topics.ORDER, altered(ORDER, device_id="a/b")),
    (topics.ORDER, altered(ORDER, mac=MAC.upper()[:-1] + "G")),
    (topics.ORDER, altered(ORDER, mac=MAC[:-1])),
    (topics.ORDER, altered(ORDER, limits={})),
    (topics.ORDER, altered(ORDER, limits={"duration_s": 1, "power_mw": 1})),
    (topics.ORDER, altered(ORDER, rate=altered(RATE, steps=[]))),
    (topics.ORDER, altered(ORDER, rate=altered(RATE, steps=[[AT, 1, 1, "cheap"]]))),
    (topics.ORDER, altered(ORDER, rate=altered(RATE, steps=[[AT, 1, 1]]))),
    (topics.ORDER, altered(ORDER, rate=altered(RATE, steps=[[AT, 1, 1, "flat", 0]]))),
    (topics.ORDER, altered(ORDER, kind="command")),
    (topics.SETTLEMENT_ACK, altered(ACK, status="Seen")),
    (topics.SETTLEMENT_ACK, {k: v for k, v in ACK.items() if k != "seq"}),
    (topics.STATUS, {"online": 1}),
    (topics.HELLO, []),
]


@pytest.mark.parametrize(("name", "value"), GOOD)
def test_what_the_wire_takes_the_schema_takes(name: str, value: object) -> None:
    validate(wire.BY_TOPIC[name], value)
    assert wire_errors(name, json.dumps(value).encode()) == []


@pytest.mark.parametrize(("name", "value"), BAD)
def test_what_the_wire_refuses_the_schema_refuses(name: str, value: object) -> None:
    with pytest.raises(MessageError):
        validate(wire.BY_TOPIC[name], value)
    assert wire_errors(name, json.dumps(value).encode())


def test_a_float_is_refused_even_where_it_is_whole() -> None:
    assert wire_errors(topics.ORDER, json.dumps(altered(ORDER, connector=1.0)).encode())


def test_the_committed_file_is_current() -> None:
    assert asyncapi.main(["--check"]) == 0


def test_a_stale_file_fails_the_check(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    stale = asyncapi.ROOT / "docs" / "asyncapi.yaml"
    copy = tmp_path / "asyncapi.yaml"
    copy.write_text(stale.read_text().replace("maximum: 8\n", "maximum: 9\n"))
    monkeypatch.setattr(asyncapi, "PATH", copy)
    monkeypatch.setattr(asyncapi, "ROOT", tmp_path)
    assert asyncapi.main(["--check"]) == 1


def test_every_schema_is_a_schema_and_every_reference_leads_somewhere() -> None:
    document = yaml.safe_load(asyncapi.text())
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft7Validator.check_schema(schema)
    references = []

    def collect(node: object) -> None:
        if isinstance(node, dict):
            references.extend([node["$ref"]] if "$ref" in node else [])
            for value in node.values():
                collect(value)
        elif isinstance(node, list):
            for value in node:
                collect(value)

    collect(document)
    assert references
    for reference in references:
        target = document
        for key in reference.removeprefix("#/").split("/"):
            target = target[key]


def test_every_topic_is_described() -> None:
    assert set(asyncapi.TOPICS) == set(wire.BY_TOPIC) == set(topics.UPWARD + topics.DOWNWARD)


def test_a_kind_of_check_without_a_schema_is_not_passed_over() -> None:
    class Novel:
        pass

    with pytest.raises(TypeError):
        asyncapi.schema("x", Novel(), {})


def test_a_unit_is_taken_from_the_name() -> None:
    assert asyncapi.schema("energy_mwh", fields.Int(0, 1), {})["description"] == "milliwatt-hours"
    assert "description" not in asyncapi.schema("seq", fields.Int(0, 1), {})
