"""Reads that may take a while: the event loop, where phones confirm their orders, does not wait for them."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection

from ..cloud import Cloud

T = TypeVar("T")


async def read(cloud: Cloud, what: Callable[[Connection], T]) -> T:
    """What `what` returns, run on a thread and a connection of its own. Raises what it raises."""

    def run() -> T:
        with cloud.store.reading.connect() as conn:
            return what(conn)

    return await asyncio.to_thread(run)
