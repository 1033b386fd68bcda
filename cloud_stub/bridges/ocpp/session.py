"""One connection of one pile to the central system, from its BootNotification until it ends.

All calls of the pile go out one after the other: first the status of connectors that changed, then what the
orders ask for (reporting), then the heartbeat. Whatever the central system does wrong is counted and, but for
the end of the connection, waited out.
"""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from sqlalchemy import Connection
from websockets.asyncio.client import ClientConnection

from ...base.clock import now_s
from ...db.writer import Transaction
from . import mapping, reporting
from .errors import GatewayError
from .reporting import Request
from .rpc import Rpc, within
from .station import ACCEPTED, HEARTBEAT_S, REJECTED, Pile, Station

T = TypeVar("T")

INTERVAL_MAX_S = 86_400
AUTHORIZE_WITHIN_S = 60  # of the start of a charge; later than that nobody waits for the answer
_ENDS = ("Unreachable", "InternalError")


class Session:
    """Raises GatewayError when the connection ends."""

    def __init__(self, station: Station, socket: ClientConnection, answers: Mapping[str, Any]):
        self._station = station
        self._timing = station.timing
        self._rpc = Rpc(socket, answers, station.count, self._timing.answer_s, self._timing.frame_s)
        self._told: dict[int, dict[str, Any]] = {}
        self._booted_as: Pile | None = None
        self._authorized = ""  # the call before which that was done
        self._not_before = 0.0
        self._heartbeat_at = 0.0
        self._transfers = True  # until the central system says that it does not know our DataTransfer

    async def run(self) -> None:
        tasks = [asyncio.create_task(self._rpc.run()), asyncio.create_task(self._work())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
        for result in results:
            if isinstance(result, GatewayError):
                raise result
            if isinstance(result, Exception):
                raise GatewayError("InternalError", repr(result)) from result

    async def _work(self) -> None:
        await self._register()
        while True:
            self._station.news.clear()
            pile = self._station.pile
            if self._booted_as is not None and (pile.boot, pile.boots) != (
                self._booted_as.boot,
                self._booted_as.boots,
            ):
                await self._register()
            await self._send_triggered()
            await self._tell_statuses()
            await self._report()
            if time.monotonic() >= self._heartbeat_at:
                await self._try(self._heartbeat())
            await self._wait()

    async def _wait(self) -> None:
        """For news, for the next heartbeat, or for the next try of a call that was refused."""
        now = time.monotonic()
        until = self._heartbeat_at
        if self._not_before > now:
            until = min(until, self._not_before)
        await _first(self._station.news.wait(), until - now)

    # -- calls that are not stored

    async def _register(self) -> None:
        """Send BootNotification until it is accepted."""
        while True:
            self._booted_as = pile = self._station.pile
            answer = await self._try(self._call("BootNotification", dict(pile.boot)))
            status = answer["status"] if answer else self._station.state
            interval_s = answer["interval"] if answer else 0
            wait_s = min(interval_s, INTERVAL_MAX_S) if interval_s > 0 else self._station.retry_s
            self._station.state = status
            self._rpc.silent = status == REJECTED
            if answer and status == ACCEPTED:
                self._station.heartbeat_s = wait_s if interval_s > 0 else HEARTBEAT_S
                self._heartbeat_at = time.monotonic() + self._station.heartbeat_s
                self._told.clear()
                return
            await _first(self._boot_triggered(), wait_s)

    async def _boot_triggered(self) -> None:
        """Returns when the central system asks for another BootNotification; while Pending it gets no other
        message than those that it asks for.
        """
        while True:
            await self._station.news.wait()
            self._station.news.clear()
            if self._station.triggered.pop(("BootNotification", None), "no") is None:
                return
            await self._send_triggered()

    async def _send_triggered(self) -> None:
        waiting, self._station.triggered = list(self._station.triggered), {}
        for message, connector in waiting:
            if message == "BootNotification":
                await self._register()
            elif message == "Heartbeat":
                await self._try(self._heartbeat())
            elif message == "StatusNotification":
                for each, status in enumerate(self._station.pile.statuses):  # as of this moment
                    if connector in (None, each):
                        await self._try(self._tell_status(each, status))
            else:
                await self._send_latest(connector)

    async def _heartbeat(self) -> None:
        self._heartbeat_at = time.monotonic() + self._station.heartbeat_s
        await self._call("Heartbeat", {})

    async def _tell_statuses(self) -> None:
        for connector, status in enumerate(self._station.pile.statuses):
            if self._told.get(connector) != status:
                await self._try(self._tell_status(connector, status))

    async def _tell_status(self, connector: int, status: dict[str, Any]) -> None:
        at = {"timestamp": mapping.timestamp(now_s())}
        self._told[connector] = status  # a refusal is not repeated: the next change is told
        try:
            await self._call("StatusNotification", {"connectorId": connector, **status, **at})
        except GatewayError as error:
            if error.kind == "NoAnswer":
                self._told.pop(connector)
            raise

    async def _send_latest(self, connector: int | None) -> None:
        """The latest meter value of each charge that the central system knows of."""

        def look(conn: Connection) -> list[dict[str, Any]]:
            return reporting.latest(conn, self._station.device_id, connector)

        for payload in await self._try(self._station.read(look)) or []:
            await self._try(self._call("MeterValues", payload))

    async def _call(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        return await self._rpc.call(str(uuid.uuid4()), action, payload)

    async def _try(self, doing: Awaitable[T]) -> T | None:
        """Its result; None where it failed, which is counted. Raises GatewayError if the connection ended."""
        try:
            return await doing
        except GatewayError as error:
            if error.kind in _ENDS:
                raise
            self._station.count(error)
            return None

    # -- calls of orders

    async def _report(self) -> None:
        """Send what the orders ask for, until nothing is left or a call was not answered."""
        answered: tuple[str, dict[str, Any]] | None = None
        while (self._station.is_due or answered) and time.monotonic() >= self._not_before:
            request = await self._try(self._station.write(self._advance(answered)))
            if request is None:
                self._station.is_due = False
                return
            answered = await self._send(request)
            if answered is None or self._station.triggered:
                return

    def _advance(
        self, answered: tuple[str, dict[str, Any]] | None
    ) -> Callable[[Transaction], Request | None]:
        station = self._station
        return lambda tx: reporting.advance(tx, station.device_id, answered, now_s())

    async def _send(self, request: Request) -> tuple[str, dict[str, Any]] | None:
        """(message id, answer); None: it was refused, or not answered, and is sent again later."""
        if request.action == "StartTransaction" and request.message_id != self._authorized:
            self._authorized = request.message_id
            await self._authorize(request)
        try:
            answer = await self._rpc.call(request.message_id, request.action, request.payload)
            reporting.check(request, answer)
        except GatewayError as error:
            if error.kind in _ENDS:
                raise
            self._station.count(error)
            if error.kind in ("CallError", "BadAnswer"):
                self._not_before = time.monotonic() + self._timing.retry_s * (request.refusals + 1)
                cause = error
                device_id = self._station.device_id
                await self._try(
                    self._station.write(lambda tx: reporting.refused(tx, device_id, cause, now_s()))
                )
            return None
        if request.action == "MeterValues":
            await self._tell_cost(request)
        return request.message_id, answer

    async def _authorize(self, request: Request) -> None:
        """Tell who charges. Whatever the answer, the driver has confirmed a rate, and the order goes on. An
        idTag of the central system's own it has authorised already.
        """
        tag = request.payload["idTag"]
        is_news = now_s() - mapping.at(request.payload["timestamp"]) <= AUTHORIZE_WITHIN_S
        if is_news and tag == mapping.id_tag(request.order_id):
            await self._try(self._call("Authorize", {"idTag": tag}))

    async def _tell_cost(self, request: Request) -> None:
        """What the charge costs so far; without the next value the central system misses nothing."""
        if not self._transfers:
            return
        cost = await self._try(self._station.read(lambda conn: reporting.cost(conn, request.order_id)))
        if cost is not None:
            answer = await self._try(self._call("DataTransfer", cost))
            self._transfers = answer is None or not answer["status"].startswith("Unknown")


async def _first(doing: Awaitable[Any], timeout_s: float) -> None:
    try:
        await within(max(0, timeout_s), doing)
    except asyncio.TimeoutError:
        pass
