"""A pile without hardware, for a PC: a board like any other, on the unix port of MicroPython.

sim.json in the working folder says what is plugged in: {"connectors", "power_w", "imp_per_kwh", "speed",
"battery_wh", "feedback", "full_after_s", "world", "rest_ms"}.
"""

import json

from drivers.equipment import Equipment
from drivers.sim.hardware import Bench, SimIndicator, SimInputs, SimMeter, SimRelay, SimWatchdog
from drivers.sim.plant import Plant
from drivers.sim.store import SimStore

NAME = "sim"

_settings = {
    "connectors": 1,
    "power_w": 7000,
    "imp_per_kwh": 3200,
    "speed": 1,
    "battery_wh": 60_000,
    "feedback": True,
    "full_after_s": 180,
    "world": "",
    "rest_ms": 100,
}


def outputs_safe():
    """There is no pin to hold: the plants begin with their coils off."""


def _read_settings():
    try:
        with open("sim.json") as file:
            _settings.update(json.load(file))
    except OSError:
        pass


_read_settings()
_plants = [
    Plant(_settings["power_w"], _settings["speed"], _settings["battery_wh"])
    for _ in range(_settings["connectors"])
]
_bench = Bench(_plants, _settings["world"])
# A PC's heap need not stay in one piece: collecting every 8 KB was half of an order's CPU.
GC_STEP_BYTES = 65_536
REST_MS = _settings["rest_ms"]  # the control cycle's period while no order runs


def equipment():
    """One Equipment per connector."""
    return [
        Equipment(
            SimRelay(_bench, i, plant, _settings["feedback"]),
            SimMeter(_bench, plant, _settings["imp_per_kwh"]),
            SimInputs(plant),
            {"full_after_ms": _settings["full_after_s"] * 1000, "max_current_ma": 100_000},
        )
        for i, plant in enumerate(_plants)
    ]


def store():
    return SimStore("flash")


def watchdog():
    return SimWatchdog()


def indicator():
    return SimIndicator(_bench)


def set_utc(at):
    """A PC keeps its own time."""


def utc():
    """A killed firmware is a power cut here: the time is gone with it."""


def log(text):
    """One line for whoever watches the serial console."""
    _bench.tell("log", text=text)
