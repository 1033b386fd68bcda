"""Publishes prepared MQTT packets as fast as the broker accepts them, and counts the answers.

It uses bare sockets, because the row would otherwise measure a client library.
"""

from __future__ import annotations

import select
import socket
import threading
import time
from types import TracebackType

from net import mqtt_codec as codec
from pile_protocol import topics
from tools.harness.broker import Broker
from tools.harness.processes import HOST, ProcessError

READ_BYTES = 1 << 18


class Feeder:
    """One connection as the user `cloud`, who may publish for every pile."""

    def __init__(self, broker: Broker, client_id: str, subscriptions: list[str]):
        self._socket = socket.create_connection((HOST, broker.port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._decoder = codec.Decoder()
        will = (topics.topic("FEEDER", "none"), b"-")
        self._socket.sendall(codec.connect(client_id, "cloud", broker.cloud_password, 600, *will))
        self._expect(codec.CONNACK)
        if subscriptions:
            self._socket.sendall(codec.subscribe(1, subscriptions))
            self._expect(codec.SUBACK)

    def __enter__(self) -> Feeder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.sendall(codec.DISCONNECT)
        self._socket.close()

    def feed(self, packets: bytes, wanted: int, timeout_s: float = 120) -> float:
        """Sends the packets; returns how many seconds passed until `wanted` messages had come back."""
        sender = threading.Thread(target=self._socket.sendall, args=(packets,), daemon=True)
        began = time.monotonic()
        sender.start()
        self._receive(wanted, began + timeout_s)
        took_s = time.monotonic() - began
        sender.join()
        return took_s

    def send(self, packets: bytes) -> None:
        self._socket.sendall(packets)

    def _receive(self, wanted: int, deadline: float) -> None:
        came = 0
        while came < wanted:
            if not select.select([self._socket], [], [], max(0, deadline - time.monotonic()))[0]:
                raise ProcessError(f"{came} of {wanted} answers came in time")
            acks = b""
            for kind, value in self._packets():
                if kind == codec.PUBLISH:
                    came += 1
                    if value.qos:
                        acks += codec.puback(value.packet_id)
            if acks:
                self._socket.sendall(acks)

    def _packets(self) -> list:
        data = self._socket.recv(READ_BYTES)
        if not data:
            raise ProcessError("the broker closed the feeder's connection")
        return self._decoder.feed(data)

    def _expect(self, kind: int) -> None:
        while True:
            for got, value in self._packets():
                if got == kind:
                    if kind == codec.CONNACK and value:
                        raise ProcessError(f"the broker refuses the feeder: {value}")
                    return


def packets(messages: list[tuple[str, bytes]], qos: int = 1) -> bytes:
    """The PUBLISH packets of (topic, payload) pairs, one after the other."""
    made = [
        codec.publish(topic, payload, qos, False, number % 65_535 + 1 if qos else 0)
        for number, (topic, payload) in enumerate(messages)
    ]
    return b"".join(made)
