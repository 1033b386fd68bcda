"""QoS 1 publishes one after the other by the pile's MQTT client, or by the bare protocol over a socket.

Arguments: ours|bare, port, password, count. Prints JSON: publishes a second, and the median round trip of a
message to this very client, in microseconds.
"""

import asyncio
import json
import socket
import struct
import sys
import time

from net.mqtt import Client, Options
from net.transport import open_stream
from pile_protocol import topics

CLIENT = "BENCH-1"
TOPIC = topics.topic(CLIENT, topics.STATUS)
BACK = topics.topic(CLIENT, "bench")
PAYLOAD = b"x" * 200

kind, port, password, count = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])


def report(publish_us, trips_us):
    trips_us.sort()
    print(json.dumps({"rate": count * 1_000_000 / publish_us, "trip": trips_us[len(trips_us) // 2]}))


async def ours():
    came = asyncio.Event()

    async def connect():
        return await open_stream("127.0.0.1", port)

    options = Options(CLIENT, "cloud", password, (topics.topic(CLIENT, "will"), b"-"))
    client = Client(options, connect, lambda publish: came.set(), lambda error: None)
    asyncio.create_task(client.run())
    await client.up.wait()
    await client.subscribe([BACK])
    begin = time.ticks_us()
    for _ in range(count):
        await client.publish(TOPIC, PAYLOAD, 1)
    publish_us = time.ticks_diff(time.ticks_us(), begin)
    trips_us = []
    for _ in range(count // 4):
        begin = time.ticks_us()
        came.clear()
        await client.publish(BACK, PAYLOAD, 1)
        await came.wait()
        trips_us.append(time.ticks_diff(time.ticks_us(), begin))
    report(publish_us, trips_us)


class Bare:
    """MQTT 3.1.1 as umqtt.simple speaks it: blocking reads of a byte, then the rest."""

    def __init__(self):
        self._socket = socket.socket()
        self._socket.connect(socket.getaddrinfo("127.0.0.1", port)[0][-1])
        self._socket.setsockopt(6, 1, 1)  # TCP_NODELAY: without it the row would measure Nagle's algorithm
        self._stream = self._socket.makefile("rwb") if hasattr(self._socket, "makefile") else self._socket
        self._id = 0
        body = (
            b"\x00\x04MQTT\x04\xc2\x00\x3c" + self._text(CLIENT) + self._text("cloud") + self._text(password)
        )
        self._send(b"\x10" + self._length(len(body)) + body)
        if self._packet()[0] != 0x20:
            raise OSError("refused")

    def subscribe(self, topic):
        self._send(b"\x82" + self._length(5 + len(topic)) + b"\x00\x01" + self._text(topic) + b"\x01")
        self._packet()

    def publish(self, topic):
        """Returns when the broker has acknowledged; a message that comes before that is acknowledged too."""
        self._id = self._id % 65_535 + 1
        head = self._text(topic) + struct.pack("!H", self._id)
        self._send(b"\x32" + self._length(len(head) + len(PAYLOAD)) + head + PAYLOAD)
        came = False
        while True:
            first, body = self._packet()
            if first == 0x40:
                return came
            came = self.take(first, body) or came

    def take(self, first, body):
        end = 2 + (body[0] << 8 | body[1])
        self._send(b"\x40\x02" + body[end : end + 2])
        return True

    def wait(self):
        self.take(*self._packet())

    def _send(self, data):
        self._stream.write(data)

    def _packet(self):
        first = self._stream.read(1)[0]
        length = shift = 0
        while True:
            digit = self._stream.read(1)[0]
            length |= (digit & 0x7F) << shift
            shift += 7
            if not digit & 0x80:
                return first, self._stream.read(length)

    @staticmethod
    def _text(text):
        return struct.pack("!H", len(text)) + text.encode()

    @staticmethod
    def _length(length):
        return bytes((length,)) if length < 128 else bytes((length & 0x7F | 0x80, length >> 7))


def bare():
    client = Bare()
    client.subscribe(BACK)
    begin = time.ticks_us()
    for _ in range(count):
        client.publish(TOPIC)
    publish_us = time.ticks_diff(time.ticks_us(), begin)
    trips_us = []
    for _ in range(count // 4):
        begin = time.ticks_us()
        if not client.publish(BACK):
            client.wait()
        trips_us.append(time.ticks_diff(time.ticks_us(), begin))
    report(publish_us, trips_us)


if kind == "ours":
    asyncio.run(ours())
else:
    bare()
