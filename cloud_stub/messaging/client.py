"""A small MQTT 3.1.1 client: one connection at a time, QoS 0 and 1, user name and password, TLS if wanted.

`run` connects, again and again, and reads; any thread may send: it writes to the socket itself, and what the
socket does not take is written by `run`. What the broker has not acknowledged when a connection ends is
forgotten here, so nothing is sent again that has expired meanwhile: its owner decides at the next connection.
"""

import secrets
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import structlog

log = structlog.get_logger()

KEEPALIVE_S = 30
ANSWER_S = 10  # how long a connection may take to be accepted
RECONNECT_MIN_S = 1
RECONNECT_MAX_S = 10
READ_BYTES = 1 << 18
UNSENT_MAX_BYTES = 64 << 20  # a broker that takes nothing for so long is given up, and connected to again
IN_FLIGHT_MAX = 20_000

_CONNECT, _CONNACK, _PUBLISH, _PUBACK = 0x10, 0x20, 0x30, 0x40
_SUBSCRIBE, _SUBACK, _UNSUBSCRIBE = 0x82, 0x90, 0xA2
_PINGREQ, _DISCONNECT = b"\xc0\x00", b"\xe0\x00"
_REFUSED = 0x80
_jitter = secrets.SystemRandom()
_AGAIN = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class MqttError(Exception):
    """The connection is of no use: refused, ended, or against the protocol."""


class Client:
    """The callbacks run on `run`'s thread and must not block. `connections` counts the connections so far.

    on_message(topic, payload, packet id, QoS, retained); the packet id is what `ack` takes.
    """

    def __init__(
        self,
        host: str,
        port: int,
        username: str,
        password: str,
        client_id: str,
        clean_session: bool,
        ca: Path | None,
    ):
        """ca: the certificate authority behind the broker's certificate; given, the connection is TLS."""
        self._address = (host, port)
        self._hello = _connect(client_id, clean_session, username, password)
        self._tls = ssl.create_default_context(cafile=str(ca)) if ca is not None else None
        self.on_connect: Callable[[], None] = lambda: None
        self.on_disconnect: Callable[[str], None] = lambda reason: None
        self.on_message: Callable[[str, bytes, int, int, bool], None] = lambda *_: None
        self.on_puback: Callable[[int], None] = lambda mid: None
        self.connections = 0
        self._lock = threading.Lock()  # of the socket and of all below
        self._socket: socket.socket | None = None
        self._unsent = bytearray()
        self._broken = ""  # why the connection is to be given up
        self._last_mid = 0
        self._in_flight: set[int] = set()
        self._stopping = threading.Event()
        self._woken, self._wake = socket.socketpair()
        self._wake.setblocking(False)

    @property
    def connected(self) -> bool:
        return self._socket is not None

    def run(self) -> None:
        """Stay connected until `stop`."""
        delay_s = RECONNECT_MIN_S
        while not self._stopping.is_set():
            before = self.connections
            try:
                self._connect_and_read()
            except (OSError, MqttError) as error:
                if self.connections != before:
                    self._end(str(error))
                elif delay_s == RECONNECT_MIN_S:  # the first in a row
                    log.warning("mqtt_connect_failed", reason=str(error))
            if self.connections != before:
                delay_s = RECONNECT_MIN_S
            # Jitter: after an outage of the broker all its clients come back.
            if self._stopping.wait(delay_s * _jitter.uniform(0.5, 1)):
                break
            delay_s = min(2 * delay_s, RECONNECT_MAX_S)
        self._end("stopped")

    def stop(self) -> None:
        """Let `run` return; the broker is told."""
        self._stopping.set()
        self._send(_DISCONNECT)
        self._wake_up()

    def subscribe(self, topics: Iterable[tuple[str, int]]) -> None:
        """(topic, QoS) each. A broker that refuses one is logged."""
        body = b"".join(_text(topic) + bytes((qos,)) for topic, qos in topics)
        self._send_with_id(_SUBSCRIBE, body)

    def unsubscribe(self, topic: str) -> None:
        self._send_with_id(_UNSUBSCRIBE, _text(topic))

    def publish(self, messages: list[tuple[str, bytes, bool]]) -> list[int | None]:
        """Send (topic, payload, retain) each at QoS 1, in one piece: their packet ids.

        None where there is no connection or too many messages are unacknowledged: that one was not sent.
        """
        mids: list[int | None] = []
        data = bytearray()
        with self._lock:
            for topic, payload, retain in messages:
                mid = self._new_mid()
                mids.append(mid)
                if mid is not None:
                    name = topic.encode()
                    body_bytes = 4 + len(name) + len(payload)
                    data += bytes((_PUBLISH | 2 | retain,)) + _length(body_bytes)
                    data += struct.pack("!H", len(name)) + name + struct.pack("!H", mid) + payload
            self._write(bytes(data))
        return mids

    def ack(self, mids: Iterable[int]) -> None:
        """Let the broker forget these messages, of this connection."""
        self._send(b"".join(struct.pack("!BBH", _PUBACK, 2, mid) for mid in mids))

    # -- the connection

    def _connect_and_read(self) -> None:
        sock = socket.create_connection(self._address, ANSWER_S)
        try:
            # Nagle's algorithm meets delayed acknowledgements: 40 ms a hop otherwise.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                sock = self._tls.wrap_socket(sock, server_hostname=self._address[0])
            decoder = _Decoder()
            sock.sendall(self._hello)
            packets = self._await_connack(sock, decoder)
            sock.setblocking(False)
            with self._lock:
                self._socket, self._broken = sock, ""
                self._unsent.clear()
                self._in_flight.clear()
                self.connections += 1
            self.on_connect()
            for packet in packets:
                self._handle(*packet)
            self._read(sock, decoder)
        finally:
            sock.close()

    def _await_connack(self, sock: socket.socket, decoder: "_Decoder") -> list[tuple[int, bytes]]:
        """The packets that came after the acceptance. Raises MqttError, OSError."""
        while True:
            data = sock.recv(READ_BYTES)
            if not data:
                raise MqttError("the broker closed the connection")
            packets = list(decoder.feed(data))
            if packets:
                kind, body = packets[0]
                if kind != _CONNACK or len(body) != 2 or body[1]:
                    raise MqttError(f"the broker refuses the connection: {body.hex()}")
                return packets[1:]

    def _read(self, sock: socket.socket, decoder: "_Decoder") -> None:
        """Until the connection ends. Raises MqttError, OSError."""
        poll = select.poll()  # select() takes no descriptor beyond 1,023
        poll.register(self._woken, select.POLLIN)
        heard_at = pinged_at = time.monotonic()
        while not self._stopping.is_set():
            if self._broken:
                raise MqttError(self._broken)
            poll.register(sock, select.POLLIN | (select.POLLOUT if self._unsent else 0))
            ready = dict(poll.poll(1000))
            now = time.monotonic()
            if self._woken.fileno() in ready:
                self._woken.recv(4096)
            if ready.get(sock.fileno(), 0) & select.POLLOUT:
                with self._lock:
                    self._write(b"")
            if ready.get(sock.fileno(), 0) & ~select.POLLOUT:
                heard_at = now
                self._receive(sock, decoder)
            if now - heard_at > KEEPALIVE_S * 3 // 2:
                raise MqttError("the broker is silent")
            if now - pinged_at > KEEPALIVE_S // 2:
                pinged_at = now
                self._send(_PINGREQ)

    def _receive(self, sock: socket.socket, decoder: "_Decoder") -> None:
        while True:
            try:
                with self._lock:  # an SSL object is not for two threads
                    data = sock.recv(READ_BYTES)
            except _AGAIN:
                return
            if not data:
                raise MqttError("the broker closed the connection")
            for kind, body in decoder.feed(data):
                self._handle(kind, body)
            if not isinstance(sock, ssl.SSLSocket) or not sock.pending():
                return

    def _handle(self, kind: int, body: bytes) -> None:
        if kind & 0xF0 == _PUBLISH:
            qos = kind >> 1 & 3
            name_end = 2 + (body[0] << 8 | body[1])
            payload_at, mid = name_end, 0
            if qos:
                payload_at += 2
                mid = body[name_end] << 8 | body[name_end + 1]
            topic = body[2:name_end].decode("utf-8", "replace")
            self.on_message(topic, body[payload_at:], mid, qos, bool(kind & 1))
        elif kind == _PUBACK:
            mid = body[0] << 8 | body[1]
            with self._lock:
                self._in_flight.discard(mid)
            self.on_puback(mid)
        elif kind == _SUBACK and _REFUSED in body[2:]:
            log.warning("mqtt_subscription_refused", answers=body[2:].hex())

    def _end(self, reason: str) -> None:
        with self._lock:
            was_connected, self._socket = self._socket is not None, None
        if was_connected:
            self.on_disconnect(reason)

    # -- sending

    def _send(self, data: bytes) -> None:
        with self._lock:
            self._write(data)

    def _send_with_id(self, kind: int, body: bytes) -> None:
        with self._lock:
            mid = self._new_mid()
            if mid is not None:
                self._in_flight.discard(mid)  # nobody waits for its answer
                self._write(bytes((kind,)) + _length(2 + len(body)) + struct.pack("!H", mid) + body)

    def _new_mid(self) -> int | None:
        if self._socket is None or len(self._in_flight) >= IN_FLIGHT_MAX:
            return None
        while True:
            self._last_mid = self._last_mid % 65_535 + 1
            if self._last_mid not in self._in_flight:
                self._in_flight.add(self._last_mid)
                return self._last_mid

    def _write(self, data: bytes) -> None:
        """With the lock held: send, or keep for `run` what the socket does not take."""
        if self._socket is None:
            return
        if self._unsent:
            self._unsent += data
            data = bytes(self._unsent)
        if not data:
            return
        try:
            sent = self._socket.send(data)
        except _AGAIN:
            sent = 0
        except OSError as error:
            self._broken = str(error)
            sent = len(data)
        self._unsent[:] = data[sent:]
        if len(self._unsent) > UNSENT_MAX_BYTES:
            self._broken = "the broker does not take what is sent"
        if self._unsent or self._broken:
            self._wake_up()

    def _wake_up(self) -> None:
        try:
            self._wake.send(b"\0")
        except OSError:  # full: it is awake
            pass


class _Decoder:
    """Takes packets out of a stream."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """(first byte, body) of each packet that is whole. Raises MqttError."""
        if self._rest:
            data = self._rest + data
        at, end = 0, len(data)
        while end - at >= 2:
            length, place, shift = data[at + 1] & 0x7F, at + 2, 7
            while data[place - 1] & 0x80:
                if shift > 21:
                    raise MqttError("a packet's length is wrong")
                if place == end:
                    break
                length |= (data[place] & 0x7F) << shift
                place, shift = place + 1, shift + 7
            if data[place - 1] & 0x80 or place + length > end:
                break
            yield data[at], data[place : place + length]
            at = place + length
        self._rest = data[at:]


def _connect(client_id: str, clean_session: bool, username: str, password: str) -> bytes:
    flags = 0xC0 | (2 if clean_session else 0)
    body = _text("MQTT") + bytes((4, flags)) + struct.pack("!H", KEEPALIVE_S)
    body += _text(client_id) + _text(username) + _text(password)
    return bytes((_CONNECT,)) + _length(len(body)) + body


def _text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("!H", len(data)) + data


def _length(value: int) -> bytes:
    """A remaining length (MQTT 3.1.1, section 2.2.3)."""
    data = b""
    while True:
        value, low = value >> 7, value & 0x7F
        if not value:
            return data + bytes((low,))
        data += bytes((low | 0x80,))
