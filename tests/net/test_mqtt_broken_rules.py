"""The pile's MQTT client, under MicroPython, against a server that does not keep to the protocol."""

from __future__ import annotations

import pytest

from tests.net.conftest import works
from tests.net.server import (
    CONNACK,
    CONNECT_TYPE,
    PINGRESP,
    PUBLISH_TYPE,
    SUBSCRIBE_TYPE,
    packet,
    puback,
    publish,
    suback,
)

SOUND_BUT_UNASKED = {
    "PINGRESP": PINGRESP,
    "PUBACK of an unknown id": puback(999),
    "PUBACK of id 0": puback(0),
    "SUBACK of an unknown id": suback(999, b"\x01"),
}
AGAINST_THE_RULES = {
    "a second CONNACK": CONNACK,
    "CONNECT": packet(0x10, b"\x00\x04MQTT\x04\x02\x00\x3c\x00\x00"),
    "SUBSCRIBE": packet(0x82, b"\x00\x01\x00\x01a\x01"),
    "PINGREQ": b"\xc0\x00",
    "DISCONNECT": b"\xe0\x00",
    "PUBREC": b"\x50\x02\x00\x01",
    "PUBREL": b"\x62\x02\x00\x01",
    "a reserved type": b"\x00\x00",
    "QoS 2": packet(0x34, b"\x00\x01a\x00\x01x"),
    "QoS 3": packet(0x36, b"\x00\x01a\x00\x01x"),
    "a PUBLISH with packet id 0": packet(0x32, b"\x00\x01a\x00\x00x"),
    "a PUBLISH shorter than its topic": packet(0x30, b"\x00\x09a"),
    "a topic that is not UTF-8": packet(0x30, b"\x00\x02\xc3\x28x"),
    "a remaining length of five bytes": b"\x30\x80\x80\x80\x80\x01",
    "a PUBACK of 200 MB": b"\x40\xff\xff\xff\x7f",
    "another protocol": b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\nServer: nginx\r\n"
    b"Connection: close\r\nContent-Length: 0\r\n\r\n",
}


@pytest.mark.parametrize("data", SOUND_BUT_UNASKED.values(), ids=SOUND_BUT_UNASKED)
def test_what_nobody_asked_for_is_passed_over(server, client, data):
    c = client()
    peer = server.welcome()
    c.wait_for("up")
    peer.send(data)
    works(c, peer)
    assert c.events("down") == []


@pytest.mark.parametrize("data", AGAINST_THE_RULES.values(), ids=AGAINST_THE_RULES)
def test_what_the_protocol_forbids_ends_the_connection_and_the_next_one_works(server, client, data):
    c = client()
    peer = server.welcome()
    c.wait_for("up")
    peer.send(data)
    down = c.wait_for("down")
    assert down["kind"] == "MqttError", down
    peer.wait_closed()
    works(c, server.welcome())


@pytest.mark.parametrize("data", [publish("t", b"early"), puback(1), PINGRESP, suback(1, b"\x01")])
def test_nothing_may_come_before_the_connack(server, client, data):
    """A message was acted on before the broker had said who it is."""
    c = client()
    peer = server.accept()
    peer.expect(CONNECT_TYPE)
    peer.send(data + CONNACK)
    assert c.wait_for("down")["kind"] == "MqttError"
    assert c.events("message") == [] and c.events("up") == []
    works(c, server.welcome())


def test_an_answer_of_the_wrong_type_is_none(server, client):
    """A PUBACK with the id of a SUBSCRIBE ended the firmware: its value is no list of return codes."""
    c = client()
    peer = server.welcome()
    c.wait_for("up")
    subscription = c.subscribe("x")
    packet_id = peer.expect(SUBSCRIBE_TYPE).packet_id
    peer.send(puback(packet_id) + suback(packet_id, b"\x01"))
    c.wait_done(subscription)
    publication = c.publish()
    packet_id = peer.expect(PUBLISH_TYPE).packet_id
    peer.send(suback(packet_id, b"\x80"))
    works(c, peer)
    assert publication not in [event["number"] for event in c.events("done")]
    peer.send(puback(packet_id))
    c.wait_done(publication)
