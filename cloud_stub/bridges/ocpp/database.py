"""The store, used by one thread of its own, so that the gateway's loop never waits for it."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from ...db.engine import Store
from ...db.writer import Transaction
from .errors import GatewayError

T = TypeVar("T")


class Database:
    """`read` and `write` raise GatewayError (DatabaseUnavailable)."""

    def __init__(self, store: Store):
        self._store = store
        self._pool = ThreadPoolExecutor(1, "ocpp-database")

    async def read(self, look: Callable[[Connection], T]) -> T:
        def run() -> T:
            with self._store.reading.connect() as conn:
                return look(conn)

        return await self._run(run)

    async def write(self, unit: Callable[[Transaction], T]) -> T:
        """Run a unit in a transaction."""

        def run() -> T:
            with self._store.writing.begin() as conn:
                tx = Transaction(conn)
                done = unit(tx)
            for effect in tx.effects:
                effect()
            return done

        return await self._run(run)

    async def _run(self, run: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, run)
        except SQLAlchemyError as error:
            raise GatewayError("DatabaseUnavailable", str(error)) from None

    def close(self) -> None:
        self._pool.shutdown()
