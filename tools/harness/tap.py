"""Records every message that crosses a broker. The demo reads it, and the tests validate it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from pile_protocol import topics
from pile_protocol.errors import TopicError
from tools.harness.broker import Broker
from tools.harness.processes import HOST

CONNECT_TIMEOUT_S = 10


@dataclass(frozen=True)
class Seen:
    device_id: str
    name: str  # "order", "settlement/ack", ...
    payload: bytes
    qos: int
    retain: bool
    at: float  # time.monotonic()

    def json(self) -> Any:
        return json.loads(self.payload)


class Tap:
    """Listens to all pile topics as the user `cloud`, and can publish as that user too."""

    def __init__(self, broker: Broker):
        self.seen: list[Seen] = []
        self.strangers: list[str] = []  # topics that are not of the wire
        self._changed = threading.Condition()
        self._subscribed = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.username_pw_set("cloud", broker.cloud_password)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._on_message
        self._client.reconnect_delay_set(1, 1)
        self._client.connect(HOST, broker.port)
        self._client.loop_start()
        if not self._subscribed.wait(CONNECT_TIMEOUT_S):
            self.close()
            raise TimeoutError("the tap could not subscribe")

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def publish(
        self, device_id: str, name: str, payload: bytes, *, qos: int = 1, retain: bool = False
    ) -> None:
        """Publishes to a pile's topic with the cloud's rights; returns once the broker has it."""
        info = self._client.publish(topics.topic(device_id, name), payload, qos=qos, retain=retain)
        info.wait_for_publish(CONNECT_TIMEOUT_S)

    @property
    def count(self) -> int:
        with self._changed:
            return len(self.seen)

    def all(self) -> list[Seen]:
        with self._changed:
            return list(self.seen)

    def of(self, device_id: str, name: str) -> list[Seen]:
        with self._changed:
            return [m for m in self.seen if (m.device_id, m.name) == (device_id, name)]

    def wait_for(
        self,
        device_id: str,
        name: str,
        matches: Callable[[Any], bool] = lambda _: True,
        timeout_s: float = 20,
        after: int = 0,
    ) -> Any:
        """The JSON of the first message of that pile and topic that `matches`; waits for it.

        after: ignores this many of the first messages.
        """
        deadline = time.monotonic() + timeout_s
        looked_at = after
        with self._changed:
            while True:
                for m in self.seen[looked_at:]:
                    if (m.device_id, m.name) == (device_id, name) and m.payload and matches(m.json()):
                        return m.json()
                looked_at = len(self.seen)
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    raise TimeoutError(f"no such {name} of {device_id} within {timeout_s:g} s")
                self._changed.wait(left_s)

    def _on_connect(self, client: paho.Client, *_: Any) -> None:
        client.subscribe(topics.PREFIX + "#", qos=1)

    def _on_message(self, _client: paho.Client, _userdata: Any, message: paho.MQTTMessage) -> None:
        with self._changed:
            try:
                device_id, name = topics.parse(message.topic)
            except TopicError:
                self.strangers.append(message.topic)
                return
            self.seen.append(
                Seen(device_id, name, bytes(message.payload), message.qos, message.retain, time.monotonic())
            )
            self._changed.notify_all()
