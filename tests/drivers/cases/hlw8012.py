import json
import os
import time

import lab
from machine import Pin

from drivers.esp32.counters import counter
from drivers.esp32.hlw8012 import Hlw8012, calibration

CF, CF1, SEL = 18, 19, 21
SCALE = {"energy": [3480, 10_000], "current": [100, 1_000], "voltage": [100, 50_000]}


def chip(scale=SCALE, current_level=0):
    return Hlw8012(
        counter(0, CF), counter(1, CF1), Pin(SEL, Pin.OUT), scale, 5_000, current_level=current_level
    )


def run(meter, seconds, cf_hz, current_hz, voltage_hz, current_level=0):
    """The chip's two outputs for a while; SEL chooses what CF1 tells."""
    for _ in range(seconds * 10):
        for _ in range(cf_hz // 10):
            lab.pulse(CF, 1_000_000)
        showing_current = lab.pins[SEL].value() == current_level
        for _ in range((current_hz if showing_current else voltage_hz) // 10):
            lab.pulse(CF1, 1_000_000)
        lab.advance(100)
        register = meter.register_mwh if meter.poll() else None
    return register


def test_energy_and_current():
    meter = chip()
    register = run(meter, 30, 340, 870, 460)
    assert register == 30 * 340 * 10_000 // 3480
    assert 8_600 <= meter.current_ma() <= 8_800, meter.current_ma()
    assert 3_400_000 <= meter.power_mw() <= 3_600_000, meter.power_mw()


def test_behind_an_inverting_transistor():
    meter = chip(current_level=1)
    run(meter, 30, 340, 870, 460, current_level=1)
    assert 8_600 <= meter.current_ma() <= 8_800


def test_what_cf1_shows_in_the_window_of_the_start_is_thrown_away():
    """The chip goes on with the old quantity for a while after SEL has changed."""
    meter = chip()
    for i in range(100):
        for _ in range(87 if i > 8 else 46):
            lab.pulse(CF1, 1_000_000)
        lab.advance(100)
        meter.poll()
        assert meter.current_ma() is None or 8_600 <= meter.current_ma() <= 8_800, meter.current_ma()
    assert meter.current_ma()


def test_a_short_overload_is_in_as_many_samples_as_it_lasted():
    """A sample that is held for seconds would let 1 s of overload look like 4."""
    meter = chip()
    run(meter, 20, 340, 870, 460)
    over = set()
    for hertz in (870,) * 30 + (8_700,) * 10 + (870,) * 60:
        for _ in range(hertz // 10):
            lab.pulse(CF1, 1_000_000)
        lab.advance(100)
        meter.poll()
        if meter.current_ma() > 16_000:
            over.add(meter.current_sampled_ms)
    assert 1 <= len(over) <= 2, over
    assert max(over) - min(over) <= meter.current_interval_ms


def test_the_current_is_never_older_than_its_interval():
    meter = chip()
    run(meter, 5, 340, 870, 460)
    for _ in range(300):
        lab.advance(100)
        meter.poll()
        assert time.ticks_diff(time.ticks_ms(), meter.current_sampled_ms) <= meter.current_interval_ms


def test_without_a_calibration_there_is_no_reading():
    meter = chip(scale=None)
    assert run(meter, 5, 340, 870, 460) is None
    assert meter.power_mw() is None
    assert meter.current_ma() is None


def test_restored():
    meter = chip()
    meter.restore(77_000)
    assert run(meter, 1, 340, 0, 0) == 77_000 + 340 * 10_000 // 3480


def test_calibration_file():
    name = "calibration.json"
    with open(name, "w") as file:
        json.dump({"2": SCALE}, file)
    try:
        assert calibration(2, name) == SCALE
        assert calibration(1, name) is None
        with open(name, "w") as file:
            file.write("{")
        assert calibration(2, name) is None
    finally:
        os.remove(name)
    assert calibration(2, name) is None
