"""paho on a thread of its owner: one paho client for each connection, driven by paho's external loop.

What the broker has not acknowledged when a connection ends is forgotten with its paho client, so nothing is
sent again that has expired meanwhile: its owner decides at the next connection. poll() is used because paho's
own loop calls select(), which takes no descriptor beyond 1,023.
"""

import secrets
import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterable
from typing import Any

import paho.mqtt.client as paho
import structlog
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

log = structlog.get_logger()

KEEPALIVE_S = 30
CONNECT_S = 10  # for the TCP connection and a TLS handshake
RECONNECT_MIN_S = 1
RECONNECT_MAX_S = 10
POLL_MS = 1000
IN_FLIGHT_MAX = 20_000
_PACKET_IDS = 1 << 16
_jitter = secrets.SystemRandom()


class _Accepted:
    """A connection that the broker has accepted; number: how many there have been, with this one."""

    def __init__(self, client: paho.Client, number: int):
        self.client = client
        self.number = number
        self._first_id = number * _PACKET_IDS
        self._in_flight = 0
        self._lock = threading.Lock()  # never held while paho is called: paho holds locks around callbacks

    def publish(self, topic: str, payload: bytes, retain: bool, qos: int) -> int | None:
        with self._lock:
            if self._in_flight >= IN_FLIGHT_MAX:
                return None
            self._in_flight += 1
        return self._first_id + self.client.publish(topic, payload, qos, retain).mid

    def acknowledged(self, mid: int) -> int:
        """The id that `publish` gave."""
        with self._lock:
            self._in_flight -= 1
        return self._first_id + mid


class Client:
    """The callbacks run on `run`'s thread and must not block. `connections` counts the connections so far.

    on_message(topic, payload, packet id, QoS, retained); the packet id is what `ack` takes. The ids that
    `publish` gives and `on_puback` names are unique over all connections.
    """

    def __init__(
        self,
        host: str,
        port: int,
        username: str | None,
        password: str | None,
        client_id: str,
        clean_session: bool,
        tls: ssl.SSLContext | None,
        will: tuple[str, bytes] | None = None,
    ):
        """username: None where the broker asks for none. will: the topic and text that the broker retains
        when the connection ends without a goodbye.
        """
        self._address = (host, port)
        self._login = (username, password)
        self._client_id = client_id
        self._clean_session = clean_session
        self._tls = tls
        self._will = will
        self.on_connect: Callable[[], None] = lambda: None
        self.on_disconnect: Callable[[str], None] = lambda reason: None
        self.on_message: Callable[[str, bytes, int, int, bool], None] = lambda *_: None
        self.on_puback: Callable[[int], None] = lambda mid: None
        self.connections = 0
        self._accepted: _Accepted | None = None  # the connection, while there is one
        self._stopping = threading.Event()
        self._woken, self._wake = socket.socketpair()
        self._woken.setblocking(False)
        self._wake.setblocking(False)

    @property
    def connected(self) -> bool:
        return self._accepted is not None

    def run(self) -> None:
        """Stay connected until `stop`."""
        delay_s = RECONNECT_MIN_S
        while not self._stopping.is_set():
            before = self.connections
            reason = self._one_connection()
            if self.connections != before:
                delay_s = RECONNECT_MIN_S
                self.on_disconnect(reason)
            elif delay_s == RECONNECT_MIN_S:  # the first in a row
                log.warning("mqtt_connect_failed", reason=reason)
            # Jitter: after an outage of the broker all its clients come back.
            if self._stopping.wait(delay_s * _jitter.uniform(0.5, 1)):
                return
            delay_s = min(2 * delay_s, RECONNECT_MAX_S)

    def stop(self) -> None:
        """Let `run` return; it disconnects from the broker first."""
        self._stopping.set()
        self._wake_up()

    def subscribe(self, topics: Iterable[tuple[str, int]]) -> None:
        """(topic, QoS) each. A broker that refuses one is logged."""
        accepted = self._accepted
        if accepted is not None:
            accepted.client.subscribe(list(topics))
            self._wake_up()

    def unsubscribe(self, topic: str) -> None:
        accepted = self._accepted
        if accepted is not None:
            accepted.client.unsubscribe(topic)
            self._wake_up()

    def publish(self, messages: Iterable[tuple[str, bytes, bool]], qos: int = 1) -> list[int | None]:
        """Send (topic, payload, retain) each: their ids, which `on_puback` names at QoS 0 too, once sent.

        None where there is no connection or too many messages are unacknowledged: that one was not sent.
        """
        accepted = self._accepted
        if accepted is None:
            return [None for _ in messages]
        ids = [accepted.publish(*message, qos) for message in messages]
        self._wake_up()
        return ids

    def ack(self, packet_ids: Iterable[int], connection: int) -> None:
        """Let the broker forget these messages of that connection; nothing if it has ended."""
        accepted = self._accepted
        if accepted is not None and accepted.number == connection:
            for packet_id in packet_ids:
                accepted.client.ack(packet_id, 1)
            self._wake_up()

    # -- one connection

    def _one_connection(self) -> str:
        """Connect, and read until the connection ends: why it did, or why there was none."""
        client = self._new_client()
        try:
            client.connect(*self._address, keepalive=KEEPALIVE_S)
            return self._loop(client)
        except OSError as error:
            return str(error)
        finally:
            self._accepted = None

    def _new_client(self) -> paho.Client:
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._client_id,
            clean_session=self._clean_session,
            manual_ack=True,
        )
        client.username_pw_set(*self._login)
        if self._will is not None:
            client.will_set(*self._will, qos=1, retain=True)
        if self._tls is not None:
            client.tls_set_context(self._tls)
        client.connect_timeout = CONNECT_S
        client.max_inflight_messages_set(IN_FLIGHT_MAX)
        client.max_queued_messages_set(0)
        client.on_socket_open = _send_at_once
        client.on_socket_register_write = lambda *_: None  # so that only `run` writes to the socket
        client.on_connect = self._accept
        client.on_subscribe = _log_refused
        client.on_message = self._received
        client.on_publish = self._acknowledged
        return client

    def _loop(self, client: paho.Client) -> str:
        poll = select.poll()
        poll.register(self._woken, select.POLLIN)
        error = MQTTErrorCode.MQTT_ERR_SUCCESS
        while error == MQTTErrorCode.MQTT_ERR_SUCCESS:
            sock: Any = client.socket()
            if sock is None:
                return "the broker closed the connection"
            if self._stopping.is_set():
                client.disconnect()
                client.loop_write()
                return "stopped"
            poll.register(sock, select.POLLIN | (select.POLLOUT if client.want_write() else 0))
            ready = dict(poll.poll(POLL_MS))
            if self._woken.fileno() in ready:
                self._woken.recv(4096)
            events = ready.get(sock.fileno(), 0)
            if events & ~select.POLLOUT:
                error = client.loop_read()
                while not error and isinstance(sock, ssl.SSLSocket) and sock.pending():
                    error = client.loop_read()
            if not error and client.want_write():
                error = client.loop_write()
            if not error:
                error = client.loop_misc()  # keepalive
        return paho.error_string(error)

    def _accept(self, client: paho.Client, _u: Any, _flags: Any, reason: Any, _p: Any) -> None:
        if reason.is_failure:
            log.error("mqtt_refused", reason=str(reason))
            return
        self.connections += 1
        self._accepted = _Accepted(client, self.connections)
        self.on_connect()

    def _received(self, _client: Any, _userdata: Any, message: paho.MQTTMessage) -> None:
        self.on_message(message.topic, bytes(message.payload), message.mid, message.qos, message.retain)

    def _acknowledged(self, _client: Any, _userdata: Any, mid: int, _reason: Any, _p: Any) -> None:
        accepted = self._accepted
        if accepted is not None:
            self.on_puback(accepted.acknowledged(mid))

    def _wake_up(self) -> None:
        try:
            self._wake.send(b"\0")
        except BlockingIOError:  # the pipe is full, so `run` is woken already
            pass


def _send_at_once(_client: Any, _userdata: Any, sock: Any) -> None:
    # Nagle's algorithm meets delayed acknowledgements: 40 ms a hop otherwise.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _log_refused(_client: Any, _userdata: Any, _mid: int, reasons: Any, _p: Any) -> None:
    refused = [str(reason) for reason in reasons if reason.is_failure]
    if refused:
        log.warning("mqtt_subscription_refused", answers=refused)
