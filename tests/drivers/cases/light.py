import gc

import lab

from drivers import patterns
from drivers.esp32.indicator import Led
from drivers.esp32.pixel import Pixel
from lamp import choose


def flashes(led, pin, pattern, ms):
    """How often the light goes on within `ms`."""
    led.show(pattern)
    count = 0
    was = 0
    for _ in range(ms // 50):
        led.step()
        now = lab.pins[pin].value()
        count += now > was
        was = now
        lab.advance(50)
    return count


class Thing:
    """Anything with attributes."""

    def __init__(self, **values):
        for name, value in values.items():
            setattr(self, name, value)


def connector(fault=None, estop=False, stop_button=False, order=None, out=None):
    readings = Thing(estop=estop, stop_button=stop_button)
    return Thing(fault=fault, readings=readings, order=order, out_of_service=out)


def test_what_matters_most_is_shown():
    idle, broken = connector(), connector(fault="GroundFailure", order=1)
    stopped, charging, pressed = connector(estop=True), connector(order=1), connector(stop_button=True)
    for connectors, trouble, expected in (
        ([idle], None, patterns.READY),
        ([idle], patterns.NO_WIFI, patterns.NO_WIFI),
        ([charging], patterns.NO_WIFI, patterns.CHARGING),
        ([connector(out="Damaged")], None, patterns.OUT_OF_SERVICE),
        ([connector(out="Damaged")], patterns.NO_WIFI, patterns.NO_WIFI),
        ([idle, connector(out="Damaged")], None, patterns.READY),
        ([charging, connector(out="Damaged")], None, patterns.CHARGING),
        ([idle, charging], None, patterns.CHARGING),
        ([charging, pressed], None, patterns.STOP_PRESSED),
        ([pressed, stopped], None, patterns.ESTOP),
        ([charging, stopped], None, patterns.ESTOP),
        ([stopped, charging, broken, pressed], patterns.NO_BROKER, patterns.FAULT),
    ):
        assert choose(connectors, trouble) is expected, expected


def test_codes_can_be_counted():
    led = Led(23)
    codes = (
        patterns.ESTOP,
        patterns.NO_CONFIG,
        patterns.NO_WIFI,
        patterns.NO_BROKER,
        patterns.UNTRUSTED,
        patterns.NO_FLASH,
        patterns.CRASHED,
    )
    for number, pattern in enumerate(codes):
        one_round_ms = pattern[0] * (pattern[1] + pattern[2]) + pattern[3]
        assert flashes(led, 23, pattern, one_round_ms) == number + 1, pattern


def test_ready_is_steady_and_charging_is_slow_and_a_fault_fast():
    led = Led(23)
    assert flashes(led, 23, patterns.READY, 10_000) == 1
    assert lab.pins[23].value() == 1
    assert flashes(led, 23, patterns.CHARGING, 10_000) == 5
    assert flashes(led, 23, patterns.FAULT, 10_000) in (39, 40, 41)


def test_active_low_led():
    led = Led(23, on_level=0)
    assert lab.pins[23].value() == 1
    led.show(patterns.READY)
    led.step()
    assert lab.pins[23].value() == 0


def test_pixel_shows_colours():
    pixel = Pixel(48)
    pixel.show(patterns.READY)
    pixel.step()
    assert lab.bits[-1] == (48, b"\x28\x00\x00"), lab.bits  # green first
    pixel.show(patterns.FAULT)
    pixel.step()
    assert lab.bits[-1] == (48, b"\x00\x50\x00")
    sent = len(lab.bits)
    pixel.step()
    assert len(lab.bits) == sent  # nothing changed, nothing sent


def test_it_goes_on_when_the_program_has_ended():
    led = Led(23)
    led.show(patterns.NO_CONFIG)
    led.keep()
    seen = []
    for _ in range(60):
        lab.advance(50)
        seen.append(lab.pins[23].value())
    assert 0 in seen and 1 in seen


def test_stepping_allocates_nothing():
    led = Led(23)
    led.show(patterns.CHARGING)

    def steps(count):
        for _ in range(count):
            led.show(patterns.CHARGING)
            led.step()

    steps(10)
    gc.collect()
    before = gc.mem_alloc()
    steps(1000)
    assert gc.mem_alloc() == before, gc.mem_alloc() - before


def test_a_pressed_stop_button_is_told_from_a_fault():
    led = Led(23)
    assert flashes(led, 23, patterns.STOP_PRESSED, 5_000) > 2 * flashes(led, 23, patterns.FAULT, 5_000)
