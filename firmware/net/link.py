"""Between the MQTT topics and the controller: messages in, the mailbox and the outbox out."""

import asyncio
import binascii
import os
import time

from pile_protocol import messages, topics
from pile_protocol.errors import TopicError

from .errors import LinkError, LinkRefused, of_network

TICK_MS = 1_000  # while something waits for an answer ...
CALM_TICK_MS = 5_000  # ... and while nothing does: a thousand idle piles share a test machine
STATUS_MS = 30_000  # a fresh status, so that heap and clock are seen even when nothing happens
HELLO_MS = 3_600_000  # sets the clock again ...
HELLO_RETRY_MS = 5_000  # ... or for the first time
SETTLEMENT_RETRY_MS = 5_000  # doubles up to the next; never gives up
SETTLEMENT_RETRY_MAX_MS = 60_000


class Link:
    """client: mqtt.Client. wake: called when a message has been queued for the controller, so that the shell
    runs its cycle at once. vitals: called for the members of the status message that the shell measures.
    """

    def __init__(self, client, controller, wake, vitals):
        self._client = client
        self._controller = controller
        self._wake_shell = wake
        self._vitals = vitals
        self._wake = asyncio.Event()
        self._hello_ms = 0
        self._status_ms = 0
        self._settlement = None  # (seq, sent in ms, wait in ms) of the outbox's head

    def poke(self):
        """There may be something to send: called after each control cycle."""
        if self._controller.hello_due or not self._controller.mailbox.empty():
            self._wake.set()

    def receive(self, publish):
        """Queues one incoming codec.Publish; it acts in the shell's next cycle. False: the queue is full."""
        controller = self._controller
        try:
            device_id, name = topics.parse(publish.topic)
        except TopicError:
            device_id = name = None
        if device_id != controller.device_id or publish.payload is None:
            controller.dropped += 1
            return True
        queued = controller.receive(name, publish.payload)
        self._wake_shell()
        return queued

    async def run(self):
        """Greets on every connection, then sends what there is; never returns."""
        while True:
            await self._client.up.wait()
            connections = self._client.connections
            try:
                await self._greet()
                # A connection may go and the next one come while this waits: that one is greeted first, too.
                while self._client.connections == connections:
                    await self._send_all()
                    await self._pause()
            except LinkRefused as error:
                self._client.drop(error)
            except MemoryError as error:  # the connection gives back what it holds
                self._client.drop(of_network(error))
                await asyncio.sleep_ms(0)
            except LinkError:
                await asyncio.sleep_ms(0)  # the client brings up the next connection

    async def _pause(self):
        waiting = self._controller.outbox.depth or not self._controller.knows_time
        try:
            await asyncio.wait_for_ms(self._wake.wait(), TICK_MS if waiting else CALM_TICK_MS)
        except asyncio.TimeoutError:
            pass
        self._wake.clear()

    async def _greet(self):
        device_id = self._controller.device_id
        names = [topics.topic(device_id, name) for name in topics.DOWNWARD if name != topics.RATE]
        await self._client.subscribe(names, len(names) - len(topics.UPDATES))
        self._settlement = None
        self._controller.report()
        await self._hello()

    async def _hello(self):
        self._hello_ms = time.ticks_ms()
        nonce = binascii.hexlify(os.urandom(8)).decode()
        await self._publish(topics.HELLO, self._controller.hello(nonce), 1)

    async def _send_all(self):
        now_ms = time.ticks_ms()
        since_hello_ms = time.ticks_diff(now_ms, self._hello_ms)
        again_ms = HELLO_MS if self._controller.knows_time else HELLO_RETRY_MS
        if since_hello_ms >= again_ms or self._controller.hello_due:
            await self._hello()
        mailbox = self._controller.mailbox
        while True:
            item = mailbox.peek()
            if item is None:
                break
            name, message = item
            await self._publish(name, message, 0 if name in topics.UNACKNOWLEDGED else 1)
            mailbox.done(name, message)
        if mailbox.status_due or time.ticks_diff(now_ms, self._status_ms) >= STATUS_MS:
            mailbox.status_due = False
            self._status_ms = now_ms
            await self._publish(topics.STATUS, self._controller.status(self._vitals()), 1, True)
        await self._send_settlement(now_ms)

    async def _send_settlement(self, now_ms):
        """Sends the oldest settlement until the cloud says that it is stored."""
        head = self._controller.outbox.head()
        if head is None:
            return
        seq, sealed = head
        wait_ms = SETTLEMENT_RETRY_MS
        if self._settlement is not None and self._settlement[0] == seq:
            _, sent_ms, wait_ms = self._settlement
            if time.ticks_diff(now_ms, sent_ms) < wait_ms:
                return
            wait_ms = min(2 * wait_ms, SETTLEMENT_RETRY_MAX_MS)
        self._settlement = (seq, now_ms, wait_ms)
        await self._client.publish(topics.topic(self._controller.device_id, topics.SETTLEMENT), sealed, 1)

    async def _publish(self, name, message, qos, retain=False):
        payload = messages.encode(message).encode()
        await self._client.publish(topics.topic(self._controller.device_id, name), payload, qos, retain)


def will(device_id):
    """(topic, payload) that the broker publishes when the pile is gone."""
    return topics.topic(device_id, topics.STATUS), messages.encode({"online": False})
