"""Times of a control step of a charging connector and of an empty asyncio switch: µs, as JSON."""

import asyncio
import json
import sys
import time

from pile.clock import CLOUD, Clock
from pile.controller import Controller
from pile.readings import Readings
from pile.safety import Limits
from pile_protocol import messages, seal

TIMES = int(sys.argv[1]) if __name__ == "__main__" else 0
NOW_AT = 1_800_000_000
KEY = bytes(range(32))


class Memory:
    """A store in memory, because the decision is measured and not the flash."""

    def __init__(self):
        self._files = {}

    def read(self, name):
        return self._files.get(name)

    def write(self, name, data):
        self._files[name] = data

    append = write

    def lines(self, name):
        return []

    def remove(self, name):
        self._files.pop(name, None)

    def names(self):
        return list(self._files)

    def free_bytes(self):
        return 1 << 20


def order():
    steps = [[NOW_AT - 60 + 900 * i, 800_000, 400_000, "flat"] for i in range(50)]
    message = {
        "kind": "order",
        "device_id": "BENCH-1",
        "connector": 1,
        "order_id": "o-1",
        "issued_at": NOW_AT - 1,
        "expires_at": NOW_AT + 60,
        "limits": {"energy_mwh": 900_000_000, "cost_minor": 900_000, "duration_s": 43_000},
        "rate": {
            "rate_id": "r-1",
            "currency": "CNY",
            "minor_digits": 2,
            "session_fee_minor": 50,
            "steps": steps,
            "until_at": NOW_AT + 45_000,
        },
    }
    return seal.seal(messages.encode(message), KEY)


def charging():
    """(controller, its one Readings) in the middle of an order."""
    readings = Readings()
    readings.register_mwh = 0
    clock = Clock(0)
    clock.tell(NOW_AT, CLOUD)
    controller = Controller("BENCH-1", KEY, Memory(), clock, [(readings, Limits())], "bench")
    controller.receive("order", order())
    controller.step(clock.tick(100))
    readings.relay_closed = True
    readings.power_mw = 7_000_000
    readings.current_ma = 30_000
    readings.temperature_c = 30
    controller.step(clock.tick(200))
    controller.record(clock.now_ms)
    if controller.connectors[0].status() != "Charging":
        raise ValueError("the order does not run")
    return controller, readings


def _cpu_us():
    return time.clock() * 1_000_000  # CPU time of this process


def step_us(with_record):
    controller, readings = charging()
    now_ms = controller.clock.now_ms
    begin = _cpu_us()
    for _ in range(TIMES):
        readings.register_mwh += 2
        controller.step(now_ms)
        if with_record:
            controller.record(now_ms)
    return (_cpu_us() - begin) / TIMES


def checkpoint_us():
    """Time per second of charging in addition to its ten steps: storing and reporting the reading."""
    controller, readings = charging()
    now_ms = controller.clock.now_ms
    begin = _cpu_us()
    for _ in range(TIMES // 10):
        readings.register_mwh += 20
        now_ms += 1_000
        controller.step(now_ms)
        controller.record(now_ms)
    return (_cpu_us() - begin) / (TIMES // 10)


async def switches():
    for _ in range(TIMES):
        await asyncio.sleep_ms(0)


def switch_us():
    begin = _cpu_us()
    asyncio.run(switches())
    return (_cpu_us() - begin) / TIMES


if __name__ == "__main__":
    print(
        json.dumps(
            {
                "step": step_us(False),
                "cycle": step_us(True),
                "checkpoint": checkpoint_us(),
                "switch": switch_us(),
            }
        )
    )
