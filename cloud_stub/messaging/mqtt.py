"""The cloud's one MQTT connection: its names at the broker, its subscriptions, its acknowledgements.

A message is acknowledged by `ack` once its effect is committed; until then the broker keeps it.

One process alone has a lasting session: the broker keeps what comes while it is away. Several share the
messages of a group and have sessions that end with their connections, since a broker goes on dealing out
messages to a lasting session whose worker is dead, where nobody would find them. What a dying worker had not
acknowledged is lost with it: settlements come again until one is stored, and each status of a pile tells
where its orders are.

Client id and share group are derived from the cloud's password. A broker ends an older connection of the same
client id, and deals out a group's messages to everybody who names it, without regard to the user: a pile that
could guess either would throw the cloud out, or have other piles' messages vanish.
"""

import secrets
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from pile_protocol import seal, topics

from ..base.threads import Threads
from .client import Client

log = structlog.get_logger()

# mosquitto's count of what it dropped because a queue was full; other brokers refuse the subscription.
BROKER_DROPPED = "$SYS/broker/publish/messages/dropped"


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message and the handle of its acknowledgement. `connection` counts the connections of this link.

    retained: kept by the broker from before the subscription, so its sender may be gone.
    """

    topic: str
    payload: bytes
    mid: int
    qos: int
    connection: int
    received_ns: int = field(default_factory=time.monotonic_ns, compare=False)
    retained: bool = False


class Link:
    """`on_message(Incoming)`, `on_connect()`, `on_disconnect()` and `on_puback(mid)` are called on the link's
    thread and must not block. `broker_dropped`: how many messages the broker has dropped, if it reports that.
    """

    def __init__(
        self,
        host: str,
        port: int,
        username: str,
        password: str,
        client_id: str,
        share: str | None = None,
        ca: Path | None = None,
        threads: Threads | None = None,
    ):
        """ca: the certificate authority behind the broker's certificate; given, the connection is TLS."""
        self._address = (host, port)
        self.shared = share is not None
        own = own_suffix(password)
        self._prefix = f"$share/{share}-{own}/" if share else ""
        self._followed: Counter[str] = Counter()
        self._following = threading.Lock()
        self._threads = threads or Threads()
        self._thread: threading.Thread | None = None
        self.on_message: Callable[[Incoming], None] = lambda incoming: None
        self.on_connect: Callable[[], None] = lambda: None
        self.on_disconnect: Callable[[], None] = lambda: None
        self.on_puback: Callable[[int], None] = lambda mid: None
        self.broker_dropped: int | None = None
        # Each of several workers has a random id, which nobody can guess.
        client_id += "." + (secrets.token_hex(8) if share else own)
        self.client_id = client_id
        tls = ssl.create_default_context(cafile=str(ca)) if ca is not None else None
        client = Client(host, port, username, password, client_id, self.shared, tls)
        client.on_connect = self._connected
        client.on_disconnect = self._disconnected
        client.on_message = self._received
        client.on_puback = self._published
        self._client = client

    @property
    def connected(self) -> bool:
        return self._client.connected

    def start(self) -> None:
        """Connect in the background, again and again until it works."""
        self._thread = self._threads.start("mqtt", self._client.run)

    def stop(self) -> None:
        self._threads.expect_end("mqtt")
        self._client.stop()
        if self._thread is not None:
            self._thread.join()

    def publish(self, device_id: str, name: str, payload: bytes | str, retain: bool = False) -> int | None:
        """Send one message at QoS 1: the id that `on_puback` will name, None where it was not sent."""
        return self.publish_all([(device_id, name, payload, retain)])[0]

    def publish_all(self, messages: Iterable[tuple[str, str, bytes | str, bool]]) -> list[int | None]:
        """As `publish`, of (device id, topic name, payload, retain) each, in one piece."""
        return self._client.publish(
            [
                (
                    topics.topic(device_id, name),
                    payload.encode() if isinstance(payload, str) else payload,
                    retain,
                )
                for device_id, name, payload, retain in messages
            ]
        )

    def publish_once(self, device_id: str, name: str, payload: str) -> None:
        """Send one message at QoS 0."""
        self._client.publish([(topics.topic(device_id, name), payload.encode(), False)], qos=0)

    def ack(self, incoming: Incoming) -> None:
        """Acknowledge the message to the broker. If it is of an earlier connection, the broker sends it again
        by itself.
        """
        self.ack_all([incoming])

    def ack_all(self, messages: Iterable[Incoming]) -> None:
        """As `ack`, of each, in one piece."""
        connection = self._client.connections
        mids = [each.mid for each in messages if each.qos and each.connection == connection]
        if mids:
            self._client.ack(mids, connection)

    @contextmanager
    def following(self, device_id: str) -> Iterator[None]:
        """Meanwhile the pile's meter values come to this worker too, whichever else gets them."""
        if not self.shared:
            yield
            return
        topic = topics.topic(device_id, topics.METER)
        with self._following:
            self._followed[topic] += 1
            self._client.subscribe([(topic, 0)])
        try:
            yield
        finally:
            with self._following:
                self._followed[topic] -= 1
                if not self._followed[topic]:
                    del self._followed[topic]
                    self._client.unsubscribe(topic)

    def _connected(self) -> None:
        self._client.subscribe(
            (self._prefix + topics.topic("+", name), 0 if name in topics.UNACKNOWLEDGED else 1)
            for name in topics.UPWARD
        )
        self._client.subscribe([(BROKER_DROPPED, 0)])
        with self._following:
            if self._followed:
                self._client.subscribe((topic, 0) for topic in self._followed)
        log.info("mqtt_connected", host=self._address[0], port=self._address[1])
        self.on_connect()

    def _disconnected(self, reason: str) -> None:
        log.warning("mqtt_disconnected", reason=reason)
        self.on_disconnect()

    def _received(self, topic: str, payload: bytes, mid: int, qos: int, retained: bool) -> None:
        if topic == BROKER_DROPPED:
            self.broker_dropped = int(payload) if payload.isdigit() else None
            return
        connection = self._client.connections
        self.on_message(Incoming(topic, payload, mid, qos, connection, retained=retained))

    def _published(self, mid: int) -> None:
        self.on_puback(mid)


def own_suffix(password: str) -> str:
    """A suffix for a name that only the cloud's password gives: 16 hex digits."""
    return seal.mac_of(b"ratelock mqtt names of the cloud", password.encode()).decode()[:16]
