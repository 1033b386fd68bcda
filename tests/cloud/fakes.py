"""Stand-ins for the cloud's tests: a broker connection that is a list, and a pile with the real seal."""

import itertools
import threading
import time
import uuid
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from cloud_stub.db.audit import Actor
from cloud_stub.messaging.mqtt import Incoming
from pile_protocol import messages, seal, topics, wire
from tools.harness.chain import Chain

ACTOR = Actor("cli", "tester")
WAIT_S = 60  # far beyond what anything here takes; only a hang gets there

FLAT_RATE = {
    "currency": "CNY",
    "time_zone": "Asia/Shanghai",
    "session_fee_minor": 50,
    "periods": [{"start": "00:00", "label": "flat", "electricity_price": 800_000, "service_price": 400_000}],
}
# A rate of all components, and what a pile tells that can bill it.
EVERY_COMPONENT = FLAT_RATE | {
    "time_zone": "UTC",
    "periods": [
        {
            "start": "00:00",
            "label": "flat",
            "electricity_price": 800_000,
            "service_price": 400_000,
            "time_price": 600_000,
        }
    ],
    "tiers": [{"up_to_w": 200, "price": 500_000}, {"up_to_w": 400, "price": 900_000}],
    "idle": {"price": 6_000_000, "after_s": 600, "max_minor": 2000},
    "minimum_minor": 100,
    "maximum_minor": 50_000,
    "tax_per_mille": 190,
    "offers": [
        {"kind": "money", "cost_minor": 200},
        {"kind": "time", "duration_s": 7200},
        {"kind": "energy", "energy_mwh": 5_000_000},
        {"kind": "full"},
    ],
}
BILLS_ALL = {"bills": ["time", "tiers", "idle", "minimum", "maximum", "tax"], "idle_connectors": [1, 2]}
TWO_PRICES = FLAT_RATE | {
    "time_zone": "UTC",
    "periods": [
        {"start": "00:00", "label": "valley", "electricity_price": 300_000, "service_price": 100_000},
        {"start": "12:00", "label": "peak", "electricity_price": 900_000, "service_price": 300_000},
    ],
}


class FakeLink:
    """A broker connection that keeps what is published and acknowledges it only when told to."""

    shared = False

    def __init__(self) -> None:
        self.connected = True
        self.on_message = lambda incoming: None
        self.broker_dropped: int | None = None
        self.on_connect = lambda: None
        self.on_disconnect = lambda: None
        self.on_puback = lambda mid: None
        self.last_mid = 0
        self.published: list[tuple[str, str, bytes, bool]] = []
        self._grown = threading.Condition()
        self._mids = itertools.count(1)
        self._acknowledged: dict[int, threading.Event] = {}

    def start(self) -> None:
        pass

    def stop(self) -> None:
        pass

    def publish_all(self, messages: Iterable[tuple[str, str, bytes | str, bool]]) -> list[int]:
        return [self.publish(*each) for each in messages]

    def ack_all(self, messages: Iterable[Incoming]) -> None:
        for each in messages:
            self.ack(each)

    def publish(self, device_id: str, name: str, payload: bytes | str, retain: bool = False) -> int:
        data = payload.encode() if isinstance(payload, str) else payload
        with self._grown:
            self.published.append((device_id, name, data, retain))
            self._grown.notify_all()
        self.last_mid = next(self._mids)
        return self.last_mid

    def publish_once(self, device_id: str, name: str, payload: str) -> None:
        self.publish(device_id, name, payload)

    def following(self, device_id: str) -> AbstractContextManager[None]:
        return nullcontext()

    def ack(self, incoming: Incoming) -> None:
        self._acknowledged[incoming.mid].set()

    def send(self, topic: str, payload: bytes, retained: bool = False) -> threading.Event:
        """Hand a message in; the event is set once the cloud has acknowledged it."""
        mid = next(self._mids)
        event = self._acknowledged[mid] = threading.Event()
        self.on_message(Incoming(topic, payload, mid, 1, 1, retained=retained))
        return event

    def deliver(self, topic: str, payload: bytes, retained: bool = False) -> None:
        """Hand a message in and wait for its acknowledgement."""
        assert self.send(topic, payload, retained).wait(WAIT_S), f"no acknowledgement of {topic}"

    def wait_for(self, device_id: str, name: str, count: int) -> list[bytes]:
        """What was sent to the pile, once there are so many of that topic."""
        with self._grown:
            assert self._grown.wait_for(lambda: len(self.sent(device_id, name)) >= count, WAIT_S), name
        return self.sent(device_id, name)

    def sent(self, device_id: str, name: str) -> list[bytes]:
        return [
            data for device, topic, data, _ in list(self.published) if (device, topic) == (device_id, name)
        ]


class FakePile(Chain):
    """Says what a pile says. `say(name, payload)` is whatever carries it to the cloud."""

    def __init__(self, device_id: str, key: bytes, say: Any):
        super().__init__(device_id, key)
        self.say = say

    def online(self, **connector: Any) -> None:
        said = {
            "connector": 1,
            "status": "Preparing",
            "fault": None,
            "plugged": True,
            "order_id": None,
        } | connector
        others = [said | {"connector": n} for n in (1, 2) if n != said["connector"]] if not connector else []
        self._say(topics.STATUS, {"online": True, "connectors": [said, *others]})

    def offline(self) -> None:
        self._say(topics.STATUS, {"online": False})

    def hello(
        self,
        orders: list[list[str]] | None = None,
        outbox: int = 0,
        nonce: str = "0123456789abcdef",
        **more: Any,
    ) -> None:
        said = {
            "device_id": self.device_id,
            "firmware": "test",
            "nonce": nonce,
            "connectors": 2,
            "orders": orders or [],
            "last_seq": self.seq,
            "outbox": outbox,
        }
        self._say(topics.HELLO, said | more)

    def order_status(self, order_id: str | None, state: str, reason: str | None = None, **more: Any) -> None:
        said = {
            "order_id": order_id,
            "connector": 1,
            "state": state,
            "reason": reason,
            "at": int(time.time()),
        }
        self._say(topics.ORDER_STATUS, said | more)

    def meter(self, order_id: str, register_mwh: int, at: int | None = None, **more: Any) -> None:
        said = {
            "order_id": order_id,
            "connector": 1,
            "at": at or int(time.time()),
            "register_mwh": register_mwh,
            "energy_mwh": register_mwh,
            "power_mw": 7_000_000,
            "cost_minor": 1,
            "elapsed_s": 1,
            "remaining": {"energy_mwh": None, "cost_minor": None, "duration_s": 100},
        }
        self._say(topics.METER, said | more)

    def settle(self, order: dict[str, Any], mwh: int = 2_500_000, **lies: Any) -> bytes:
        """Send a settlement; returns its bytes."""
        data = self.sealed(self.settlement(order, mwh, **lies))
        self.say(topics.SETTLEMENT, data)
        return data

    def _say(self, name: str, said: dict[str, Any]) -> None:
        messages.validate(wire.BY_TOPIC[name], said)
        self.say(name, messages.encode(said).encode())


def open_sealed(name: str, data: bytes, key: bytes) -> dict[str, Any]:
    """A message to a pile, checked as the pile would."""
    seal.check(data, key)
    return wire.decode(name, data)


def new_key() -> dict[str, str]:
    return {"Idempotency-Key": str(uuid.uuid4())}
