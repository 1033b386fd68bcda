"""The pile's MQTT client, under MicroPython, against a server that keeps to the protocol."""

from __future__ import annotations

import pytest

from tests.net.conftest import works
from tests.net.server import (
    CONNACK,
    CONNECT_TYPE,
    PINGRESP,
    PUBACK_TYPE,
    PUBLISH_TYPE,
    SUBSCRIBE_TYPE,
    puback,
    publish,
    suback,
    text,
)

# -- a connection --------------------------------------------------------------------------------------------


def test_connect_asks_for_a_clean_session_with_a_retained_will(server, client):
    client(keepalive_s=77)
    connect = server.accept().expect(CONNECT_TYPE)
    # clean session 0x02, will 0x04 at QoS 1 0x08 and retained 0x20, password 0x40, user name 0x80
    expected = text("MQTT") + b"\x04\xee\x00\x4d" + text("driver") + text("will/topic") + text("gone")
    assert connect.body == expected + text("driver") + text("secret")


def test_packets_byte_by_byte(server, client):
    c = client()
    peer = server.accept()
    peer.expect(CONNECT_TYPE)
    peer.send_in_pieces(CONNACK)
    c.wait_for("up")
    peer.send_in_pieces(publish("a", b"first", 7) + publish("b", b"second") + publish("c", b"third", 300))
    for topic, payload in (("a", "first"), ("b", "second"), ("c", "third")):
        c.wait_for("message", topic=topic, payload=payload)
    assert [peer.expect(PUBACK_TYPE).packet_id for _ in range(2)] == [7, 300]


def test_packets_merged_into_one(server, client):
    c = client()
    peer = server.accept()
    peer.expect(CONNECT_TYPE)
    peer.send(CONNACK + b"".join(publish("t", b"%d" % i, i) for i in range(1, 101)) + PINGRESP)
    assert [peer.expect(PUBACK_TYPE).packet_id for _ in range(100)] == list(range(1, 101))
    c.wait_for("message", payload="100")
    assert [event["payload"] for event in c.events("message")] == [str(i) for i in range(1, 101)]


def test_a_large_message_in_uneven_pieces(server, client):
    c = client()
    peer = server.welcome()
    peer.send_in_pieces(publish("big", b"z" * 9_000, 5) + publish("small", b"s"), 777)
    c.wait_for("message", topic="big", size=9_000, payload="z" * 20)
    c.wait_for("message", topic="small")


def test_an_oversize_publish_is_acknowledged_and_dropped(server, client):
    """Without the acknowledgement the broker would send it for ever."""
    c = client()
    peer = server.welcome()
    for size in (9_300, 100_000, 2_100_000):  # the last with a remaining length of four bytes
        peer.send(publish("huge", b"z" * size, 9))
        assert peer.expect(PUBACK_TYPE).packet_id == 9
        c.wait_for("message", topic="huge", size=size, payload=None)
    works(c, peer)
    assert c.events("down") == []


def test_a_duplicate_is_handed_on_and_acknowledged_again(server, client):
    c = client()
    peer = server.welcome()
    for dup in (False, True):
        peer.send(publish("t", b"twice", 8, dup=dup))
        assert peer.expect(PUBACK_TYPE).packet_id == 8
        c.wait_for("message", payload="twice")


def test_qos_0_waits_for_no_answer(server, client):
    c = client()
    peer = server.welcome()
    c.wait_for("up")
    c.wait_done(c.publish("quick", qos=0))
    found = peer.expect(PUBLISH_TYPE)
    assert (found.flags, found.body) == (0, text("a/b") + b"quick")


def test_answers_out_of_order_each_find_their_sender(server, client):
    c = client()
    peer = server.welcome()
    c.wait_for("up")
    numbers = [c.publish(f"m{i}") for i in range(3)]
    ids = [peer.expect(PUBLISH_TYPE).packet_id for _ in numbers]
    for i in (2, 0, 1):
        peer.send(puback(ids[i]))
        c.wait_done(numbers[i])


def test_packet_ids_wrap_past_65535_and_skip_0(server, client):
    c = client(packet_id=65_533)
    peer = server.welcome()
    c.wait_for("up")
    ids = []
    for _ in range(4):
        number = c.publish()
        ids.append(peer.expect(PUBLISH_TYPE).packet_id)
        peer.send(puback(ids[-1]))
        c.wait_done(number)
    assert ids == [65_534, 65_535, 1, 2]


# -- refusals ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (1, "broker: unacceptable protocol version"),
        (2, "broker: client identifier rejected"),
        (3, "broker: server unavailable"),
        (4, "broker: bad user name or password"),
        (5, "broker: not authorized"),
        (6, "broker: refused with 6"),
        (255, "broker: refused with 255"),
    ],
)
def test_a_refusal_is_one_clear_line_and_tried_again(server, client, code, reason):
    c = client()
    for _ in range(2):
        peer = server.accept()
        peer.expect(CONNECT_TYPE)
        peer.send(bytes((0x20, 2, 0, code)))
        peer.wait_closed()
        c.wait_for("down")
    downs = c.events("down")[:2]
    assert [(event["kind"], event["error"]) for event in downs] == [("LinkRefused", reason)] * 2
    assert c.events("up") == []
    works(c, server.welcome())


def test_a_refused_subscription_names_its_topic(server, client):
    c = client()
    peer = server.welcome()
    c.wait_for("up")
    number = c.subscribe("mine", "not/mine", "mine/too")
    peer.send(suback(peer.expect(SUBSCRIBE_TYPE).packet_id, b"\x01\x80\x01"))
    failed = c.wait_failed(number)
    assert (failed["kind"], failed["error"]) == (
        "LinkRefused",
        "the broker refuses a subscription to not/mine",
    )


@pytest.mark.parametrize("codes", [b"\x01", b"\x01\x01\x01"])
def test_a_suback_for_another_number_of_topics_is_no_consent(server, client, codes):
    """Two topics were asked for, one was answered: the second counted as subscribed."""
    c = client()
    peer = server.welcome()
    c.wait_for("up")
    number = c.subscribe("one", "two")
    peer.send(suback(peer.expect(SUBSCRIBE_TYPE).packet_id, codes))
    assert c.wait_failed(number)["kind"] == "LinkRefused"


def test_qos_0_granted_is_a_subscription(server, client):
    c = client()
    peer = server.welcome()
    c.wait_for("up")
    number = c.subscribe("one", "two")
    found = peer.expect(SUBSCRIBE_TYPE)
    assert found.flags == 2 and found.body[2:] == text("one") + b"\x01" + text("two") + b"\x01"
    peer.send(suback(found.packet_id, b"\x00\x01"))
    c.wait_done(number)
