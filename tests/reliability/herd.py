"""Many piles' connections in one process, by the firmware's own MQTT client under MicroPython:

    micropython herd.py

One JSON line on stdin says {"port", "clients": [[device_id, MQTT password], ...]}, and any of mqtt.Options.
Each client connects, subscribes and greets as a pile does, and comes back as one does. JSON lines on stdout
tell when all of them have greeted, and when that is no longer so.
"""

import asyncio
import binascii
import json
import os
import sys
import time

from net import mqtt
from net.errors import LinkError, LinkRefused
from net.link import will
from net.transport import open_stream
from pile_protocol import messages, topics


class Herd:
    """Counts who is up."""

    def __init__(self, size):
        self._size = size
        self._up = 0
        self._whole = False
        self._began_ms = time.ticks_ms()
        self.refused = 0

    def changed(self, by):
        self._up += by
        if self._up == self._size and not self._whole:
            self._whole = True
            self._tell("whole")
        elif self._whole and self._up < self._size:
            self._whole = False
            self._began_ms = time.ticks_ms()
            self._tell("broken")

    def _tell(self, event):
        took_ms = time.ticks_diff(time.ticks_ms(), self._began_ms)
        print(json.dumps({"event": event, "took_ms": took_ms, "refused": self.refused}))


class Member:
    """One connection, kept up and greeted on."""

    def __init__(self, herd, settings, device_id, password):
        self._herd = herd
        self._device_id = device_id
        self._greeted = False
        port = settings["port"]

        async def connect():
            return await open_stream("127.0.0.1", port)

        options = {name: settings[name] for name in settings if name not in ("port", "clients")}
        options = mqtt.Options(device_id, device_id, password, will(device_id), **options)
        self.client = mqtt.Client(options, connect, lambda publish: None, self._on_change)

    def _on_change(self, error):
        if error is None:
            return
        if isinstance(error, LinkRefused):
            self._herd.refused += 1
        if self._greeted:
            self._greeted = False
            self._herd.changed(-1)

    async def greet(self):
        while True:
            await self.client.up.wait()
            connections = self.client.connections
            try:
                await self._greet()
                self._greeted = True
                self._herd.changed(1)
            except LinkError:
                pass
            while self.client.up.is_set() and self.client.connections == connections:
                await asyncio.sleep_ms(50)

    async def _greet(self):
        names = [n for n in topics.DOWNWARD if n != topics.RATE]
        await self.client.subscribe([topics.topic(self._device_id, n) for n in names])
        hello = {
            "device_id": self._device_id,
            "firmware": "herd",
            "nonce": binascii.hexlify(os.urandom(8)).decode(),
            "connectors": 1,
            "orders": [],
            "last_seq": 0,
            "outbox": 0,
        }
        topic = topics.topic(self._device_id, topics.HELLO)
        await self.client.publish(topic, messages.encode(hello).encode(), 1)


async def main():
    settings = json.loads(sys.stdin.readline())
    herd = Herd(len(settings["clients"]))
    members = [Member(herd, settings, device_id, password) for device_id, password in settings["clients"]]
    work = [member.client.run() for member in members] + [member.greet() for member in members]
    await asyncio.gather(*work)


asyncio.run(main())
