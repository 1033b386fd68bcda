"""The cloud's MQTT connection: a paho client with manual acknowledgement and TCP_NODELAY.

A message is acknowledged by `ack` once what it says is committed; until then the broker keeps it.

One process alone has a lasting session: the broker keeps what comes while it is away. Several share the
messages of a group and have sessions that end with their connections, since a broker goes on dealing out
messages to a lasting session whose worker is dead, where nobody would find them. What a dying worker had not
acknowledged is lost with it: settlements come again until one is stored, and each status of a pile tells
where its orders are.
"""

import secrets
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import structlog
from paho.mqtt.enums import CallbackAPIVersion

from pile_protocol import topics

log = structlog.get_logger()

KEEPALIVE_S = 30
IN_FLIGHT_MAX = 1000
RECONNECT_MIN_S = 1
RECONNECT_MAX_S = 10


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message and the handle of its acknowledgement. `connection` counts the connections of this link."""

    topic: str
    payload: bytes
    mid: int
    qos: int
    connection: int
    received_ns: int = field(default_factory=time.monotonic_ns, compare=False)


class Link:
    """`on_message(Incoming)`, `on_connect()`, `on_puback(mid)`: called on paho's thread, must not block."""

    def __init__(
        self,
        host: str,
        port: int,
        username: str,
        password: str,
        client_id: str,
        share: str | None = None,
        ca: Path | None = None,
    ):
        """ca: the certificate authority behind the broker's certificate; given, the connection is TLS."""
        self._address = (host, port)
        self.shared = share is not None
        self._prefix = f"$share/{share}/" if share else ""
        self._connection = 0
        self._followed: Counter[str] = Counter()
        self._following = threading.Lock()
        self.on_message: Callable[[Incoming], None] = lambda incoming: None
        self.on_connect: Callable[[], None] = lambda: None
        self.on_puback: Callable[[int], None] = lambda mid: None
        if share:  # a second client of the same id would end the first one's connection
            client_id += "-" + secrets.token_hex(8)
        client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=self.shared, manual_ack=True
        )
        client.username_pw_set(username, password)
        if ca is not None:
            client.tls_set(str(ca))
        client.max_inflight_messages_set(IN_FLIGHT_MAX)
        client.max_queued_messages_set(0)
        client.reconnect_delay_set(RECONNECT_MIN_S, RECONNECT_MAX_S)
        client.on_socket_open = _send_at_once
        client.on_connect = self._connected
        client.on_disconnect = self._disconnected
        client.on_message = self._received
        client.on_publish = self._published
        self._client = client

    @property
    def connected(self) -> bool:
        return self._client.is_connected()

    def start(self) -> None:
        """Connect in the background, again and again until it works."""
        self._client.connect_async(*self._address, keepalive=KEEPALIVE_S)
        self._client.loop_start()

    def stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, device_id: str, name: str, payload: bytes | str, retain: bool = False) -> int:
        """Send one message at QoS 1; returns the id that `on_puback` will name."""
        return self._client.publish(topics.topic(device_id, name), payload, qos=1, retain=retain).mid

    def ack(self, incoming: Incoming) -> None:
        """Let the broker forget the message; one of an earlier connection it sends again by itself."""
        if incoming.qos and incoming.connection == self._connection:
            self._client.ack(incoming.mid, incoming.qos)

    @contextmanager
    def following(self, device_id: str) -> Iterator[None]:
        """Meanwhile the pile's meter values come to this worker too, whichever else gets them."""
        if not self.shared:
            yield
            return
        topic = topics.topic(device_id, topics.METER)
        with self._following:
            self._followed[topic] += 1
            self._client.subscribe(topic, 0)
        try:
            yield
        finally:
            with self._following:
                self._followed[topic] -= 1
                if not self._followed[topic]:
                    del self._followed[topic]
                    self._client.unsubscribe(topic)

    def _connected(self, client: paho.Client, _u: Any, _flags: Any, reason: Any, _p: Any) -> None:
        if reason.is_failure:
            log.error("mqtt_refused", reason=str(reason))
            return
        self._connection += 1
        client.subscribe(
            [
                (self._prefix + topics.topic("+", name), 0 if name == topics.METER else 1)
                for name in topics.UPWARD
            ]
        )
        with self._following:
            if self._followed:
                client.subscribe([(topic, 0) for topic in self._followed])
        log.info("mqtt_connected", host=self._address[0], port=self._address[1])
        self.on_connect()

    def _disconnected(self, _c: Any, _u: Any, _flags: Any, reason: Any, _p: Any) -> None:
        log.warning("mqtt_disconnected", reason=str(reason))

    def _received(self, _c: Any, _u: Any, message: paho.MQTTMessage) -> None:
        self.on_message(
            Incoming(message.topic, bytes(message.payload), message.mid, message.qos, self._connection)
        )

    def _published(self, _c: Any, _u: Any, mid: int, _reason: Any, _p: Any) -> None:
        self.on_puback(mid)


def _send_at_once(_client: Any, _userdata: Any, sock: Any) -> None:
    # Nagle's algorithm meets delayed acknowledgements: 40 ms a hop otherwise.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
