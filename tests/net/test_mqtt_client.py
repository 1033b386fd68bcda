"""The pile's MQTT client, under MicroPython, against a server that keeps to the protocol, or does not."""

from __future__ import annotations

import struct
import time
from itertools import pairwise

import pytest

from tests.net.server import (
    CONNACK,
    CONNECT_TYPE,
    PINGREQ_TYPE,
    PINGRESP,
    PUBACK_TYPE,
    PUBLISH_TYPE,
    SUBSCRIBE_TYPE,
    packet,
    puback,
    publish,
    suback,
)


def text(value: str) -> bytes:
    return struct.pack(">H", len(value)) + value.encode()


def works(client, peer) -> None:
    """A message in each direction."""
    peer.send(publish("still/there", b"?", 4_711))
    assert peer.expect(PUBACK_TYPE).packet_id == 4_711
    number = client.publish("yes")
    while not (found := peer.expect(PUBLISH_TYPE)).flags:
        pass  # at QoS 0: left over from what the test did before
    peer.send(puback(found.packet_id))
    client.wait_done(number)


def works_again(client, server) -> None:
    """The next connection works; or a later one, where a busy machine let a short keepalive pass."""
    for _ in range(5):
        try:
            return works(client, server.welcome())
        except (EOFError, ConnectionError):
            pass
    raise AssertionError("no connection works")


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


# -- silence -------------------------------------------------------------------------------------------------


def test_pings_keep_an_idle_connection(server, client):
    c = client(keepalive_s=2)
    peer = server.welcome()
    for _ in range(3):  # three seconds, more than the keepalive
        peer.expect(PINGREQ_TYPE)
        peer.send(PINGRESP)
    assert c.events("down") == []
    works(c, peer)


def test_a_ping_without_an_answer_ends_the_connection_and_the_next_one_works(server, client):
    c = client(keepalive_s=1)
    peer = server.welcome()
    assert peer.read().kind == PINGREQ_TYPE
    assert c.wait_for("down")["error"] == "no sign of life from the broker for 1 s"
    peer.wait_closed()
    works_again(c, server)


def does_not_read(server):
    """A connection whose server took CONNECT and reads no more; little room is left in its buffer."""
    peer = server.accept(receive_buffer_bytes=4096)
    peer.expect(CONNECT_TYPE)
    peer.send(CONNACK)
    return peer


def test_what_a_server_does_not_read_is_refused_and_not_piled_up(server, client):
    c = client(keepalive_s=60)
    does_not_read(server)
    c.wait_for("up")
    for _ in range(5_000):
        c.publish("y" * 8_000, qos=0)
        if c.events("failed"):
            break
    refused = c.wait_for("failed")
    assert (refused["kind"], refused["error"]) == ("LinkDown", "the network does not take what is sent")


def test_a_server_that_does_not_read_is_given_up(server, client):
    """Half-open with full buffers: the task that writes hangs, and must not take the others with it."""
    c = client(keepalive_s=1)
    does_not_read(server)
    c.wait_for("up")
    for _ in range(40):
        c.publish("y" * 8_000, qos=0)
    assert c.wait_for("down")["kind"] == "LinkDown"
    works_again(c, server)


def test_no_answer_to_connect(server, client):
    c = client(answer_ms=500)
    peer = server.accept()
    peer.expect(CONNECT_TYPE)
    assert c.wait_for("down")["error"] == "no answer from the broker"
    peer.wait_closed()
    works_again(c, server)


def test_a_lost_puback_fails_the_publication_and_the_connection(server, client):
    """The caller must hear of it, and sends again on the next connection."""
    c = client(answer_ms=500)
    peer = server.welcome()
    c.wait_for("up")
    number = c.publish("lost")
    peer.expect(PUBLISH_TYPE)
    assert c.wait_failed(number)["kind"] == "LinkDown"
    c.wait_for("down")
    peer.wait_closed()
    works_again(c, server)


def test_whoever_waits_hears_of_the_end_at_once(server, client):
    c = client()
    peer = server.welcome()
    c.wait_for("up")
    numbers = [c.publish(), c.publish(), c.subscribe("x")]
    for _ in numbers:
        peer.read()
    peer.close()
    failed = {c.wait_for("failed")["number"] for _ in numbers}
    assert failed == set(numbers)


def test_without_a_connection_nothing_is_queued(server, client):
    c = client(backoff_min_ms=60_000, backoff_max_ms=60_000)
    server.welcome().close()
    c.wait_for("down")
    for number in (c.publish(), c.publish(qos=0), c.subscribe("x")):
        failed = c.wait_failed(number)
        assert (failed["kind"], failed["error"]) == ("LinkDown", "not connected")


# -- a server that breaks the rules --------------------------------------------------------------------------

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


# -- endings -------------------------------------------------------------------------------------------------


def test_a_close_within_a_packet_loses_that_packet_only(server, client):
    c = client()
    data = publish("t", b"half" * 50, 6)
    for cut in (1, 2, 5, len(data) - 1):
        peer = server.welcome()
        c.wait_for("up")
        peer.send(data[:cut])
        peer.close()
        assert c.wait_for("down")["error"] == "the broker closed the connection"
    assert c.events("message") == []
    works(c, server.welcome())


def test_a_close_within_the_connack(server, client):
    c = client()
    peer = server.accept()
    peer.expect(CONNECT_TYPE)
    peer.send(CONNACK[:2])
    peer.close()
    c.wait_for("down")
    works(c, server.welcome())


def test_a_reset_connection(server, client):
    c = client()
    peer = server.welcome()
    c.wait_for("up")
    peer.reset()
    assert c.wait_for("down")["kind"] == "LinkDown"
    works(c, server.welcome())


def test_nobody_listens(server, client):
    c = client()
    server.welcome()
    c.wait_for("up")
    server.__exit__(None, None, None)
    c.wait_for("down")
    for _ in range(3):
        assert c.wait_for("down")["error"].startswith("no connection to the broker: ")


# -- back-off ------------------------------------------------------------------------------------------------


def waits_ms(server, count: int) -> list[float]:
    """How long the client waits between the ends of connections that are closed at once."""
    waits = []
    for _ in range(count):
        server.accept().close()
        closed = time.monotonic()
        waits.append(closed)
    return [(later - earlier) * 1000 for earlier, later in pairwise(waits)]


def test_the_wait_doubles_up_to_its_bound(server, client):
    client(backoff_min_ms=40, backoff_max_ms=320)
    waits = waits_ms(server, 7)
    for wait_ms, backoff_ms in zip(waits, (40, 80, 160, 320, 320, 320), strict=True):
        assert wait_ms >= backoff_ms / 2 - 2, (waits, backoff_ms)


def test_the_wait_is_spread_at_random(server, client):
    """Else all the piles of a street come back in the same moment after a power cut."""
    client(backoff_min_ms=200, backoff_max_ms=200)
    waits = waits_ms(server, 11)
    assert min(waits) >= 98, waits
    # Ten waits between 100 and 200 ms that lie within 20 ms of each other: one in 200,000 runs.
    assert max(waits) - min(waits) > 20, waits


def test_a_connection_that_lasted_starts_the_back_off_anew(server, client):
    c = client(backoff_min_ms=20, backoff_max_ms=100_000, steady_ms=100)
    waits_ms(server, 6)
    peer = server.welcome()  # after a wait of 640 to 1280 ms
    c.wait_for("up")
    time.sleep(0.15)  # lasting is what it is about
    peer.close()
    closed = time.monotonic()
    server.accept()
    assert time.monotonic() - closed < 0.64, "the wait went on doubling"
