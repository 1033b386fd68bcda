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


class Bench:
    """A pile with one connector, its clock by hand. Its relay follows each command at once."""

    def __init__(self, store):
        self.readings = Readings()
        self.clock = Clock(0)
        self.clock.tell(NOW_AT, CLOUD)
        self.controller = Controller("BENCH-1", KEY, store, self.clock, [(self.readings, Limits())], "bench")
        self.connector = self.controller.connectors[0]
        self.register_mwh = 0
        self.power_mw = 0
        self._ticks_ms = 0

    def read(self, passed_ms, taken_mwh):
        """Takes the readings after passed_ms; returns the time of the pile's clock."""
        self._ticks_ms += passed_ms
        now_ms = self.clock.tick(self._ticks_ms)
        self.register_mwh += taken_mwh
        self.readings.relay_closed.take(self.connector.commanded, now_ms)
        self.readings.register_mwh.take(self.register_mwh, now_ms)
        self.readings.power_mw.take(self.power_mw, now_ms)
        return now_ms

    def cycle(self, passed_ms, taken_mwh=0):
        """One cycle of the shell, and those that follow at once while messages wait."""
        again = True
        while again:
            now_ms = self.read(passed_ms, taken_mwh)
            self.controller.step(now_ms)
            again = self.controller.work(now_ms)
            passed_ms = taken_mwh = 0

    def start(self):
        """Runs until an order charges. Raises ValueError if it does not."""
        for _ in range(20):  # the pause that a relay rests before an order
            self.cycle(100)
        self.controller.receive("order", order())
        for _ in range(3):
            self.cycle(100)
        self.power_mw = 7_000_000
        self.cycle(100)
        if self.connector.status() != "Charging":
            raise ValueError("the order does not run")


def charging():
    """A Bench in the middle of an order."""
    bench = Bench(Memory())
    bench.readings.current_ma.take(30_000, 0)
    bench.readings.temperature_c.take(30, 0)
    bench.start()
    return bench


def _cpu_us():
    return time.clock() * 1_000_000  # CPU time of this process


def step_us(with_work):
    bench = charging()
    controller = bench.controller
    register = bench.readings.register_mwh
    now_ms = bench.clock.now_ms
    begin = _cpu_us()
    for _ in range(TIMES):
        register.value += 2
        controller.step(now_ms)
        if with_work:
            controller.work(now_ms)
    return (_cpu_us() - begin) / TIMES


def checkpoint_us():
    """Time per second of charging in addition to its ten steps: storing and reporting the reading."""
    bench = charging()
    begin = _cpu_us()
    for _ in range(TIMES // 10):
        now_ms = bench.read(1_000, 20)
        bench.controller.step(now_ms)
        bench.controller.work(now_ms)
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
