"""drivers/contracts.py, held against every driver: the simulated twin and the real ones."""

import time

import lab
import modbus as wire
from machine import Pin

from drivers import patterns
from drivers.esp32.counters import IrqCounter, counter
from drivers.esp32.hlw8012 import Hlw8012
from drivers.esp32.indicator import Led, Pixel
from drivers.esp32.inputs import Inputs, Ntc, estop, ground_fault, plug
from drivers.esp32.pulse import s0
from drivers.esp32.relay import Relay
from drivers.esp32.watchdog import Watchdog
from drivers.sim.hardware import Bench, SimIndicator, SimInputs, SimMeter, SimRelay, SimWatchdog
from drivers.sim.plant import Plant

POWER_W = 7_200
CYCLE_MWH = 200  # POWER_W over a cycle of 100 ms


class SimWorld:
    remembers = False
    step_mwh = 1_000

    def __init__(self):
        self.plant = Plant(0, 1, 1 << 40)
        self.plant.coil = True
        self.bench = Bench([self.plant])
        self.meter = SimMeter(self.bench, self.plant, 1000)
        self.start_mwh = 0

    def flow(self, on):
        self.plant.power_w = POWER_W if on else 0

    def cycle(self):
        lab.advance(100)
        return self.meter.register_mwh()

    def fail(self):
        self.plant.meter_ok = False


class PulseWorld:
    """S0 with 1,000 imp/kWh, counted by the chip."""

    remembers = False
    step_mwh = 1_000
    pin = 32

    def __init__(self):
        self.meter = self.make()
        self.start_mwh = 0
        self.on = False
        self.rest_mwh = 0

    def make(self):
        return s0(counter(0, self.pin), 1000, 11_000)

    def flow(self, on):
        self.on = on

    def cycle(self):
        lab.advance(100)
        if self.on:
            self.rest_mwh += CYCLE_MWH
            while self.rest_mwh >= self.step_mwh:
                self.rest_mwh -= self.step_mwh
                lab.pulse(self.pin)
        return self.meter.register_mwh()

    def fail(self):
        for _ in range(200):
            lab.pulse(self.pin)


class IrqWorld(PulseWorld):
    def make(self):
        return s0(IrqCounter(self.pin), 1000, 11_000)

    def fail(self):
        for _ in range(50):
            lab.advance(30)
            lab.pulse(self.pin)


class HlwWorld(PulseWorld):
    step_mwh = 4

    def make(self):
        scale = {"energy": [1000, 4000], "current": [100, 1000], "voltage": [100, 50_000]}
        return Hlw8012(counter(0, self.pin), counter(1, 33), Pin(21, Pin.OUT), scale, 11_000)

    def fail(self):
        for _ in range(1000):
            lab.pulse(self.pin)


class ModbusWorld:
    remembers = True
    step_mwh = 2_000  # at POWER_W between two readings, and what single precision cannot tell

    def __init__(self):
        self.meter, self.other = wire.sdm120(kwh=50.0)
        self.kwh = self.start_kwh = 50.0
        self.start_mwh = 50_000_000
        self.on = False
        for _ in range(30):
            self.cycle()

    def flow(self, on):
        self.on = on

    def cycle(self):
        if self.on:
            self.kwh += CYCLE_MWH / 1_000_000
            self.other.put_single(0x48, self.kwh)
        lab.advance(100)
        return self.meter.register_mwh()

    def fail(self):
        self.other.silent = True
        for _ in range(60):
            self.cycle()


WORLDS = (SimWorld, PulseWorld, IrqWorld, HlwWorld, ModbusWorld)


def each(check):
    for World in WORLDS:
        for things in (lab.pins, lab.counters, lab.uarts, lab.timers):
            things.clear()
        try:
            check(World())
        except AssertionError as error:
            raise AssertionError("%s: %s" % (World.__name__, error))


def test_register_tells_what_was_delivered():
    def check(world):
        world.flow(True)
        for _ in range(600):
            register = world.cycle()
        world.flow(False)
        for _ in range(20):
            register = world.cycle()
        delivered = register - world.start_mwh
        assert 600 * CYCLE_MWH - 2 * world.step_mwh <= delivered <= 600 * CYCLE_MWH + 8, delivered

    each(check)


def test_register_is_whole_and_never_falls():
    def check(world):
        last = world.cycle()
        for i in range(400):
            world.flow(i % 100 < 50)
            register = world.cycle()
            assert type(register) is int and register >= last, (last, register)
            last = register

    each(check)


def test_no_valid_reading_is_none():
    def check(world):
        assert world.cycle() is not None
        world.fail()
        assert world.cycle() is None

    each(check)


def test_reading_never_takes_time():
    def check(world):
        world.flow(True)
        for _ in range(50):
            world.cycle()
            before = time.now_us()
            world.meter.register_mwh()
            world.meter.power_mw()
            world.meter.current_ma()
            assert time.now_us() == before

    each(check)


def test_power_and_current():
    def check(world):
        world.flow(True)
        for _ in range(100):
            world.cycle()
            power_mw, current_ma = world.meter.power_mw(), world.meter.current_ma()
            assert type(power_mw) is int and power_mw >= 0
            assert current_ma is None or (type(current_ma) is int and current_ma >= 0)

    each(check)


def test_restored():
    def check(world):
        world.meter.restore(123_456_789)
        expected = world.start_mwh if world.remembers else 123_456_789
        assert world.cycle() == expected, world.cycle()

    each(check)


def relays(feedback):
    """(relay, lambda closing or opening the real contact) of each kind."""
    plant = Plant(0, 1, 1000)
    plant.coil = True
    yield SimRelay(Bench([plant]), 0, plant, feedback), lambda: None
    for level in (0, 1):
        pin = 26 + level
        relay = Relay(pin, closed_level=level, feedback=13 + level if feedback else None, min_off_ms=0)

        def follow(pin=pin, level=level):
            if feedback:
                lab.drive(13 + level, 0 if lab.pins[pin].value() == level else None)

        yield relay, follow


def test_relay_is_open_when_made():
    for relay, _ in relays(True):
        assert relay.is_closed() is False


def test_relay_obeys_and_repeats_are_harmless():
    for relay, follow in relays(True):
        for closed in (True, True, False, False, True, False):
            relay.set(closed)
            follow()
            assert relay.is_closed() is closed


def test_relay_without_feedback_cannot_tell():
    for relay, _ in relays(False):
        relay.set(True)
        assert relay.is_closed() is None
        relay.set(False)
        assert relay.is_closed() is None


def all_inputs():
    yield SimInputs(Plant(0, 1, 1000))
    lab.microvolts[34] = 1_650_000
    inputs = Inputs(plug(25), estop(33), ground_fault(14), Ntc(34))
    for pin in (25, 33, 14):
        lab.drive(pin, 0)
    for _ in range(3):
        lab.advance(100)
        inputs.plugged()
        inputs.estop()
        inputs.ground_fault()
    yield inputs


def test_inputs():
    for inputs in all_inputs():
        assert inputs.plugged() is True
        assert inputs.estop() is False
        assert inputs.ground_fault() is False
        assert inputs.temperature_c() == 25


def test_watchdog_and_light():
    for watchdog in (SimWatchdog(), Watchdog()):
        watchdog.feed()
        watchdog.hand_over()
    for light in (SimIndicator(Bench([])), Led(23), Pixel(48)):
        for pattern in (patterns.READY, patterns.READY, patterns.FAULT):
            light.show(pattern)
            light.step()
        light.keep()
