"""Drivers over a Plant, and the bench that moves it: JSON lines in change the world, JSON lines out tell."""

import json
import os
import select
import sys
import time

from drivers import patterns

REPORT_MS = 1_000
LINE_MAX_BYTES = 1_024
BYTES_AT_ONCE = 4_096  # then the world goes on, however much still waits


class Bench:
    """All plants of one board. Every read of any driver lets the world catch up first.

    world: a file that keeps what each plant has delivered, so that the world outlives a killed firmware,
    and a test knows what really flowed; "" for a world that begins anew.
    """

    def __init__(self, plants, world=""):
        self._plants = plants
        self._world = world
        if world:
            self._recall()
        self._poller = select.poll()
        self._poller.register(sys.stdin.buffer, select.POLLIN)
        self._line = bytearray()  # what has come of the next one
        self._byte = bytearray(1)
        self.listening = True  # until stdin ends
        self._reported_ms = [time.ticks_ms()] * len(plants)
        self._reported_mwh = [0] * len(plants)
        self._remembered = None

    def tell(self, event, **values):
        """One JSON line on stdout; `at_us` is Unix time in microseconds."""
        values["event"] = event
        values["at_us"] = time.time_ns() // 1000
        print(json.dumps(values))

    def catch_up(self):
        """Takes pending lines from stdin, lets time pass, and reports what flowed."""
        now_ms = time.ticks_ms()
        for i, plant in enumerate(self._plants):
            plant.advance(now_ms)
            if (
                plant.delivered_mwh != self._reported_mwh[i]
                and time.ticks_diff(now_ms, self._reported_ms[i]) >= REPORT_MS
            ):
                self.report(i)
        if self._world:
            self._remember()
        self._listen()

    def _listen(self):
        """Byte by byte, for more would wait for what has not come. Too long a line loses its end."""
        for _ in range(BYTES_AT_ONCE):
            if not (self.listening and self._poller.poll(0)):
                return
            if not sys.stdin.buffer.readinto(self._byte):
                self.listening = False
            elif self._byte != b"\n":
                if len(self._line) <= LINE_MAX_BYTES:
                    self._line.extend(self._byte)
                continue
            line = bytes(self._line).strip()
            self._line = bytearray()
            if line:
                self._obey(line)

    def _recall(self):
        try:
            with open(self._world) as file:
                for plant, delivered_mwh in zip(self._plants, json.load(file)):
                    plant.delivered_mwh = delivered_mwh
        except OSError:
            pass  # its first day

    def _remember(self):
        """Before any driver can tell the firmware of it: what is billed is never ahead of this file."""
        delivered_mwh = [plant.delivered_mwh for plant in self._plants]
        if delivered_mwh != self._remembered:
            with open(self._world + ".new", "w") as file:
                json.dump(delivered_mwh, file)
            os.rename(self._world + ".new", self._world)
            self._remembered = delivered_mwh

    def report(self, index):
        plant = self._plants[index]
        self._reported_ms[index] = time.ticks_ms()
        self._reported_mwh[index] = plant.delivered_mwh
        self.tell("register", connector=index + 1, delivered_mwh=plant.delivered_mwh)

    def _obey(self, line):
        """Does all that the line says, or nothing of it."""
        try:
            change = json.loads(str(line, "utf-8")) if len(line) <= LINE_MAX_BYTES else None
        except ValueError:  # a UnicodeError is one
            change = None
        if not isinstance(change, dict):
            change = {"": 0}  # no word of the table
        number = change.pop("connector", 1)
        plant = self._plants[number - 1] if _is_whole(number, 1, len(self._plants)) else None
        if plant is None or not all(
            word in _CHANGES and _CHANGES[word][1](value) for word, value in change.items()
        ):
            self.tell("not understood", line=str(line)[2:-1])
            return
        for word, value in change.items():
            setattr(plant, _CHANGES[word][0], value)
            self.tell("changed", what=word, value=value)


def _is_whole(value, least, most):
    return type(value) is int and least <= value <= most


def _whole(least, most):
    return lambda value: _is_whole(value, least, most)


def _or_none(is_good):
    return lambda value: value is None or is_good(value)


def _is_bool(value):
    return type(value) is bool


# word: (the plant's attribute, what it may be)
_CHANGES = {
    "plug": ("plugged", _is_bool),
    "power_w": ("power_w", _whole(0, 1_000_000)),
    "battery_wh": ("battery_wh", _whole(1, 10_000_000)),
    "estop": ("estop", _is_bool),
    "ground_fault": ("ground_fault", _is_bool),
    "weld": ("welded", _is_bool),
    "stuck_open": ("stuck_open", _is_bool),
    "meter": ("meter_ok", _is_bool),
    "temperature_c": ("temperature_c", _or_none(_whole(-100, 1_000))),
    "current_ma": ("current_ma", _or_none(_whole(0, 1_000_000))),
}


class SimRelay:
    def __init__(self, bench, index, plant, feedback=True):
        self._bench = bench
        self._index = index
        self._plant = plant
        self._feedback = feedback
        self.set(False)

    def set(self, closed):
        if closed == self._plant.coil:
            return
        self._bench.catch_up()
        self._plant.coil = closed
        self._bench.tell(
            "relay closed" if closed else "relay opened",
            connector=self._index + 1,
            contact=self._plant.contact,
        )
        self._bench.report(self._index)

    def is_closed(self):
        return self._plant.contact if self._feedback else None


class SimMeter:
    """A pulse meter: it knows whole pulses of 1 kWh / imp_per_kwh and forgets them with the power."""

    def __init__(self, bench, plant, imp_per_kwh):
        self._bench = bench
        self._plant = plant
        self._imp_per_kwh = imp_per_kwh
        self._base_mwh = 0
        self._born_mwh = plant.delivered_mwh  # pulses before the last power-up are forgotten

    def register_mwh(self):
        self._bench.catch_up()
        if not self._plant.meter_ok:
            return None
        pulses = (self._plant.delivered_mwh - self._born_mwh) * self._imp_per_kwh // 1_000_000
        return self._base_mwh + pulses * 1_000_000 // self._imp_per_kwh

    def power_mw(self):
        return self._plant.power_mw()

    def current_ma(self):
        if self._plant.current_ma is not None:
            return self._plant.current_ma
        return self._plant.power_mw() // 230

    def restore(self, register_mwh):
        self._base_mwh = register_mwh


class SimInputs:
    def __init__(self, plant):
        self._plant = plant

    def plugged(self):
        return self._plant.plugged

    def estop(self):
        return self._plant.estop

    def ground_fault(self):
        return self._plant.ground_fault

    def temperature_c(self):
        return self._plant.temperature_c


class SimWatchdog:
    def feed(self):
        pass

    def hand_over(self):
        pass


class SimIndicator:
    """Tells the bench the name of each pattern that it is to show."""

    def __init__(self, bench):
        self._bench = bench
        self._pattern = None
        self._names = {id(getattr(patterns, name)): name for name in dir(patterns)}

    def show(self, pattern):
        if pattern is not self._pattern:
            self._pattern = pattern
            self._bench.tell("light", pattern=self._names[id(pattern)])

    def step(self):
        pass

    def keep(self):
        pass
