"""Altered orders over the wire: a sample of what tests/security/test_sealed.py does to every byte."""

from __future__ import annotations

import random

import pytest

from pile_protocol import messages, seal, topics
from tests.system.conftest import forger  # noqa: F401 - a fixture

pytestmark = pytest.mark.system

SAMPLE = 40


def test_altered_and_cut_orders_leave_the_relay_alone_and_the_order_itself_closes_it(forger):  # noqa: F811
    seed = random.randrange(10**6)
    chosen = random.Random(seed)
    order = forger.order()
    good = seal.seal(messages.encode(order), forger.pile.key)
    for _ in range(SAMPLE // 2):
        at = chosen.randrange(len(good))
        forger.send_bytes(
            topics.ORDER, good[:at] + bytes([good[at] ^ 1 << chosen.randrange(8)]) + good[at + 1 :]
        )
        forger.send_bytes(topics.ORDER, good[: chosen.randrange(1, len(good))])
    status = forger.status(lambda m: m["dropped"] >= SAMPLE)
    assert status["dropped"] == SAMPLE, f"seed {seed}"
    assert forger.pile.count(lambda line: line["event"] == "relay closed") == 0, f"seed {seed}"
    forger.send_bytes(topics.ORDER, good)
    forger.state(order["order_id"], "Charging")
