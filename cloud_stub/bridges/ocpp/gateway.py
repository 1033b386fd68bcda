"""The process of the gateway. It keeps a connection to the central system for each pile, and reads the
database once a second for all of them.
"""

import asyncio
import random
import ssl
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import orjson
import structlog
from sqlalchemy import Connection, select
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake, InvalidStatus, NegotiationError
from websockets.typing import Subprotocol

from ...base.clock import now_s
from ...db.engine import Store
from ...db.pile_tables import pile_boards
from ...db.rows import PileRow, Query
from ...db.tables import piles
from ...db.writer import Transaction
from ...messaging.outbox import Outbox
from ...orders.context import Context
from ...piles import views as pile_views
from ...piles.boards import BoardRow
from . import mapping, progress, queue, reporting
from .database import Database
from .errors import GatewayError
from .requests import Requests
from .rpc import FRAME_MAX_BYTES
from .session import Session
from .station import ACCEPTED, CONNECTING, Pile, Station, Timing
from .target import Target

log = structlog.get_logger()

SUBPROTOCOL = Subprotocol("ocpp1.6")
_PILES = Query(select(piles).order_by(piles.c.device_id), PileRow)
_BOARDS = Query(select(pile_boards), BoardRow)


class _Connect(connect):
    """Redirects are not followed: the password of a pile goes to no other address."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class Gateway:
    """Runs until it is cancelled. context: of a cloud that is not started."""

    def __init__(self, store: Store, context: Context, target: Target, timing: Timing | None = None):
        self._context = replace(context, outbox=Outbox())
        self._target = target
        self._timing = timing or Timing()
        self._database = Database(store)
        self._stations: dict[str, Station] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._written: dict[str, str] = {}

    async def run(self, bound: int = queue.BOUND) -> None:
        """bound: the most events of orders that wait for the gateway, also while it does not run. Raises
        GatewayError if the database is not available at the start.
        """

        def begin(tx: Transaction) -> None:
            queue.subscribe(tx, bound, now_s())
            progress.adopt_running(tx.conn, mapping.id_tag, now_s())

        await self._database.write(begin)
        try:
            while True:
                try:
                    await self._look()
                except GatewayError as error:
                    log.warning("ocpp_database", reason=str(error))
                except Exception:
                    log.exception("ocpp_failed")
                await asyncio.sleep(self._timing.poll_s)
        finally:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)
            await self._write_states()
            self._database.close()

    async def _look(self) -> None:
        await self._write_states()
        described, due = await self._database.read(_look)
        new = [pile.device_id for pile, _ in described if pile.device_id not in self._stations]
        if new:
            await self._database.write(lambda tx: progress.add_missing(tx.conn, new, now_s()))
        wanted = set()
        for pile, is_removed in described:
            if is_removed and pile.device_id not in due:
                continue
            wanted.add(pile.device_id)
            if pile.device_id not in self._stations:
                station = Station(pile, self._database, self._timing)
                self._stations[pile.device_id] = station
                self._tasks[pile.device_id] = asyncio.create_task(self._keep_connected(station))
            self._stations[pile.device_id].update(pile, pile.device_id in due)
        for device_id in self._stations.keys() - wanted:
            self._tasks.pop(device_id).cancel()
            del self._stations[device_id]

    async def _write_states(self) -> None:
        """Store the changed states of connections, and the errors since the last call."""
        changed = [
            (station, station.state, station.errors.copy(), station.last_error)
            for station in self._stations.values()
            if station.errors or self._written.get(station.device_id) != station.state
        ]
        if not changed:
            return

        def write(tx: Transaction) -> None:
            for station, state, errors, last_error in changed:
                progress.note(tx.conn, station.device_id, state, errors, last_error, now_s())

        await self._database.write(write)
        for station, state, errors, _ in changed:
            station.errors -= errors
            self._written[station.device_id] = state

    async def _keep_connected(self, station: Station) -> None:
        answers = Requests(station, self._context).answers()
        failed = 0
        while True:
            try:
                await self._connected(station, answers)
            except GatewayError as error:
                # While the central system is away, each pile has one line and not one for each attempt.
                if station.state == ACCEPTED or str(error) != station.last_error:
                    log.warning("ocpp_connection", device_id=station.device_id, reason=str(error))
                station.count(error)
            except Exception as error:
                station.count(GatewayError("InternalError", repr(error)))
                log.exception("ocpp_connection_failed", device_id=station.device_id)
            failed = 1 if station.state == ACCEPTED else min(failed + 1, 16)
            station.state = CONNECTING
            longest = min(self._timing.reconnect_min_s * 2**failed, self._timing.reconnect_max_s)
            # A random wait, so that not all piles connect at once when the central system is back.
            await asyncio.sleep(longest * random.uniform(0.5, 1))

    async def _connected(self, station: Station, answers: Any) -> None:
        """One connection. Raises GatewayError when it ends."""
        url = f"{self._target.url.rstrip('/')}/{quote(station.device_id, safe='')}"
        options: dict[str, Any] = {} if self._target.tls is None else {"ssl": self._target.tls}
        try:
            async with _Connect(
                url,
                subprotocols=[SUBPROTOCOL],
                additional_headers=self._target.headers(station.device_id),
                max_size=FRAME_MAX_BYTES,
                open_timeout=self._timing.answer_s,
                close_timeout=1,
                **options,
            ) as socket:
                if socket.subprotocol != SUBPROTOCOL:
                    raise GatewayError("NoSubprotocol", "the central system does not agree to ocpp1.6")
                await Session(station, socket, answers).run()
        except InvalidStatus as error:
            status = error.response.status_code
            kind = "Unauthorized" if status in (401, 403) else "HandshakeRefused"
            raise GatewayError(kind, f"HTTP {status}") from None
        except NegotiationError as error:
            raise GatewayError("NoSubprotocol", str(error)) from None
        except InvalidHandshake as error:
            raise GatewayError("HandshakeRefused", str(error)) from None
        except ssl.SSLError as error:
            raise GatewayError("TlsFailed", str(error)) from None
        except (OSError, asyncio.TimeoutError) as error:
            raise GatewayError("Unreachable", str(error) or "no connection in time") from None


def _look(conn: Connection) -> tuple[list[tuple[Pile, bool]], set[str]]:
    """Each pile as a charge point, and whether it was removed; and those with calls to send."""
    rows = _PILES.all(conn)
    boards = {row.device_id: row for row in _BOARDS.all(conn)}
    views = pile_views.all_connector_views(conn, rows, now_s())
    found = [
        (_pile(row, boards.get(row.device_id), views[row.device_id]), row.removed_at is not None)
        for row in rows
    ]
    return found, reporting.due(conn)


def _pile(row: PileRow, board: BoardRow | None, views: list[dict[str, Any]]) -> Pile:
    statuses = (mapping.pile_status(row.online, views), *map(mapping.connector_status, views))
    hello = orjson.loads(board.hello_json) if board is not None else {}
    boots = orjson.loads(row.status_json).get("boots") if row.status_json else None
    boot = mapping.boot(row.device_id, hello)
    return Pile(row.device_id, row.connectors, tuple(boot.items()), boots, statuses)
