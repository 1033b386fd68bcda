"""The shell and the supervisor: whose error ends what, and when a pile restarts by itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.boards.kit import config, printed_by
from tools import ROOT

PATH = [ROOT / "boards" / "sim", ROOT / "firmware"]

PILE = """
import app, assembly, board, settings
class Lamp:
    def step(self, connectors):
        pass
equipment = board.equipment()
pile = assembly.assemble(*settings.read(), equipment, Lamp(), "test")
class Watchdog:
    def feed(self):
        pass
pile.shell.watchdog = Watchdog()
"""

A_DRIVER_RAISES = """
def fail(*values):
    raise OSError(5)
equipment[0].{driver}.{method} = fail
for _ in range(30):
    pile.shell.cycle()
print([connector.fault for connector in pile.controller.connectors])
"""

A_TASK_RAISES = """
import asyncio
app.AGAIN_MS = 1
runs = []
async def once_wrong():
    runs.append(1)
    if len(runs) == 1:
        raise ValueError("a bug of the network")
    await asyncio.sleep_ms(10_000)
pile.link.run = once_wrong
dropped = []
pile.client.drop = dropped.append
cycles = []
def cycle():
    cycles.append(1)
    if len(runs) == 2:
        raise KeyError("a bug of the cycle")
    return False
pile.shell.cycle = cycle
try:
    asyncio.run(pile.run())
except KeyError as error:
    print("ended by", error, "runs", len(runs), "dropped", len(dropped), "cycles", len(cycles) > 1)
"""

NO_MEMORY = """
from net.errors import LinkNoMemory
connector = pile.controller.connectors[0]
for _ in range({errors}):
    pile.on_broker(LinkNoMemory("full"))
pile.controller.clock.now_ms = {now_ms}
pile.on_broker(LinkNoMemory("full"))
try:
    connector.order = {order}
    pile.link.poke = lambda: None
    pile.after_cycle()
    print("goes on")
except app.Restart as why:
    print("restarts:", why)
"""

FULL_QUEUE = """
from pile.inbox import QUEUE_MESSAGES_MAX
from net.mqtt_codec import Publish
from pile_protocol import topics
def publish(number):
    return Publish(topics.topic("PILE-1", topics.COMMAND), b"%d" % number, 1, number + 1, 1)
taken = [pile.receive(publish(i)) for i in range(QUEUE_MESSAGES_MAX + 1)]
print(taken.count(True), taken[-1])
handled = []
pile.controller.inbox._handle = lambda name, data: handled.append(int(data))
pile.shell.cycle()
print(pile.receive(publish(QUEUE_MESSAGES_MAX)))
while not pile.controller.inbox.is_empty:
    pile.shell.cycle()
print(handled == list(range(QUEUE_MESSAGES_MAX + 1)))
"""

ONE_AFTER_ANOTHER = """
import asyncio
from net.mqtt_codec import Publish
from pile_protocol import topics
pauses = []
sleep_ms = asyncio.sleep_ms
def noted(pause_ms):
    pauses.append(pause_ms)
    return sleep_ms(0)
asyncio.sleep_ms = noted
handled = []
pile.controller.inbox._handle = lambda name, data: handled.append(int(data))
async def main():
    task = asyncio.create_task(pile.shell.follow())
    for i in range(3):
        pile.receive(Publish(topics.topic("PILE-1", topics.COMMAND), b"%d" % i, 1, i + 1, 1))
        for _ in range(10):
            await sleep_ms(0)
    task.cancel()
asyncio.run(main())
print(handled, "longest pause", max(pauses))
"""


def said(folder: Path, script: str, connectors: int = 1) -> list[str]:
    (folder / "config.json").write_text(json.dumps(config()))
    (folder / "sim.json").write_text(json.dumps({"connectors": connectors}))
    lines = printed_by(PILE + script, PATH, folder).splitlines()
    return [line for line in lines if not line.startswith("{")]


@pytest.mark.parametrize(
    ("driver", "method"),
    [("meter", "poll"), ("plug", "read"), ("thermometer", "read"), ("estop", "read"), ("relay", "set")],
)
def test_a_driver_that_raises_is_a_fault_of_its_connector_only(tmp_path, driver: str, method: str) -> None:
    lines = said(tmp_path, A_DRIVER_RAISES.format(driver=driver, method=method), connectors=2)
    assert lines[-1] == "['InternalError', None]"


def test_an_error_of_the_network_begins_it_again_and_one_of_the_cycle_ends_the_program(tmp_path) -> None:
    lines = said(tmp_path, A_TASK_RAISES)
    assert lines[-1] == "ended by a bug of the cycle runs 2 dropped 1 cycles True"


@pytest.mark.parametrize(
    ("errors", "now_ms", "order", "says"),
    [
        (4, 130_000, "None", "restarts: full, 5 times in a row"),
        (3, 130_000, "None", "goes on"),
        (4, 60_000, "None", "goes on"),  # too soon after its start
        (4, 130_000, "object()", "goes on"),  # not while an order runs
    ],
)
def test_a_pile_without_memory_for_its_connection_restarts(tmp_path, errors, now_ms, order, says) -> None:
    script = NO_MEMORY.format(errors=errors, now_ms=now_ms, order=order)
    assert said(tmp_path, script)[-1] == says


def test_a_full_queue_stops_the_reader_and_loses_nothing(tmp_path) -> None:
    assert said(tmp_path, FULL_QUEUE) == ["8 False", "True", "True"]


def test_the_next_message_waits_for_no_pause_while_no_relay_switches(tmp_path) -> None:
    assert said(tmp_path, ONE_AFTER_ANOTHER) == ["[0, 1, 2] longest pause 0"]
