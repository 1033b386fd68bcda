"""A pile without hardware, for a PC: a board like any other, on the unix port of MicroPython.

sim.json in the working folder may change any of _settings. boards/sim/board.md says what each means.
"""

import binascii
import gc
import json
import os
import sys

from relays import outputs_safe  # noqa: F401

from drivers.equipment import Equipment
from drivers.sim.hardware import (
    Bench,
    SimContact,
    SimIndicator,
    SimMeter,
    SimRelay,
    SimThermometer,
    SimWatchdog,
)
from drivers.sim.plant import Plant
from drivers.sim.store import SimStore

NAME = "sim"
_RESET = "RATELOCK_RESET"  # an environment variable: why the firmware boots again in this process
_reset_cause = os.getenv(_RESET) or "PowerOn"
os.putenv(_RESET, "")

_settings = {
    "connectors": 1,
    "power_w": 7000,
    "imp_per_kwh": 3200,
    "refresh_ms": 0,
    "interval_ms": 0,
    "settle_ms": 0,
    "step_mwh": 0,
    "remembers": False,
    "speed": 1,
    "battery_wh": 60_000,
    "feedback": True,
    "plug_switch": True,
    "thermometer": True,
    "feed_ma": 0,
    "full_after_s": 180,
    "limits": {},
    "world": "",
    "rest_ms": 100,
    "trial_ms": None,
}


def _read_settings():
    try:
        with open("sim.json") as file:
            _settings.update(json.load(file))
    except OSError:
        pass


_read_settings()
_plants = [
    Plant(_settings["power_w"], _settings["speed"], _settings["battery_wh"], _settings["refresh_ms"])
    for _ in range(_settings["connectors"])
]
_bench = Bench(_plants, _settings["world"])
FEED = {"limit_ma": _settings["feed_ma"]} if _settings["feed_ma"] else None
# A PC's heap need not stay in one piece: collecting every 8 KB was half of an order's CPU.
GC_STEP_BYTES = 65_536
REST_MS = _settings["rest_ms"]
TRIAL_MS = _settings["trial_ms"]


def _equipment_of(index, plant):
    # No contact wears here, so orders may follow each other at once.
    limits = {
        "full_after_ms": _settings["full_after_s"] * 1000,
        "max_current_ma": 100_000,
        "pause_ms": 0,
    }
    limits.update(_settings["limits"])
    return Equipment(
        SimRelay(_bench, index, plant, _settings["feedback"]),
        SimMeter(
            _bench,
            plant,
            _settings["imp_per_kwh"],
            _settings["refresh_ms"],
            _settings["interval_ms"],
            _settings["settle_ms"],
            _settings["step_mwh"],
            _settings["remembers"],
        ),
        plug=SimContact(plant, "plugged") if _settings["plug_switch"] else None,
        estop=SimContact(plant, "estop"),
        stop_button=SimContact(plant, "stop_button"),
        ground_fault=SimContact(plant, "ground_fault"),
        thermometer=SimThermometer(plant) if _settings["thermometer"] else None,
        limits=limits,
    )


def equipment():
    return [_equipment_of(i, plant) for i, plant in enumerate(_plants)]


def store():
    return SimStore("flash")


def watchdog():
    return SimWatchdog()


def indicator():
    return SimIndicator(_bench)


def set_utc(at):
    """A PC keeps its own time."""


def set_calendar(at):
    """A PC keeps its own time."""


def utc():
    """A killed firmware is a power cut here: the time is gone with it."""


def restart():
    """The program ends; chip.py boots the firmware again in the same process."""
    os.putenv(_RESET, "Hard")
    sys.exit()


def chip():
    """Made once, and kept beside the flash."""
    try:
        with open("chip") as file:
            return file.read()
    except OSError:
        made = binascii.hexlify(os.urandom(6)).decode()
        with open("chip", "w") as file:
            file.write(made)
        return made


def reset_cause():
    return _reset_cause


def memory():
    return gc.mem_free(), None, None


def log(text):
    _bench.tell("log", text=text)
