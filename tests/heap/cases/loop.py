"""What the control loop allocates, and what it costs: one JSON line. Runs on MicroPython over the rig."""

import asyncio
import gc
import json
import time

import board

from pile.clock import CLOUD, Clock
from pile.controller import Controller
from pile.readings import Readings
from pile.safety import Limits
from pile_protocol import messages, seal, topics
from shell import Shell, describe, read

STEPS = 10_000
KEY = bytes(range(32))
AT = 1_800_000_000


class Store:
    """In memory: what writing to flash takes is not the loop's business."""

    def __init__(self):
        self._files = {}

    def read(self, name):
        return self._files.get(name)

    def write(self, name, data):
        self._files[name] = data

    def append(self, name, data):
        self._files[name] = data

    def remove(self, name):
        self._files.pop(name, None)

    def names(self):
        return list(self._files)

    def free_bytes(self):
        return 1_000_000


class Watchdog:
    def feed(self):
        pass


def order():
    return {
        "kind": "order",
        "device_id": "PILE-1",
        "connector": 1,
        "order_id": "o1",
        "issued_at": AT,
        "expires_at": AT + 60,
        "limits": {"duration_s": 3_600, "cost_minor": 10_000},
        "rate": {
            "rate_id": "r1",
            "currency": "CNY",
            "minor_digits": 2,
            "session_fee_minor": 50,
            "steps": [[AT - 3_600, 1_000_000, 800_000, "flat"], [AT + 1_800, 900_000, 800_000, "valley"]],
            "until_at": AT + 86_400,
        },
    }


def allocated(work):
    """Bytes that STEPS calls leave or throw away; none may be collected meanwhile."""
    gc.collect()
    gc.disable()
    before_bytes = gc.mem_alloc()
    for _ in range(STEPS):
        work()
    after_bytes = gc.mem_alloc()
    gc.enable()
    return after_bytes - before_bytes


def cost_us(work):
    gc.collect()
    began_us = time.ticks_us()
    for _ in range(STEPS):
        work()
    return time.ticks_diff(time.ticks_us(), began_us) // (STEPS // 100)  # in hundredths


async def switch_us():
    """Hundredths of a microsecond for an empty turn of the loop: sleep_ms(0) and back."""
    gc.collect()
    began_us = time.ticks_us()
    for _ in range(STEPS):
        await asyncio.sleep_ms(0)
    return time.ticks_diff(time.ticks_us(), began_us) // (STEPS // 100)


def main():
    equipment = board.equipment()
    clock = Clock(time.ticks_ms())
    parts = [(Readings(), Limits(**one.limits)) for one in equipment]
    controller = Controller("PILE-1", KEY, Store(), clock, parts, "test")
    shell = Shell(controller, equipment, Watchdog())
    clock.tell(AT, CLOUD)
    connector = controller.connectors[0]
    describe(connector.readings, equipment[0].meter)
    read(connector.readings, equipment[0], clock.now_ms)
    shell.cycle()
    now_ms = clock.now_ms
    report = {}

    def step():
        controller.step(now_ms)

    def work():
        controller.work(now_ms)

    def nothing():
        pass

    report["nothing"] = allocated(nothing)
    report["idle step"] = allocated(step)
    report["idle work"] = allocated(work)
    report["idle cycle"] = allocated(shell.cycle)
    report["idle cycle cost"] = cost_us(shell.cycle)
    controller.receive(topics.ORDER, seal.seal(messages.encode(order()), KEY))
    while connector.status() != "Charging":
        shell.cycle()
        time.sleep_ms(10)
    now_ms = clock.now_ms
    report["charging step"] = allocated(step)
    report["charging work"] = allocated(work)
    report["charging cycle cost"] = cost_us(shell.cycle)
    report["switch cost"] = asyncio.run(switch_us())
    equipment[0].relay.set(False)
    print(json.dumps(report))


main()
