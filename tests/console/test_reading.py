"""Every message is read, whatever is in it; seals are told apart; nothing reaches the terminal raw."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pile_protocol import topics, wire
from tests.console import kit
from tools.console import message_lines
from tools.console import reading as readings
from tools.console.capture import LinkChange, Message
from tools.console.reading import read
from tools.console.summary import summary

NAMES = sorted(wire.BY_TOPIC)
NO_ORDER = (topics.TIME, topics.UPDATE, topics.CONFIG)  # sealed, and not of an order


def no_key(_device_id: str) -> None:
    return None


@pytest.mark.parametrize("name", NAMES)
def test_a_valid_message_of_each_kind_is_read_without_a_problem(name: str) -> None:
    reading = kit.reading(name)
    assert (reading.problem, reading.device_id, reading.name) == (None, kit.DEVICE, name)
    assert reading.seal == (readings.GOOD if name in kit.SEALED else readings.UNSEALED)


@pytest.mark.parametrize("name", kit.SEALED)
def test_the_seal_of_each_sealed_kind_is_checked_where_a_key_is_at_hand(name: str) -> None:
    assert read(kit.message(name), no_key).seal == readings.UNCHECKED
    assert read(kit.message(name), no_key).problem is None
    forged = kit.reading(name, key=bytes(32))
    assert forged.seal == readings.BAD
    assert forged.problem and forged.problem.startswith("bad seal")
    assert not forged.is_trusted
    assert "o-1" in summary(forged) or name in NO_ORDER  # still told, so that one sees what was forged


def test_a_message_in_the_topic_of_another_pile_is_told() -> None:
    reading = read(kit.message(topics.HELLO, device_id="PILE-2", raw=kit.payload(topics.HELLO)), no_key)
    assert reading.problem == "names another pile: PILE-1"


def test_a_field_that_is_off_is_named() -> None:
    assert kit.reading(topics.METER, power_mw=-1).problem == "power_mw: must be from 0 to 1000000000"


def test_what_is_larger_than_any_message_of_ours_is_a_problem() -> None:
    reading = kit.reading(topics.STATUS, raw=b" " * 100_000 + kit.payload(topics.STATUS))
    assert reading.problem == "message: is larger than 16384 bytes"


@pytest.mark.parametrize(
    "topic", ["", "pile/v1/PILE-1/other", "pile/v1//status", "pile/v1/a b/status", "pile/v2/PILE-1/status"]
)
def test_topics_that_are_not_ours_are_told(topic: str) -> None:
    reading = read(Message.arrived(0, topic, b"{}", False), no_key)
    assert (reading.device_id, reading.name, reading.problem) == (None, None, readings.NOT_OURS)


def test_clearing_a_retained_message_is_no_problem_and_an_empty_order_is() -> None:
    assert kit.reading(topics.STATUS, raw=b"").problem is None
    assert kit.reading(topics.ORDER, raw=b"").problem == "empty"


JUNK = st.one_of(
    st.binary(max_size=300),
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20)),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
        max_leaves=10,
    ).map(lambda value: json.dumps(value).encode()),
)


def check_lines(message: Message) -> None:
    reading = read(message, lambda _device_id: kit.KEY)
    plain = message_lines.plain(reading)
    assert kit.is_harmless(plain), plain
    assert len(plain) < 1_000
    value = json.loads(
        message_lines.as_json(reading), parse_constant=lambda word: pytest.fail(f"not JSON: {word}")
    )
    assert value["topic"] == message.topic
    assert "\n" not in message_lines.as_json(reading)


@given(
    topic=st.one_of(st.text(max_size=60), st.sampled_from([f"pile/v1/PILE-1/{n}" for n in NAMES])),
    payload=JUNK,
)
def test_junk_never_raises_and_never_reaches_the_terminal_raw(topic: str, payload: bytes) -> None:
    check_lines(Message.arrived(kit.AT_MS, topic, payload, False))


@given(
    name=st.sampled_from(NAMES),
    data=st.data(),
    junk=st.one_of(st.none(), st.integers(), st.text(), st.lists(st.none())),
)
def test_a_valid_message_with_one_member_spoilt_never_raises(
    name: str, data: st.DataObject, junk: Any
) -> None:
    member = data.draw(st.sampled_from(sorted(kit.VALID[name])))
    raw = kit.payload(name, **{member: junk})
    check_lines(kit.message(name, raw=raw))


@pytest.mark.parametrize(
    "payload",
    [
        b'{"online":NaN}',
        b'{"online":1e999}',
        b'{"a":"\\ud800"}',
        b"[" * 16_000,
        b'{"a":' + b"9" * 9_000 + b"}",
    ],
)
def test_what_python_reads_and_json_forbids_comes_out_as_text(payload: bytes) -> None:
    check_lines(kit.message(topics.STATUS, raw=payload))


def test_json_lines_hold_the_message_or_its_bytes() -> None:
    assert json.loads(message_lines.as_json(kit.reading(topics.METER)))["message"] == kit.VALID[topics.METER]
    assert json.loads(message_lines.as_json(kit.reading(topics.METER, raw=b"hello")))["text"] == "hello"
    assert json.loads(message_lines.as_json(kit.reading(topics.METER, raw=b"\xff")))["base64"] == "/w=="


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (topics.RATE, "r-1  0.60 to 1.20 CNY/kWh, 2 periods, Asia/Shanghai"),
        (topics.ORDER, "o-1  connector 1, at most 5.000 kWh, 20.00 CNY, 1:00:00; rate r-1; good for 60 s"),
        (topics.COMMAND, "stop  order o-1"),
        (topics.SETTLEMENT_ACK, "Stored  settlement 7 of order o-1"),
        (topics.HELLO, "0.1.0  2 connectors, o-1 Charging, settlement 6, outbox 0"),
        (topics.ORDER_STATUS, "Charging  order o-1, connector 1"),
        (topics.STATUS, "online  1 Charging  2 Available  heap 42.1 KiB  clock Cloud  outbox 3"),
        (topics.METER, "7.01 kW  1.234 kWh  198 minor  10:34  connector 1"),
        (topics.SETTLEMENT, "2.90 CNY  2.000 kWh  Remote  no. 7, order o-1"),
    ],
)
def test_each_kind_is_one_line_in_words(name: str, words: str) -> None:
    assert summary(kit.reading(name)) == words


def test_a_plain_line_has_time_pile_topic_seal_and_problem() -> None:
    line = message_lines.plain(kit.reading(topics.ORDER, key=bytes(32)))
    assert line.split()[:4] == ["2026-09-21T14:13:20.000Z", "PILE-1", "order", "seal:BAD"]
    assert line.endswith("!! bad seal: the mac does not belong to this message and key")
    assert (
        message_lines.plain_link(LinkChange(kit.AT_MS, False, "gone\x1b"))
        == "2026-09-21T14:13:20.000Z --- gone\\x1b"
    )
