"""A broker as a source of events: paho on its own thread, which reconnects and reports every loss."""

from __future__ import annotations

import socket
import ssl
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from cloud_stub.base.os_errors import in_words
from tools.console.capture import LinkChange, Message
from tools.console.errors import ConsoleError
from tools.console.event_queue import EventQueue

_UNSPECIFIED = 0x80
KEEPALIVE_S = 15
RECONNECT_MIN_S = 1
RECONNECT_MAX_S = 5


@dataclass(frozen=True)
class Address:
    """The broker's address, and the user to connect as. ca: None with tls takes the system's authorities."""

    host: str
    port: int
    tls: bool = False
    ca: Path | None = None
    username: str | None = None
    password: str | None = None

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"mqtt{'s' if self.tls else ''}://{host}:{self.port}"


class Live:
    """Subscribes with QoS 0: a broker must never have to keep messages for a console that is slow or gone."""

    can_command = True

    def __init__(self, address: Address, filters: list[str], event_queue: EventQueue):
        """Raises ConsoleError where the CA file cannot be used."""
        self.name = address.url
        self.refused = threading.Event()  # the broker's answer to the latest attempt
        self._address = address
        self._filters = filters
        self._event_queue = event_queue
        self._last_change: tuple[bool, str] | None = None
        client = paho.Client(CallbackAPIVersion.VERSION2)
        if address.username is not None:
            client.username_pw_set(address.username, address.password)
        if address.tls:
            try:
                client.tls_set(ca_certs=str(address.ca) if address.ca else None, cert_reqs=ssl.CERT_REQUIRED)
            except (OSError, ValueError) as error:
                raise ConsoleError(f"the CA in {address.ca} cannot be used: {in_words(error)}") from error
        client.reconnect_delay_set(RECONNECT_MIN_S, RECONNECT_MAX_S)
        client.on_socket_open = _send_at_once
        client.on_connect = self._connected
        client.on_connect_fail = self._failed
        client.on_subscribe = self._subscribed
        client.on_disconnect = self._disconnected
        client.on_message = self._received
        self._client = client

    def now_ms(self) -> int:
        """Unix time."""
        return time.time_ns() // 1_000_000

    def start(self) -> None:
        """Connects in the background, again and again until it works."""
        self._client.connect_async(self._address.host, self._address.port, keepalive=KEEPALIVE_S)
        self._client.loop_start()

    def stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
        self._event_queue.end()

    def publish(self, topic: str, payload: bytes) -> bool:
        """Whether it could be handed to the broker at once; nothing is kept for a later connection."""
        if not self._client.is_connected():
            return False
        return self._client.publish(topic, payload, qos=1).rc == paho.MQTT_ERR_SUCCESS

    def _say(self, up: bool, text: str) -> None:
        if (up, text) != self._last_change:  # a broker that stays away is reported once
            self._last_change = (up, text)
            self._event_queue.put(LinkChange(self.now_ms(), up, text))

    def _connected(self, client: paho.Client, _u: Any, _flags: Any, reason: Any, _p: Any) -> None:
        if reason.is_failure:
            self._say(False, f"the broker refuses us: {reason}")
            self.refused.set()
            return
        self.refused.clear()
        client.subscribe([(topic, 0) for topic in self._filters])

    def _subscribed(self, _c: Any, _u: Any, _mid: int, reasons: list[Any], _p: Any) -> None:
        # Only from here on does every message arrive.
        if any(reason.is_failure for reason in reasons):
            self._say(True, "connected, but the broker does not let this user read all topics")
        else:
            self._say(True, "connected")

    def _failed(self, _client: paho.Client, _userdata: Any) -> None:
        # paho calls this while it handles the error, and does not pass it on.
        error = sys.exc_info()[1]
        self._say(False, f"no connection: {in_words(error) if error else 'unreachable'}")

    def _disconnected(self, _c: Any, _u: Any, _flags: Any, reason: Any, _p: Any) -> None:
        if not self.refused.is_set():
            # Of a connection that just ended, MQTT 3.1.1 has nothing more to say.
            why = "the broker or the network went away" if reason.value == _UNSPECIFIED else str(reason)
            self._say(False, f"connection lost: {why}; trying again")

    def _received(self, _c: Any, _u: Any, message: paho.MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:  # MQTT forbids it; not every broker does
            topic = "(a topic that is not UTF-8)"
        self._event_queue.put(Message.arrived(self.now_ms(), topic, message.payload, message.retain))


def _send_at_once(_client: Any, _userdata: Any, sock: Any) -> None:
    # Nagle's algorithm meets delayed acknowledgements: 40 ms a hop otherwise.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
