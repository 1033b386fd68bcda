"""Drivers over a Plant, and the bench that moves it.

JSON lines on stdin change the world, JSON lines on stdout report what happens in it.
"""

import json
import os
import select
import sys
import time

from drivers import patterns

REPORT_MS = 1_000
LINE_MAX_BYTES = 1_024
BYTES_AT_ONCE = 4_096  # then the world goes on, however much still waits
CYCLE_MS = 100  # of the control loop


class Bench:
    """All plants of one board. Polling a meter, or switching a relay, lets the world catch up first.

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
        """Lets time pass, reports what flowed, and takes pending lines from stdin.

        Returns the tick count until which the world has run. Writing the file takes time: later, more flowed.
        """
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
        return now_ms

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
                    plant.recall(delivered_mwh)
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
    "stop_button": ("stop_button", _is_bool),
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
        self.has_feedback = feedback
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
        return self._plant.contact if self.has_feedback else None


class SimMeter:
    """imp_per_kwh: a pulse meter, read in every cycle. It knows whole pulses of 1 kWh / imp_per_kwh.

    step_mwh: a meter on a bus instead: its register moves in such steps, is sampled every interval_ms, and is
    as old as the plant's refresh_ms. While it is silent the newest sample stays valid for settle_ms more.
    remembers: its register survives a power cut; it needs a world that does.
    """

    measures_current = True
    register_mwh = 0
    sampled_ms = 0
    current_sampled_ms = 0

    def __init__(
        self,
        bench,
        plant,
        imp_per_kwh,
        refresh_ms=0,
        interval_ms=0,
        settle_ms=0,
        step_mwh=0,
        remembers=False,
    ):
        self.refresh_ms = refresh_ms
        self.interval_ms = self.current_interval_ms = max(interval_ms, CYCLE_MS)
        self.settle_ms = settle_ms
        self.remembers = remembers
        self._bench = bench
        self._plant = plant
        self._every_cycle = interval_ms <= CYCLE_MS
        self._step_mwh = step_mwh
        self._imp_per_kwh = imp_per_kwh
        self._base_mwh = 0
        self._born_mwh = 0 if remembers else plant.register_mwh  # what came before power-up is forgotten
        self._sampled = False
        self._power_mw = 0
        self._current_ma = 0

    def restore(self, register_mwh):
        if not self.remembers:
            self._base_mwh = register_mwh

    def step_mwh(self):
        return self._step_mwh or -(-1_000_000 // self._imp_per_kwh)

    def poll(self):
        now_ms = self._bench.catch_up()
        age_ms = time.ticks_diff(now_ms, self.sampled_ms)
        answers = self._plant.meter_ok
        if answers and (self._every_cycle or not self._sampled or age_ms > self.interval_ms - CYCLE_MS):
            self._sample(now_ms)
            age_ms = 0
        if self._every_cycle and not self.settle_ms:
            return answers
        return self._sampled and age_ms <= self.interval_ms + self.settle_ms

    def power_mw(self):
        return self._power_mw

    def current_ma(self):
        return self._current_ma

    def _sample(self, now_ms):
        plant = self._plant
        flowed_mwh = plant.register_mwh - self._born_mwh
        if self._step_mwh:
            flowed_mwh -= flowed_mwh % self._step_mwh
        else:
            pulses = flowed_mwh * self._imp_per_kwh // 1_000_000
            flowed_mwh = pulses * 1_000_000 // self._imp_per_kwh
        self.register_mwh = self._base_mwh + flowed_mwh
        self.sampled_ms = self.current_sampled_ms = now_ms
        self._sampled = True
        self._power_mw = plant.power_mw()
        self._current_ma = self._power_mw // 230 if plant.current_ma is None else plant.current_ma


class SimContact:
    """A switch: the plant's attribute of that name."""

    def __init__(self, plant, name):
        self._plant = plant
        self._name = name

    def read(self):
        return getattr(self._plant, self._name)


class SimThermometer:
    def __init__(self, plant):
        self._plant = plant

    def read(self):
        return self._plant.temperature_c


class SimWatchdog:
    def feed(self):
        pass

    def hand_over(self):
        pass


_NAMES = {
    patterns.STARTING: "STARTING",
    patterns.READY: "READY",
    patterns.CHARGING: "CHARGING",
    patterns.FAULT: "FAULT",
    patterns.ESTOP: "ESTOP",
    patterns.STOP_PRESSED: "STOP_PRESSED",
    patterns.NO_CONFIG: "NO_CONFIG",
    patterns.NO_WIFI: "NO_WIFI",
    patterns.NO_BROKER: "NO_BROKER",
    patterns.UNTRUSTED: "UNTRUSTED",
    patterns.NO_FLASH: "NO_FLASH",
    patterns.OUT_OF_SERVICE: "OUT_OF_SERVICE",
    patterns.CRASHED: "CRASHED",
}


class SimIndicator:
    """Tells the bench the name of each pattern that it is to show."""

    def __init__(self, bench):
        self._bench = bench
        self._pattern = None

    def show(self, pattern):
        if pattern is not self._pattern:
            self._pattern = pattern
            self._bench.tell("light", pattern=_NAMES[pattern])

    def step(self):
        pass

    def keep(self):
        pass
