"""A TCP proxy that does to a connection, on command, what a bad network does.

    with Proxy(broker.port) as proxy:
        pile = sim_pile(system, mqtt_url=proxy.url)
        proxy.cut()          # every connection ends, new ones are refused
        proxy.mend()
        proxy.stall()        # half-open: bytes stay in buffers, and neither side notices
        proxy.rewrite = lambda direction, packet: [packet, packet]     # every MQTT packet twice

"up" is from the client to the server, "down" in the other direction.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any

HOST = "127.0.0.1"
CHUNK_BYTES = 4096


class Proxy:
    """Forwards HOST:port to HOST:target_port in a thread of its own."""

    def __init__(self, target_port: int):
        self.target_port = target_port
        self.port = 0
        self.connections = 0  # made so far
        self.bytes_up = 0
        self.bytes_down = 0
        self.latency_s = 0.0
        self.bytes_per_s = 0  # in each direction; 0: no limit
        # Called with "up" or "down" and each whole MQTT packet; what it returns is forwarded in its place.
        self.rewrite: Callable[[str, bytes], list[bytes]] | None = None
        self._cut_up_after: int | None = None
        self._refuse = False
        self._flow: dict[str, asyncio.Event] = {}
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Proxy:
        self._thread.start()
        self._call(self._start())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._call(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def url(self) -> str:
        return f"mqtt://{HOST}:{self.port}"

    def cut(self) -> None:
        """Ends every connection and refuses new ones until `mend`."""
        self._call(self._cut(refuse=True))

    def drop(self) -> None:
        """Ends every connection and accepts new ones."""
        self._call(self._cut(refuse=False))

    def cut_after(self, bytes_up: int) -> None:
        """Ends the connection after `bytes_up` more bytes upward, in the middle of a packet if it falls
        there.
        """
        self._cut_up_after = self.bytes_up + bytes_up

    def stall(self, direction: str = "both") -> None:
        """Stops forwarding "up", "down" or "both" without closing anything."""
        self._set_flow(direction, False)

    def mend(self) -> None:
        """Forwards again, and accepts connections."""
        self._refuse = False
        self._set_flow("both", True)

    def _set_flow(self, direction: str, flows: bool) -> None:
        async def switch() -> None:
            for name in ("up", "down") if direction == "both" else (direction,):
                (self._flow[name].set if flows else self._flow[name].clear)()

        self._call(switch())

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _start(self) -> None:
        for name in ("up", "down"):
            self._flow[name] = asyncio.Event()
            self._flow[name].set()

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = self._loop.create_task(self._accept(reader, writer))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        self._server = await asyncio.start_server(accept, HOST, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        if self._server:
            self._server.close()
        await self._cut(refuse=True)
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _cut(self, *, refuse: bool) -> None:
        self._refuse = refuse
        for writer in list(self._writers):
            writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refuse:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection(HOST, self.target_port)
        except OSError:
            writer.transport.abort()
            return
        self.connections += 1
        pair = {writer, far_writer}
        self._writers |= pair
        try:
            await asyncio.gather(
                self._pump(reader, far_writer, "up", self._count_up),
                self._pump(far_reader, writer, "down", self._count_down),
            )
        except OSError:
            pass  # one side has closed; the other is closed below
        finally:
            self._writers -= pair
            for one in pair:
                one.transport.abort()

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        direction: str,
        count: Callable[[int], None],
    ) -> None:
        rest = b""
        while data := await reader.read(CHUNK_BYTES):
            if self.rewrite or rest:
                packets, rest = whole_packets(rest + data)
                rewrite = self.rewrite or (lambda _, packet: [packet])
                data = b"".join(made for packet in packets for made in rewrite(direction, packet))
            await self._flow[direction].wait()
            if self.latency_s:
                await asyncio.sleep(self.latency_s)
            if self.bytes_per_s:
                await asyncio.sleep(len(data) / self.bytes_per_s)
            limit = self._cut_up_after if direction == "up" else None
            if limit is not None and self.bytes_up + len(data) >= limit:
                self._cut_up_after = None
                writer.write(data[: limit - self.bytes_up])
                await writer.drain()
                raise ConnectionAbortedError("cut on command")
            count(len(data))
            writer.write(data)
            await writer.drain()
        raise ConnectionResetError("end of stream")

    def _count_up(self, count: int) -> None:
        self.bytes_up += count

    def _count_down(self, count: int) -> None:
        self.bytes_down += count


def whole_packets(data: bytes) -> tuple[list[bytes], bytes]:
    """(the complete MQTT packets, the rest)."""
    packets = []
    at = 0
    while (end := _packet_end(data, at)) is not None:
        packets.append(data[at:end])
        at = end
    return packets, data[at:]


def _packet_end(data: bytes, begin: int) -> int | None:
    length = 0
    for digits in range(1, 5):
        at = begin + digits
        if at >= len(data):
            return None
        length |= (data[at] & 0x7F) << 7 * (digits - 1)
        if not data[at] & 0x80:
            end = at + 1 + length
            return end if end <= len(data) else None
    raise ValueError("a remaining length of more than four bytes")


def publish_topic(packet: bytes) -> str | None:
    """The topic of a PUBLISH; None of any other packet."""
    if packet[0] >> 4 != 3:
        return None
    at = 1
    while packet[at] & 0x80:
        at += 1
    size = int.from_bytes(packet[at + 1 : at + 3], "big")
    return packet[at + 3 : at + 3 + size].decode()
