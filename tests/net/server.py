"""The other end of an MQTT connection, in the test's hands: it says the bytes that it is told to say."""

from __future__ import annotations

import socket
import struct
import time
from dataclasses import dataclass

HOST = "127.0.0.1"
TIMEOUT_S = 60

CONNACK = b"\x20\x02\x00\x00"
PINGRESP = b"\xd0\x00"

CONNECT_TYPE = 1
PUBLISH_TYPE = 3
PUBACK_TYPE = 4
SUBSCRIBE_TYPE = 8
PINGREQ_TYPE = 12


@dataclass(frozen=True)
class Packet:
    """One packet of the client; `body` is what follows its remaining length."""

    kind: int
    flags: int
    body: bytes

    @property
    def packet_id(self) -> int:
        """Of a PUBACK or SUBSCRIBE, where it comes first; of a PUBLISH at QoS 1, after its topic."""
        at = 2 + int.from_bytes(self.body[:2], "big") if self.kind == PUBLISH_TYPE else 0
        return int.from_bytes(self.body[at : at + 2], "big")


def packet(first: int, body: bytes) -> bytes:
    """A packet with its remaining length."""
    length, encoded = len(body), b""
    while True:
        length, digit = divmod(length, 128)
        encoded += bytes([digit | (0x80 if length else 0)])
        if not length:
            return bytes([first]) + encoded + body


def text(value: str) -> bytes:
    """ASCII text as it stands in a packet: its length first."""
    return struct.pack(">H", len(value)) + value.encode()


def publish(topic: str, payload: bytes, packet_id: int = 0, *, dup: bool = False) -> bytes:
    """At QoS 1 where a packet id is given."""
    head = text(topic)
    if packet_id:
        head += struct.pack(">H", packet_id)
    return packet(0x30 | (2 if packet_id else 0) | (8 if dup else 0), head + payload)


def puback(packet_id: int) -> bytes:
    return b"\x40\x02" + struct.pack(">H", packet_id)


def suback(packet_id: int, codes: bytes) -> bytes:
    return packet(0x90, struct.pack(">H", packet_id) + codes)


class Peer:
    """One accepted connection. Every read fails after TIMEOUT_S."""

    def __init__(self, sock: socket.socket):
        self._sock = sock
        sock.settimeout(TIMEOUT_S)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, data: bytes) -> None:
        self._sock.sendall(data)

    def send_in_pieces(self, data: bytes, size: int = 1) -> None:
        """Each piece leaves as a packet of its own: without Nagle, and with a moment in between."""
        for i in range(0, len(data), size):
            self._sock.sendall(data[i : i + size])
            time.sleep(0.001)

    def read(self) -> Packet:
        """The client's next packet. Raises EOFError where it has closed the connection."""
        first = self._exactly(1)[0]
        length = shift = 0
        while True:
            digit = self._exactly(1)[0]
            length |= (digit & 0x7F) << shift
            shift += 7
            if not digit & 0x80:
                return Packet(first >> 4, first & 15, self._exactly(length))

    def expect(self, kind: int) -> Packet:
        """The next packet, which is of that type. Pings in between are answered."""
        while True:
            found = self.read()
            if found.kind == PINGREQ_TYPE != kind:
                self.send(PINGRESP)
                continue
            assert found.kind == kind, f"type {kind} expected, {found} came"
            return found

    def wait_closed(self) -> None:
        """Returns once the client has ended the connection; whatever it still sends is of no interest."""
        try:
            while self._sock.recv(65_536):
                pass
        except ConnectionError:
            pass

    def close(self) -> None:
        self._sock.close()

    def reset(self) -> None:
        """Ends the connection with RST instead of FIN."""
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._sock.close()

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = self._sock.recv(count - len(data))
            if not more:
                raise EOFError("the client closed the connection")
            data += more
        return data


class Server:
    """Listens on a free port of 127.0.0.1; the context manager closes every connection that it took."""

    def __init__(self) -> None:
        self._listener = socket.create_server((HOST, 0))
        self._listener.settimeout(TIMEOUT_S)
        self._peers: list[Peer] = []
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._listener.close()
        for peer in self._peers:
            peer.close()

    def accept(self, receive_buffer_bytes: int = 0) -> Peer:
        """The next connection."""
        if receive_buffer_bytes:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        peer = Peer(self._listener.accept()[0])
        self._peers.append(peer)
        return peer

    def welcome(self) -> Peer:
        """The next connection, with CONNECT taken and accepted."""
        peer = self.accept()
        peer.expect(CONNECT_TYPE)
        peer.send(CONNACK)
        return peer
