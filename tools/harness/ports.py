"""TCP ports of this machine: free ones, and waiting until something listens."""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Callable

from tools.harness.processes import HOST, Child, ProcessError

TRIES = 5
FREE_PORTS = range(20_000, 32_768)  # below what Linux (32768) and macOS (49152) give to outgoing connections


def free_port() -> int:
    """A TCP port of 127.0.0.1 on which nothing listens. Another process may take it before the caller does.

    The system never gives a port of this range to an outgoing connection, so a client that reconnects cannot
    be given the port of a server that restarts.
    """
    while True:
        port = FREE_PORTS[secrets.randbelow(len(FREE_PORTS))]
        if not is_port_taken(port):
            return port


def is_port_taken(port: int, host: str = HOST) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False


def on_a_free_port(start_on: Callable[[int], None]) -> int:
    """Calls `start_on` with free ports until it succeeds; returns the port. Raises its last ProcessError."""
    tries_left = TRIES
    while True:
        port = free_port()
        tries_left -= 1
        try:
            start_on(port)
            return port
        except ProcessError:  # most likely another process took the port in between
            if not tries_left:
                raise


def wait_for_port(port: int, child: Child, timeout_s: float, host: str = HOST) -> None:
    """Returns once something accepts connections on `port`. Raises ProcessError, at once if `child` ends."""
    deadline = time.monotonic() + timeout_s
    while True:
        child.check_alive()
        try:
            socket.create_connection((host, port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise ProcessError(
                    f"{child.name} does not answer on {host}:{port} after {timeout_s:g} s\n{child.tail()}"
                ) from None
            time.sleep(0.01)
