"""The whole firmware against a server in the test's hands: what its link does where the heap has no room."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pile_protocol import topics
from tests.net.server import PUBLISH_TYPE, SUBSCRIBE_TYPE, Peer, puback, suback
from tools.harness.processes import Children
from tools.harness.sim_pile import environment, interpreter

FULL_HEAP = """
from pile_protocol import messages, topics
encode = messages.encode
def once(value):
    if {which}:
        messages.encode = encode
        raise MemoryError
    return encode(value)
messages.encode = once
import start
start.main()
"""


def grant(peer: Peer, updates: bytes = b"\x01") -> None:
    """updates: the code for the topics of updates over the air."""
    needed = len(topics.DOWNWARD) - len(topics.UPDATES) - 1  # the pile has no use for the displayed rate
    codes = b"\x01" * needed + updates * len(topics.UPDATES)
    peer.send(suback(peer.expect(SUBSCRIBE_TYPE).packet_id, codes))


def greeted(peer: Peer) -> dict[str, object]:
    """The hello of a pile whose subscriptions are granted."""
    grant(peer)
    while b"/hello" not in (packet := peer.expect(PUBLISH_TYPE)).body:
        peer.send(puback(packet.packet_id))
    peer.send(puback(packet.packet_id))
    return json.loads(packet.body[packet.body.index(b"{") :])


@pytest.mark.parametrize(
    ("which", "hello_fits"),
    [("'nonce' in value", False), ("'heap_free_bytes' in value", True)],
    ids=["hello", "status"],
)
def test_a_message_without_room_ends_the_connection_and_not_the_program(
    server, tmp_path: Path, which: str, hello_fits: bool
) -> None:
    """The program's end would open the relay of a running order."""
    broker = {"host": "127.0.0.1", "port": server.port, "backoff_max_ms": 500}
    config = {"device_id": "PILE-1", "key": "5a" * 32, "broker": broker}
    (tmp_path / "config.json").write_text(json.dumps(config))
    argv = [*interpreter(), "-c", FULL_HEAP.format(which=which)]
    with Children() as children:
        pile = children.start("pile", argv, cwd=tmp_path, env=environment())
        peer = server.welcome()
        if hello_fits:
            greeted(peer)
        else:
            grant(peer)
        pile.wait_for_line("too little memory for the connection")
        assert greeted(server.welcome())["device_id"] == "PILE-1"
        pile.check_alive()
