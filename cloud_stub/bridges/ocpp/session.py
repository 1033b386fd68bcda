"""One connection of one pile to the central system, from its BootNotification until it ends.

The pile's calls are sent one at a time: first the changed statuses of connectors, then the calls of orders
(reporting), then the heartbeat. Errors of the central system are counted; only those that end the connection
end the session.
"""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from sqlalchemy import Connection
from websockets.asyncio.client import ClientConnection

from ...base.clock import iso_utc, now_s
from ...db.writer import Transaction
from . import mapping, reporting
from .errors import GatewayError
from .reporting import Request
from .rpc import Rpc, within
from .station import ACCEPTED, HEARTBEAT_S, REJECTED, Pile, Station

T = TypeVar("T")

INTERVAL_MAX_S = 86_400
AUTHORIZE_WITHIN_S = 60  # after the start of a charge; later it is not sent
_ENDS = ("Unreachable", "InternalError")


class Session:
    """Raises GatewayError when the connection ends."""

    def __init__(self, station: Station, socket: ClientConnection, answers: Mapping[str, Any]):
        self._station = station
        self._timing = station.timing
        self._rpc = Rpc(socket, answers, station.count, self._timing.answer_s, self._timing.frame_s)
        self._sent_statuses: dict[int, dict[str, Any]] = {}
        self._booted_as: Pile | None = None
        self._authorized = ""  # message id of the newest StartTransaction for which Authorize was sent
        self._not_before = 0.0
        self._heartbeat_at = 0.0
        self._transfers = True  # False once the central system has answered that it knows no DataTransfer

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
            await self._send_statuses()
            await self._report()
            if time.monotonic() >= self._heartbeat_at:
                await self._try(self._heartbeat())
            await self._wait()

    async def _wait(self) -> None:
        """Wait for news, for the next heartbeat, or for the next attempt of a refused call."""
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
                self._sent_statuses.clear()
                return
            await _first(self._boot_triggered(), wait_s)

    async def _boot_triggered(self) -> None:
        """Wait until the central system triggers another BootNotification. While Pending, only the messages
        that it triggers are sent.
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
                        await self._try(self._send_status(each, status))
            else:
                await self._send_latest(connector)

    async def _heartbeat(self) -> None:
        self._heartbeat_at = time.monotonic() + self._station.heartbeat_s
        await self._call("Heartbeat", {})

    async def _send_statuses(self) -> None:
        for connector, status in enumerate(self._station.pile.statuses):
            if self._sent_statuses.get(connector) != status:
                await self._try(self._send_status(connector, status))

    async def _send_status(self, connector: int, status: dict[str, Any]) -> None:
        at = {"timestamp": iso_utc(now_s())}
        self._sent_statuses[connector] = status  # a refused status is not sent again; the next change is
        try:
            await self._call("StatusNotification", {"connectorId": connector, **status, **at})
        except GatewayError as error:
            if error.kind == "NoAnswer":
                self._sent_statuses.pop(connector)
            raise

    async def _send_latest(self, connector: int | None) -> None:
        """Send the latest meter value of each transaction that runs."""

        def look(conn: Connection) -> list[dict[str, Any]]:
            return reporting.latest(conn, self._station.device_id, connector)

        for payload in await self._try(self._station.database.read(look)) or []:
            await self._try(self._call("MeterValues", payload))

    async def _call(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        return await self._rpc.call(str(uuid.uuid4()), action, payload)

    async def _try(self, doing: Awaitable[T]) -> T | None:
        """Await `doing`. Returns None if it fails, and counts that. Raises GatewayError if the connection
        ended.
        """
        try:
            return await doing
        except GatewayError as error:
            if error.kind in _ENDS:
                raise
            self._station.count(error)
            return None

    # -- calls of orders

    async def _report(self) -> None:
        """Send the calls of orders, until none is due or one was not answered."""
        answered: tuple[str, dict[str, Any]] | None = None
        while (self._station.is_due or answered) and time.monotonic() >= self._not_before:
            request = await self._try(self._station.database.write(self._advance(answered)))
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
        """Send a call; returns (message id, answer). None: refused or not answered, so it is sent again."""
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
                    self._station.database.write(lambda tx: reporting.refused(tx, device_id, cause, now_s()))
                )
            return None
        if request.action == "MeterValues":
            await self._send_cost(request)
        return request.message_id, answer

    async def _authorize(self, request: Request) -> None:
        """Send Authorize. The order goes on whatever the answer, because the driver has confirmed a rate. An
        idTag that came from the central system is not sent: it has authorised that already.
        """
        tag = request.payload["idTag"]
        is_news = now_s() - mapping.at(request.payload["timestamp"]) <= AUTHORIZE_WITHIN_S
        if is_news and tag == mapping.id_tag(request.order_id):
            await self._try(self._call("Authorize", {"idTag": tag}))

    async def _send_cost(self, request: Request) -> None:
        """Send the cost so far. It is not repeated if it fails: the next MeterValues bring a newer one."""
        if not self._transfers:
            return
        cost = await self._try(
            self._station.database.read(lambda conn: reporting.cost(conn, request.order_id))
        )
        if cost is not None:
            answer = await self._try(self._call("DataTransfer", cost))
            self._transfers = answer is None or not answer["status"].startswith("Unknown")


async def _first(doing: Awaitable[Any], timeout_s: float) -> None:
    try:
        await within(max(0, timeout_s), doing)
    except asyncio.TimeoutError:
        pass
