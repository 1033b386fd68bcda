"""What a pile does with an order that it must not take: its reason, and the relay untouched.

tests/portable has all reasons; here a few go over the broker to the real clock and flash.
"""

import random
import time

import pytest

from pile_protocol import messages, seal, topics
from tools.harness import broker_config

pytestmark = pytest.mark.system

NOW = int(time.time())
ALTERED = 20


def is_closing(line):
    return line["event"] == "relay closed"


def the_pile_still_takes_an_order(forger, before):
    """The pile goes on: the next good order closes the relay, and it is the first one that does."""
    order = forger.order()
    forger.send(topics.ORDER, order)
    forger.state(order["order_id"], "Charging")
    lines = [forger.pile.wait_for(is_closing, after=before)]
    assert len(lines) == 1
    assert forger.pile.count(is_closing) == 1, "a refused order had closed the relay"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"connector": 2}, "UnknownConnector"),
        ({"issued_at": NOW - 200, "expires_at": NOW - 100}, "Expired"),
        ({"limits": {"duration_s": 3_600, "energy_mwh": 1.5}}, "Malformed"),
    ],
)
def test_an_order_that_may_not_start_is_rejected_with_its_reason(forger, changes, reason):
    before = forger.pile.line_count
    order = forger.order(**changes)
    forger.send(topics.ORDER, order)
    assert forger.reason(order["order_id"]) == reason
    the_pile_still_takes_an_order(forger, before)


def test_forged_orders_leave_the_relay_alone(forger):
    """Altered, cut, sealed with another key: a sample of what tests/security does to every byte."""
    seed = random.randrange(10**6)
    chosen = random.Random(seed)
    before = forger.pile.line_count
    order = forger.order()
    good = seal.seal(messages.encode(order), forger.pile.key)
    for _ in range(ALTERED):
        at = chosen.randrange(len(good))
        forger.send_bytes(
            topics.ORDER, good[:at] + bytes([good[at] ^ 1 << chosen.randrange(8)]) + good[at + 1 :]
        )
        forger.send_bytes(topics.ORDER, good[: chosen.randrange(1, len(good))])
    dropped = forger.status(lambda m: m["dropped"] >= 2 * ALTERED)["dropped"]
    assert dropped == 2 * ALTERED, f"seed {seed}"
    forger.send(topics.ORDER, order, key=bytes(32))
    assert forger.reason(order["order_id"]) == "BadSeal"
    the_pile_still_takes_an_order(forger, before)


def test_payloads_that_are_no_messages_are_counted_and_dropped(forger):
    before = forger.pile.line_count
    longest = broker_config.PACKET_BYTES - 100  # besides topic and header; the broker ends who sends more
    junk = [b"", b"not json", b"\xff\xfe", b"[]", b"{}", b"1" * longest, b"[" * 60_000]
    for name in (topics.ORDER, topics.COMMAND, topics.TIME, topics.SETTLEMENT_ACK):
        for payload in junk:
            if payload:
                forger.send_bytes(name, payload)
    sent = 4 * (len(junk) - 1)
    assert forger.status(lambda m: m["dropped"] >= sent)["dropped"] == sent
    the_pile_still_takes_an_order(forger, before)


def test_an_order_is_not_taken_twice_not_even_after_a_restart(forger):
    p = forger.pile
    order = forger.order(limits={"duration_s": 3_600, "energy_mwh": 1_000_000})
    sealed = forger.send(topics.ORDER, order)
    forger.state(order["order_id"], "Settled")
    p.kill()
    p.start()
    forger.status(lambda m: m["clock"] == "Cloud")
    forger.send_bytes(topics.ORDER, sealed)
    assert forger.reason(order["order_id"]) == "UsedOrder"
    assert p.count(is_closing) == 0, "the replayed order closed the relay"


def test_an_order_that_waited_in_a_queue_expires_and_never_starts(forger):
    """The broker, or anyone, may deliver an order late: by then it must be worthless."""
    now = int(time.time())
    order = forger.order(issued_at=now, expires_at=now + 1, steps=[[now, 500_000, 300_000, "flat"]])
    sealed = seal.seal(messages.encode(order), forger.pile.key)
    before = forger.pile.line_count
    forger.wait_until_its_clock_shows(now + 1)
    forger.send_bytes(topics.ORDER, sealed)
    assert forger.reason(order["order_id"]) == "Expired"
    the_pile_still_takes_an_order(forger, before)
