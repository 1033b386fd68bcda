"""Servers for the tests that want one of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Literal, TypeVar

import pytest
import uvicorn

from cloud_stub.app import create_app
from cloud_stub.cloud import Cloud
from tests.cloud.fakes import WAIT_S
from tools.harness.postgres import NoPostgres

T = TypeVar("T")


@contextmanager
def serving(cloud: Cloud, lifespan: Literal["auto", "off"] = "auto") -> Iterator[str]:
    """The cloud behind a real HTTP server on a free port of 127.0.0.1: its address.

    lifespan: "off" where the cloud has been started already.
    """
    ready = threading.Event()

    class Server(uvicorn.Server):
        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            ready.set()

        async def shutdown(self, sockets: Any = None) -> None:
            cloud.hub.close()
            await super().shutdown(sockets)

    app = create_app(cloud)
    server = Server(uvicorn.Config(app, port=0, log_level="warning", access_log=False, lifespan=lifespan))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert ready.wait(WAIT_S)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(WAIT_S)


@contextmanager
def postgres_or_skip(make: Callable[[], AbstractContextManager[T]]) -> Iterator[T]:
    """What `make` makes, up for the block; the test is skipped where there is no PostgreSQL."""
    try:
        made = make()
    except NoPostgres as error:
        pytest.skip(str(error))
    with made as server:
        yield server
