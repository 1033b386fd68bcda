"""Reads of the database for HTTP. None of them makes the event loop wait for a database server."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection, Engine

from ..base.problems import database_unavailable
from ..cloud import Cloud
from ..db.engine import QUICK_S

T = TypeVar("T")


async def read(cloud: Cloud, what: Callable[[Connection], T]) -> T:
    """A read that may be slow: on a thread, with a connection of its own. Raises what `what` raises."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(cloud.slow_reads, _on, cloud.store.reading, what)


async def quick(cloud: Cloud, what: Callable[[Connection], T]) -> T:
    """A read by key: with SQLite on the event loop, which is faster than a thread; else `bounded`.

    Raises what `what` raises; Problem (DatabaseUnavailable).
    """
    if cloud.store.is_sqlite:
        return what(cloud.reader)
    return await bounded(cloud, what)


async def bounded(cloud: Cloud, what: Callable[[Connection], T]) -> T:
    """On a thread, for at most QUICK_S. Raises what `what` raises; Problem (DatabaseUnavailable)."""
    try:
        # The time counts from here, so reads that still wait for a thread end too and do not pile up.
        return await asyncio.wait_for(asyncio.to_thread(_on, cloud.store.quick, what), QUICK_S)
    except asyncio.TimeoutError:
        raise database_unavailable() from None


def _on(engine: Engine, what: Callable[[Connection], T]) -> T:
    with engine.connect() as conn:
        return what(conn)
