"""The command `serve`: one process of the cloud, until it is told to end."""

import argparse
import gc
import json
import os
import socket
import threading
from contextlib import nullcontext
from types import FrameType

import structlog
import uvicorn

from ..app import create_app
from ..base.log_lines import lines
from ..cloud import Cloud
from ..http import request_deadline
from ..settings import Settings
from .tools import Commands, alone

log = structlog.get_logger()

SHUTDOWN_S = 5
END_S = 9  # from the signal or the death of a thread; what has not ended by then is ended by force


def add(commands: Commands) -> None:
    serve = commands.add_parser("serve", help="run the cloud until it is told to end")
    serve.set_defaults(command=_serve)


def _serve(settings: Settings, _: argparse.Namespace) -> int:
    settings.prepare()
    # Two clouds that do not share the messages have one client id: each would end the other's connection.
    shared = settings.mqtt_share is not None
    with nullcontext() if shared else alone(settings.data / "cloud.lock", "a cloud"):
        return _serve_alone(settings)


def _serve_alone(settings: Settings) -> int:
    with listening(settings.http_host, settings.http_port) as listener:
        host, port = listener.getsockname()[:2]
        cloud = Cloud(settings)
        cloud.store.migrate()  # from here on a failure is reported as one sentence
        config = uvicorn.Config(
            create_app(cloud),
            access_log=False,
            server_header=False,
            forwarded_allow_ips=settings.proxies,
            ssl_certfile=settings.http_cert,
            ssl_keyfile=settings.http_key,
            http=request_deadline.with_deadline(settings.request_s),
            h11_max_incomplete_event_size=request_deadline.HEAD_MAX_BYTES,
            log_config=None,
            timeout_graceful_shutdown=SHUTDOWN_S,
        )
        server = _Server(config, cloud, f"{settings.http_scheme}://{host}:{port}")
        lines.start(cloud.threads)
        server.run([listener])
    lines.stop()
    return 0 if server.started and not server.died else 1


def listening(host: str, port: int) -> socket.socket:
    """A listening socket whose connections send at once. Raises OSError.

    An answer is written as head and body: with Nagle's algorithm the second waits 40 ms for a delayed
    acknowledgement of the first. Connections inherit the option; asyncio would set it only on sockets that
    name TCP as their protocol, and create_server's do not.
    """
    listener = socket.create_server((host, port), backlog=1024)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


class _Server(uvicorn.Server):
    """Prints its address once it listens, and ends the event streams when it ends.

    It ends at most END_S after a signal or the death of a thread, even if something hangs. `died`: that
    thread.
    """

    def __init__(self, config: uvicorn.Config, cloud: Cloud, address: str):
        super().__init__(config)
        self._cloud = cloud
        self._address = address
        self.died: str | None = None
        cloud.threads.on_death = self._end_for

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._end_by_force_later()
        super().handle_exit(sig, frame)

    def _end_for(self, thread: str) -> None:
        self.died = thread
        self._end_by_force_later()
        self.should_exit = True

    def _end_by_force_later(self) -> None:
        timer = threading.Timer(END_S, _end_by_force)
        timer.daemon = True
        timer.start()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            gc.collect()
            gc.freeze()  # these objects live until the end, so no later collection looks at them
            try:
                # One write, so that no log line of another thread comes between the line and its newline.
                os.write(1, json.dumps({"listening": self._address}).encode() + b"\n")
            except OSError as error:
                log.warning("stdout_failed", reason=str(error))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._cloud.hub.close()
        await super().shutdown(sockets)
        lines.stop()  # a signal that ended the server ends the process right after this


def _end_by_force() -> None:
    log.critical("ended_by_force", after_s=END_S)
    lines.stop()
    os._exit(1)
