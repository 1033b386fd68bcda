"""drivers/contracts.py, checked on every driver: the simulated ones and the real ones."""

import time

import lab
import modbus as wire
from machine import Pin

from drivers import patterns
from drivers.esp32.counters import IrqCounter, counter
from drivers.esp32.hlw8012 import Hlw8012
from drivers.esp32.indicator import Led
from drivers.esp32.inputs import estop, ground_fault, plug, stop_button
from drivers.esp32.ntc import Ntc
from drivers.esp32.pixel import Pixel
from drivers.esp32.pulse import s0
from drivers.esp32.relay import Relay
from drivers.esp32.watchdog import Watchdog
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

POWER_W = 7_200
CYCLE_MWH = 200  # POWER_W over a cycle of 100 ms


class World:
    """A meter, and what really flows through it: delivered_mwh."""

    start_mwh = 0
    on = False
    delivered_mwh = 0

    def flow(self, on):
        self.on = on

    def cycle(self):
        """The register after one cycle of the control loop; None while it is invalid."""
        lab.advance(100)
        if self.on:
            self.deliver(CYCLE_MWH)
        return self.meter.register_mwh if self.meter.poll() else None

    def deliver(self, mwh):
        self.delivered_mwh += mwh


class SimWorld(World):
    settings = {"imp_per_kwh": 1000}

    def __init__(self):
        self.plant = Plant(0, 1, 1 << 40, self.settings.get("refresh_ms", 0))
        self.plant.coil = True
        self.bench = Bench([self.plant])
        self.meter = SimMeter(self.bench, self.plant, **self.settings)

    def flow(self, on):
        self.plant.power_w = POWER_W if on else 0
        self.on = on

    def disturb(self, on):
        self.plant.meter_ok = not on


class SimBusWorld(SimWorld):
    """As an SDM120."""

    settings = {
        "imp_per_kwh": 1000,
        "step_mwh": 1000,
        "refresh_ms": 1_600,
        "interval_ms": 600,
        "settle_ms": 1_500,
        "remembers": True,
    }


class PulseWorld(World):
    """S0 with 1,000 imp/kWh, counted by the chip."""

    pin = 32
    pulse_mwh = 1_000

    def __init__(self):
        self.meter = self.make()
        self.rest_mwh = 0
        self.noisy = False

    def make(self):
        return s0(counter(0, self.pin), 1000, 11_000)

    def deliver(self, mwh):
        self.delivered_mwh += mwh
        self.rest_mwh += mwh
        while self.rest_mwh >= self.pulse_mwh:
            self.rest_mwh -= self.pulse_mwh
            lab.pulse(self.pin)

    def cycle(self):
        if self.noisy:
            self.make_noise()
        return super().cycle()

    def disturb(self, on):
        self.noisy = on

    def make_noise(self):
        for _ in range(200):
            lab.pulse(self.pin)


class IrqWorld(PulseWorld):
    def make(self):
        return s0(IrqCounter(self.pin), 1000, 11_000)

    def make_noise(self):
        for _ in range(3):
            lab.advance(30)
            lab.pulse(self.pin)


class HlwWorld(PulseWorld):
    pulse_mwh = 4

    def make(self):
        scale = {"energy": [1000, 4000], "current": [100, 1000], "voltage": [100, 50_000]}
        return Hlw8012(counter(0, self.pin), counter(1, 33), Pin(21, Pin.OUT), scale, 11_000)

    def make_noise(self):
        for _ in range(1000):
            lab.pulse(self.pin)


class ModbusWorld(World):
    """The meter renews its register once a second, as its maker says, whoever asks."""

    def __init__(self):
        self.meter, self.other = wire.sdm120(kwh=50.0)
        self.delivered_mwh = self.start_mwh = 50_000_000
        self.renew_in = 10
        for _ in range(30):
            self.cycle()

    def cycle(self):
        self.renew_in -= 1
        if not self.renew_in:
            self.renew_in = 10
            self.other.put_single(0x48, self.delivered_mwh // 1000 / 1000)
        return super().cycle()

    def disturb(self, on):
        self.other.silent = on


WORLDS = (SimWorld, SimBusWorld, PulseWorld, IrqWorld, HlwWorld, ModbusWorld)


def each(check):
    for World in WORLDS:
        for things in (lab.pins, lab.counters, lab.uarts, lab.timers):
            things.clear()
        try:
            check(World())
        except AssertionError as error:
            raise AssertionError("%s: %s" % (World.__name__, error))


def test_a_sample_holds_what_was_delivered_a_refresh_before_and_nothing_from_after_it():
    def check(world):
        meter = world.meter
        history = []  # (ticks, what had really flowed by then)
        for i in range(400):
            world.flow(i % 90 < 60)
            register = world.cycle()
            real_mwh = world.delivered_mwh
            if isinstance(world, SimWorld):
                real_mwh = world.plant.delivered_mwh
            history.append((time.ticks_ms(), real_mwh))
            if register is None:
                continue
            at_ms = meter.sampled_ms
            assert time.ticks_diff(time.ticks_ms(), at_ms) >= 0
            after = [mwh for ms, mwh in history if time.ticks_diff(ms, at_ms) >= 0][0]
            known_ms = at_ms - meter.refresh_ms
            before = [world.start_mwh] + [mwh for ms, mwh in history if time.ticks_diff(known_ms, ms) >= 0]
            assert register <= after + 2, (register, after)  # a single-precision number is rounded
            assert register > before[-1] - meter.step_mwh() - 1, (i, register, before[-1])

    each(check)


def test_two_samples_are_at_most_the_interval_apart():
    def check(world):
        world.flow(True)
        world.cycle()
        last_ms = world.meter.sampled_ms
        for _ in range(300):
            assert world.cycle() is not None
            sampled_ms = world.meter.sampled_ms
            assert time.ticks_diff(sampled_ms, last_ms) <= world.meter.interval_ms, (sampled_ms, last_ms)
            last_ms = sampled_ms

    each(check)


def test_after_a_disturbance_it_is_valid_again_in_the_time_that_it_says():
    def check(world):
        meter = world.meter
        for disturbed_ms in (100, 500, 1_300, 3_500, 20_000):
            for _ in range(50):
                world.cycle()
            world.disturb(True)
            for _ in range(disturbed_ms // 100):
                world.cycle()
            world.disturb(False)
            settled = time.ticks_add(time.ticks_ms(), meter.settle_ms)
            while time.ticks_diff(settled, time.ticks_ms()) > 100:
                world.cycle()
            assert world.cycle() is not None, (disturbed_ms, meter.settle_ms)

    each(check)


def test_an_invalid_sample_is_never_older_than_the_meter_says():
    def check(world):
        meter = world.meter
        for _ in range(30):
            world.cycle()
        world.disturb(True)
        for _ in range(200):
            if world.cycle() is not None:
                age_ms = time.ticks_diff(time.ticks_ms(), meter.sampled_ms)
                assert age_ms <= meter.interval_ms + meter.settle_ms, age_ms
        assert world.cycle() is None

    each(check)


def test_register_has_what_was_delivered():
    def check(world):
        world.flow(True)
        for _ in range(600):
            world.cycle()
        world.flow(False)
        for _ in range(40):
            register = world.cycle()
        delivered = register - world.start_mwh
        assert 600 * CYCLE_MWH - 2 * world.meter.step_mwh() <= delivered <= 600 * CYCLE_MWH + 8, delivered

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


def test_reading_never_takes_time():
    def check(world):
        world.flow(True)
        for _ in range(50):
            world.cycle()
            before = time.now_us()
            world.meter.poll()
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
            assert power_mw is None or (type(power_mw) is int and power_mw >= 0)
            assert current_ma is None or (type(current_ma) is int and current_ma >= 0)
            if current_ma is not None:
                age_ms = time.ticks_diff(time.ticks_ms(), world.meter.current_sampled_ms)
                assert 0 <= age_ms <= world.meter.current_interval_ms, age_ms
        assert (current_ma is not None) is world.meter.measures_current

    each(check)


def test_restored():
    def check(world):
        world.meter.restore(123_456_789)
        expected = world.start_mwh if world.meter.remembers else 123_456_789
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
        assert relay.has_feedback and relay.is_closed() is False


def test_relay_obeys_and_repeats_are_harmless():
    for relay, follow in relays(True):
        for closed in (True, True, False, False, True, False):
            relay.set(closed)
            follow()
            assert relay.is_closed() is closed


def test_relay_without_feedback_cannot_tell():
    for relay, _ in relays(False):
        assert not relay.has_feedback
        relay.set(True)
        assert relay.is_closed() is None
        relay.set(False)
        assert relay.is_closed() is None


def test_inputs():
    plant = Plant(0, 1, 1000)
    lab.microvolts[34] = 1_144_000
    real = [plug(25), estop(33), ground_fault(14), stop_button(22), Ntc(34)]
    for pin in (25, 33, 14):
        lab.drive(pin, 0)
    for _ in range(3):
        lab.advance(100)
        values = [one.read() for one in real]
    names = ("plugged", "estop", "ground_fault", "stop_button")
    simulated = [SimContact(plant, name).read() for name in names] + [SimThermometer(plant).read()]
    assert values == simulated == [True, False, False, False, 25], (values, simulated)


def test_a_broken_thermometer_is_none():
    plant = Plant(0, 1, 1000)
    plant.temperature_c = None
    assert SimThermometer(plant).read() is None


def test_watchdog_and_light():
    for watchdog in (SimWatchdog(), Watchdog()):
        watchdog.feed()
        watchdog.hand_over()
    for light in (SimIndicator(Bench([])), Led(23), Pixel(48)):
        for pattern in (patterns.READY, patterns.READY, patterns.FAULT):
            light.show(pattern)
            light.step()
        light.keep()
