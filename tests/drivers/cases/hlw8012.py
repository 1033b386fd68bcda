import json
import os

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
        register = meter.register_mwh()
    return register


def test_energy_current_and_voltage():
    meter = chip()
    register = run(meter, 30, 340, 870, 460)
    assert register == 30 * 340 * 10_000 // 3480
    assert 8_600 <= meter.current_ma() <= 8_800, meter.current_ma()
    assert 228_000 <= meter.voltage_mv() <= 232_000, meter.voltage_mv()
    assert 3_400_000 <= meter.power_mw() <= 3_600_000, meter.power_mw()


def test_behind_an_inverting_transistor():
    meter = chip(current_level=1)
    run(meter, 30, 340, 870, 460, current_level=1)
    assert 8_600 <= meter.current_ma() <= 8_800
    assert 228_000 <= meter.voltage_mv() <= 232_000


def test_what_cf1_tells_right_after_a_change_is_thrown_away():
    """The chip goes on telling the old quantity for a while."""
    meter = chip()
    telling = lab.pins[SEL].value()
    old_for_ms = 800  # and before the first window it told the voltage, too
    for _ in range(400):
        if lab.pins[SEL].value() != telling:
            telling = lab.pins[SEL].value()
            old_for_ms = 800
        shows_current = (telling == 0) != (old_for_ms > 0)
        old_for_ms -= 100
        for _ in range(87 if shows_current else 46):
            lab.pulse(CF1, 1_000_000)
        lab.advance(100)
        meter.register_mwh()
        assert meter.current_ma() is None or 8_600 <= meter.current_ma() <= 8_800, meter.current_ma()
        assert meter.voltage_mv() is None or 228_000 <= meter.voltage_mv() <= 232_000, meter.voltage_mv()
    assert meter.current_ma() and meter.voltage_mv()


def test_without_a_calibration_there_is_no_reading():
    meter = chip(scale=None)
    assert run(meter, 5, 340, 870, 460) is None
    assert meter.power_mw() == 0
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
