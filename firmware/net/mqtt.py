"""A small asyncio MQTT 3.1.1 client for MicroPython.

One connection has one reader, one writer and one keepalive task, and each ends with it: asyncio there loses
bytes when a read is cancelled and sends them twice when a write is, so a connection in doubt is thrown away.
"""

import asyncio
import os
import time

from . import mqtt_codec as codec
from .errors import LinkDown, LinkError, LinkNoMemory, LinkRefused, LinkUntrusted, MqttError, of_network

READ_BYTES = 256  # a block of heap for each read, in one piece
SEND_QUEUE_MAX = 32  # packets; when so many wait, the network counts as down
FULL_MS = 20  # the pause before a message is offered again to whoever had no room for it


class Options:
    """Who connects and how. keepalive_s 1 to 65535; `will` is (topic, payload), published retained at QoS 1.

    answer_ms: how long CONNACK, SUBACK and PUBACK may take. The wait before the next try is spread between
    half and all of a back-off that doubles from backoff_min_ms to backoff_max_ms; a connection that lasted
    steady_ms starts it anew.
    """

    def __init__(
        self,
        client_id,
        username,
        password,
        will,
        keepalive_s=30,
        backoff_max_ms=30_000,
        backoff_min_ms=500,
        steady_ms=30_000,
        answer_ms=20_000,
    ):
        self.client_id = client_id
        self.username = username
        self.password = password
        self.will = will
        self.keepalive_s = keepalive_s
        self.backoff_max_ms = backoff_max_ms
        self.backoff_min_ms = backoff_min_ms
        self.steady_ms = steady_ms
        self.answer_ms = answer_ms


class _Answer:
    """What a sender waits for: the broker's answer to one packet id, or the end of the connection."""

    def __init__(self):
        self._event = asyncio.Event()
        self._value = None

    @property
    def given(self):
        return self._event.is_set()

    def give(self, value):
        """The answer, or None for the end of the connection. Only the first call counts: returns whether it
        is the first.
        """
        first = not self.given
        if first:
            self._value = value
            self._event.set()
        return first

    async def get(self, wait_ms):
        """The answer. Raises LinkDown where the connection ended, or wait_ms passed, without one."""
        try:
            await asyncio.wait_for_ms(self._event.wait(), wait_ms)
        except asyncio.TimeoutError:
            raise LinkDown("no answer from the broker")
        if self._value is None:
            raise LinkDown("the connection ended")
        return self._value


class Connection:
    """From CONNECT to the end of one stream (an asyncio Stream)."""

    def __init__(self, stream, options, on_message):
        self._stream = stream
        self._options = options
        self._on_message = on_message
        self._decoder = codec.Decoder()
        self._queue = [
            codec.connect(
                options.client_id, options.username, options.password, options.keepalive_s, *options.will
            )
        ]
        self._queued = asyncio.Event()
        self._queued.set()
        self._room = asyncio.Event()
        self._room.set()
        self._connack = _Answer()
        self._answers = {}  # by (type of the answer, packet id)
        self._failed = asyncio.Event()
        self._error = None
        self._received_ms = time.ticks_ms()
        self._tasks = [
            asyncio.create_task(self._guard(self._read())),
            asyncio.create_task(self._guard(self._write())),
        ]

    async def open(self):
        """Waits for CONNACK. Raises LinkRefused with the broker's reason, or why there is none."""
        try:
            code = await self._connack.get(self._options.answer_ms)
        except LinkDown as error:
            raise self._error or error
        if code:
            known = code < len(codec.CONNACK_REASONS)
            reason = codec.CONNACK_REASONS[code] if known else "refused with %d" % code
            raise LinkRefused("broker: " + reason)
        self._tasks.append(asyncio.create_task(self._guard(self._keep_alive())))

    async def wait_end(self):
        """Returns when the connection has failed, with the error."""
        await self._failed.wait()
        return self._error

    async def close(self):
        """Ends the tasks and whoever waits for an answer, and closes the stream."""
        self.fail(LinkDown("closed"))
        for task in self._tasks:
            task.cancel()
        self._stream.close()
        try:
            await self._stream.wait_closed()
        except OSError:
            pass  # it is gone already

    def send(self, packet):
        """Queues one packet. Raises LinkDown where the queue is full or the connection has failed."""
        if self._error is not None:
            raise LinkDown("the connection ended")
        if len(self._queue) >= SEND_QUEUE_MAX:
            raise LinkDown("the network does not take what is sent")
        self._put(packet)

    def _put(self, packet):
        self._queue.append(packet)
        self._queued.set()
        if len(self._queue) >= SEND_QUEUE_MAX:
            self._room.clear()

    async def ask(self, kind, packet_id, packet):
        """Sends a packet and waits for the broker's answer of type `kind` to its id. Raises LinkDown, and
        fails the connection where the broker stayed silent."""
        answer = self._answers[kind, packet_id] = _Answer()
        try:
            self.send(packet)
            return await answer.get(self._options.answer_ms)
        except LinkDown as error:
            self.fail(error)
            raise
        finally:
            self._answers.pop((kind, packet_id), None)

    async def _guard(self, work):
        """Turns the end of a task, whatever its reason, into the end of the connection."""
        try:
            await work
        except LinkError as error:
            self.fail(error)
        except (OSError, EOFError, MemoryError) as error:
            self.fail(of_network(error))

    def fail(self, error):
        """Declares the connection over; whoever waits for an answer gets LinkDown."""
        if self._error is None:
            self._error = error
            self._failed.set()
            self._connack.give(None)
            for answer in self._answers.values():
                answer.give(None)

    async def _read(self):
        while True:
            await self._room.wait()  # what is read is acknowledged: no reading while nothing can be sent
            try:
                data = await self._stream.read(READ_BYTES)
            except ValueError as error:
                raise _untrusted(error)
            if not data:
                raise LinkDown("the broker closed the connection")
            self._received_ms = time.ticks_ms()
            packets = self._decoder.feed(data)
            while packets:
                kind, value = packets.pop(0)
                self._take(kind, value)
                if kind == codec.PUBLISH:
                    # Acknowledged when it is queued: the cloud sends again what must have an effect.
                    while self._on_message(value) is False:
                        await asyncio.sleep_ms(FULL_MS)
                    if value.qos:
                        self._put(codec.puback(value.packet_id))
            data = value = None  # up to 8 KB, which would else stay in the heap until something comes

    def _take(self, kind, value):
        if kind == codec.CONNACK:
            if not self._connack.give(value):
                raise MqttError("a second CONNACK")
        elif not self._connack.given:
            raise MqttError("a packet of type %d before the CONNACK" % kind)
        elif kind == codec.PUBACK:
            self._answer(kind, value, True)
        elif kind == codec.SUBACK:
            self._answer(kind, *value)

    def _answer(self, kind, packet_id, value):
        answer = self._answers.get((kind, packet_id))
        if answer is not None:  # else it comes too late: the sender has given up
            answer.give(value)

    async def _write(self):
        while True:
            await self._queued.wait()
            self._queued.clear()
            while self._queue:
                try:
                    self._stream.write(self._queue[0])
                    await self._stream.drain()
                except ValueError as error:
                    raise _untrusted(error)
                self._queue.pop(0)
                self._room.set()

    async def _keep_alive(self):
        """Pings twice a keepalive; a broker silent for a whole one is gone, whatever the socket says."""
        keepalive_ms = self._options.keepalive_s * 1000
        while True:
            await asyncio.sleep_ms(keepalive_ms // 2)
            if time.ticks_diff(time.ticks_ms(), self._received_ms) >= keepalive_ms:
                raise LinkDown("no sign of life from the broker for %d s" % self._options.keepalive_s)
            self.send(codec.PINGREQ)


class Client:
    """Keeps one connection up for ever.

    open_stream: `async () -> Stream`, raises OSError. on_message: called with each codec.Publish; if it
    returns False it is called again with the same one, and meanwhile nothing is read or acknowledged.
    on_change: called with None when a connection is up, with the error when it is lost or refused.
    ready: an asyncio.Event, set while there is a network to try it over; None where there always is.
    """

    def __init__(self, options, open_stream, on_message, on_change, ready=None):
        self.up = asyncio.Event()
        self.connections = 0  # made so far
        self._options = options
        self._open_stream = open_stream
        self._on_message = on_message
        self._on_change = on_change
        self._ready = ready
        self._connection = None
        self._packet_id = 0

    async def run(self):
        """Connects, and connects again after a back-off; never returns."""
        options = self._options
        backoff_ms = options.backoff_min_ms
        while True:
            if self._ready is not None and not self._ready.is_set():
                await self._ready.wait()
                backoff_ms = options.backoff_min_ms
            began_ms = time.ticks_ms()
            try:
                error = await self._one_connection()
            except MemoryError as full:
                error = of_network(full)
            if self.connections and isinstance(error, LinkUntrusted) and "signed" in str(error):
                # A handshake that runs out of memory while it checks a signature says the same.
                error = LinkNoMemory(
                    "the broker's certificate was verified before and cannot be now: too little memory,"
                    " or another certificate"
                )
            self._on_change(error)
            if time.ticks_diff(time.ticks_ms(), began_ms) >= options.steady_ms:
                backoff_ms = options.backoff_min_ms
            await asyncio.sleep_ms(backoff_ms // 2 + _random_below(backoff_ms // 2 + 1))
            backoff_ms = min(2 * backoff_ms, options.backoff_max_ms)

    async def _one_connection(self):
        answer_ms = self._options.answer_ms
        try:
            stream = await asyncio.wait_for_ms(self._open_stream(), answer_ms)
        except asyncio.TimeoutError:
            return LinkDown("no connection to the broker within %d s" % (answer_ms // 1000))
        except OSError as error:
            found = of_network(error)
            if isinstance(found, LinkNoMemory):
                return found
            return LinkDown("no connection to the broker: " + repr(error))
        connection = Connection(stream, self._options, self._on_message)
        error = None
        try:
            await connection.open()
            self._connection = connection
            self.connections += 1
            self._on_change(None)
            self.up.set()
            error = await connection.wait_end()
        except LinkError as refused:
            error = refused
        finally:
            self.up.clear()
            self._connection = None
            await connection.close()
        return error

    async def publish(self, topic, payload, qos=0, retain=False):
        """QoS 0: returns when queued. QoS 1: returns when the broker has acknowledged. Raises LinkDown."""
        connection = self._connected()
        if not qos:
            connection.send(codec.publish(topic, payload, 0, retain, 0))
            return
        packet_id = self._next_id()
        await connection.ask(codec.PUBACK, packet_id, codec.publish(topic, payload, 1, retain, packet_id))

    async def subscribe(self, topics, needed=None):
        """Subscribes at QoS 1. Raises LinkRefused where the broker refuses one of the first `needed` topics
        (None: one of all), LinkDown.
        """
        packet_id = self._next_id()
        codes = await self._connected().ask(codec.SUBACK, packet_id, codec.subscribe(packet_id, topics))
        if len(codes) != len(topics):
            raise LinkRefused("the broker answers %d subscriptions with %d codes" % (len(topics), len(codes)))
        for topic, code in zip(topics[:needed], codes):
            if code > 1:
                raise LinkRefused("the broker refuses a subscription to " + topic)

    def drop(self, error):
        """Gives the present connection up because of `error`; the client connects anew."""
        if self._connection is not None:
            self._connection.fail(error)

    def _connected(self):
        if self._connection is None:
            raise LinkDown("not connected")
        return self._connection

    def _next_id(self):
        self._packet_id = self._packet_id % 65_535 + 1
        return self._packet_id


def _untrusted(error):
    """MicroPython's TLS says by a ValueError at the first read or write that the broker is not trusted."""
    return LinkUntrusted("broker certificate: " + str(error).strip())


def _random_below(n):
    return int.from_bytes(os.urandom(3), "big") % n
