"""The cloud is killed in the middle of a thousand settlements: none is lost, none is doubled."""

from __future__ import annotations

import json
import secrets
import threading
import time

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from pile_protocol import seal, topics
from tools.harness.chain import Chain
from tools.harness.system import DEMO_RATE

pytestmark = pytest.mark.system

COUNT = 1_000


class Backlog:
    """A pile that was offline for a thousand orders: sends all settlements until each is stored."""

    def __init__(self, system, identity):
        self.chain = Chain(identity.device_id, bytes.fromhex(identity.key))
        self.waiting: dict[str, bytes] = {}  # by mac
        self._lock = threading.Lock()
        self.acknowledged = threading.Semaphore(0)
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id=identity.device_id)
        self._client.username_pw_set(identity.device_id, seal.mqtt_password(self.chain.key))
        self._client.max_inflight_messages_set(200)
        self._client.max_queued_messages_set(0)
        self._client.on_connect = self._subscribe
        self._client.on_message = self._take
        self._client.connect("127.0.0.1", system.broker.port)
        self._client.loop_start()

    def _subscribe(self, client, *_):
        client.subscribe(topics.topic(self.chain.device_id, topics.SETTLEMENT_ACK), qos=1)

    def _take(self, _client, _userdata, message):
        seal.check(message.payload, self.chain.key)
        ack = json.loads(message.payload)
        with self._lock:
            if self.waiting.pop(ack["settlement_mac"], None):
                self.acknowledged.release()

    def make(self, count):
        at = int(time.time()) - 1_000
        rate = {
            "rate_id": "r-x",
            "currency": DEMO_RATE["currency"],
            "minor_digits": 2,
            "session_fee_minor": 0,
            "steps": [[at, 1, 1, "flat"]],
            "until_at": at + 100,
        }
        for _ in range(count):
            order = {"order_id": f"o-{secrets.token_hex(6)}", "connector": 1, "issued_at": at}
            sealed = self.chain.settled(order | {"limits": {}, "rate": rate}, mwh=0)
            self.waiting[seal.check(sealed, self.chain.key)] = sealed

    def send(self):
        with self._lock:
            waiting = list(self.waiting.values())
        for sealed in waiting:
            self._client.publish(topics.topic(self.chain.device_id, topics.SETTLEMENT), sealed, qos=1)

    def close(self):
        self._client.disconnect()
        self._client.loop_stop()


def test_the_cloud_killed_in_the_middle_of_1000_settlements_loses_none_and_doubles_none(own_system):
    identity = own_system.add_pile()
    backlog = Backlog(own_system, identity)
    try:
        backlog.make(COUNT)
        macs = set(backlog.waiting)
        backlog.send()
        for target in (100, 400):  # twice: while it ingests, and while it catches up
            while COUNT - len(backlog.waiting) < target:
                assert backlog.acknowledged.acquire(timeout=60), "the cloud stopped acknowledging"
            own_system.kill_cloud()
            own_system.start_cloud()
            backlog.send()
        silences = 0
        while backlog.waiting and silences < 10:
            if not backlog.acknowledged.acquire(
                timeout=3
            ):  # as a pile does: what stays unanswered is sent again
                silences += 1
                backlog.send()
        assert not backlog.waiting, f"{len(backlog.waiting)} settlements were never stored"
    finally:
        backlog.close()
    stored = []
    before = ""
    while True:
        page = own_system.operator.get(
            f"/api/settlements?device_id={identity.device_id}&limit=100{before}"
        ).json()
        stored += page["items"]
        if page["next"] is None:
            break
        before = f"&before={page['next']}"
    assert len(stored) == COUNT, "stored twice" if len(stored) > COUNT else "lost"
    assert {s["mac"] for s in stored} == macs
    # Orders that nobody confirmed: kept and flagged, each for that alone; the chain has no gap.
    assert {tuple(s["flags"]) for s in stored} == {("UnknownOrder",)}
