"""The pile's MQTT client, under MicroPython, when its server falls silent, hangs up or is gone."""

from __future__ import annotations

import time
from itertools import pairwise

from tests.net.conftest import works, works_again
from tests.net.server import CONNACK, CONNECT_TYPE, PINGREQ_TYPE, PINGRESP, PUBLISH_TYPE, publish

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
    c = client(answer_ms=600_000)
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
    server.stop()
    c.wait_for("down")
    for _ in range(3):
        assert c.wait_for("down")["error"].startswith("no connection to the broker: ")


# -- back-off ------------------------------------------------------------------------------------------------


def waits_ms(server, count: int) -> list[float]:
    """How long the client waits between the ends of connections that are closed at once."""
    ends = []
    for _ in range(count):
        peer = server.accept()
        ends.append(time.monotonic())
        peer.close()
    return [(later - earlier) * 1000 for earlier, later in pairwise(ends)]


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
    assert time.monotonic() - closed < 1.28, "the wait went on doubling"


# -- a heap that is full -------------------------------------------------------------------------------------


def test_a_heap_without_room_for_a_connection_is_tried_again(server, client):
    c = client(full_heaps=2)
    for _ in range(2):
        down = c.wait_for("down")
        assert down["kind"] == "LinkNoMemory" and down["error"].startswith(
            "too little memory for the connection"
        )
    works(c, server.welcome())
