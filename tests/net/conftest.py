"""The scripted server and the client under MicroPython that talks to it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.net.server import PUBACK_TYPE, PUBLISH_TYPE, Peer, Server, puback, publish
from tools.harness.processes import Child, Children
from tools.harness.sim_pile import environment, interpreter

DRIVER = Path(__file__).with_name("driver.py")


class Client:
    """The driver's process."""

    def __init__(self, child: Child):
        self._child = child
        self._seen = 0
        self._sent = 0

    def wait_for(self, event: str, **values: Any) -> dict[str, Any]:
        """The next event of that name, after the one waited for before, with those values."""

        def matches(line: dict[str, Any]) -> bool:
            return line["event"] == event and all(line.get(name) == value for name, value in values.items())

        found = self._child.wait_for_json(matches, after=self._seen)
        for number, line in enumerate(self._child.lines[self._seen :], self._seen):
            if json.loads(line) == found:
                self._seen = number + 1
                break
        return found

    def events(self, name: str) -> list[dict[str, Any]]:
        """All events of that name so far."""
        return [line for line in map(json.loads, self._child.lines) if line["event"] == name]

    def publish(self, payload: str = "x", *, topic: str = "a/b", qos: int = 1) -> int:
        """Asks for a publication; returns its number."""
        return self._ask({"publish": topic, "payload": payload, "qos": qos})

    def subscribe(self, *topics: str) -> int:
        return self._ask({"subscribe": topics})

    def wait_done(self, number: int) -> None:
        self.wait_for("done", number=number)

    def wait_failed(self, number: int) -> dict[str, Any]:
        return self.wait_for("failed", number=number)

    def _ask(self, command: dict[str, Any]) -> int:
        self._child.send_json(command)
        self._sent += 1
        return self._sent - 1


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as one:
        yield one


@pytest.fixture
def client(server: Server) -> Iterator[Callable[..., Client]]:
    """Starts the client against the server: `client(keepalive_s=1)`, see driver.py. Quick to try again."""
    with Children() as children:

        def start(**options: Any) -> Client:
            settings = {"port": server.port, "backoff_min_ms": 10, "backoff_max_ms": 50, **options}
            argv = [*interpreter(), str(DRIVER), json.dumps(settings)]
            return Client(children.start("client", argv, env=environment(), stdin=True))

        yield start


def works(client: Client, peer: Peer) -> None:
    """A message in each direction."""
    peer.send(publish("still/there", b"?", 4_711))
    assert peer.expect(PUBACK_TYPE).packet_id == 4_711
    number = client.publish("yes")
    while not (found := peer.expect(PUBLISH_TYPE)).flags:
        pass  # at QoS 0: left over from what the test did before
    peer.send(puback(found.packet_id))
    client.wait_done(number)


def works_again(client: Client, server: Server) -> None:
    """The next connection works; or a later one, where a busy machine let a short keepalive pass."""
    for _ in range(5):
        try:
            return works(client, server.welcome())
        except (EOFError, ConnectionError):
            pass
    raise AssertionError("no connection works")
