"""tools/board/calibrate.py: the arithmetic, and its program on a fake chip."""

from __future__ import annotations

import json
import os
import subprocess
from fractions import Fraction
from pathlib import Path

import pytest

from tools import ROOT
from tools.board.calibrate import CalibrationError, milli, script, solve
from tools.harness.sim_pile import interpreter

HERE = Path(__file__).parent
COUNTS = {"power": [20_400, 60_000], "current": [26_220, 30_000], "voltage": [13_800, 30_000]}

# While the relay is closed CF makes 340 Hz, CF1 870 Hz for the current (SEL low) or 460 Hz for the voltage.
CHIP = """
import lab, time
def sleep_ms(ms):
    for _ in range(ms):
        lab.advance(1)
        if lab.pins[26].value():
            lab.owed = [lab.owed[0] + 340, lab.owed[1] + (460 if lab.pins[21].value() else 870)]
            for i, pin in ((0, 18), (1, 19)):
                while lab.owed[i] >= 1000:
                    lab.owed[i] -= 1000
                    lab.pulse(pin, 100_000)
lab.owed = [0, 0]
time.sleep_ms = sleep_ms
"""


def run_on_chip(program: str) -> list[str]:
    path = [HERE / "hand_clock", HERE / "fakes", ROOT / "firmware"]
    done = subprocess.run(
        [*interpreter(), "-c", CHIP + program],
        env={**os.environ, "MICROPYPATH": ":".join([*map(str, path), ".frozen"])},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


def test_counting_on_the_pile() -> None:
    program = script(26, 18, 19, 21, seconds=4) + "\nprint(lab.pins[26].value())"
    counts, relay = run_on_chip(program)[-2:]
    assert relay == "0"  # open again
    got = json.loads(counts)
    for name, hertz in (("power", 340), ("current", 870), ("voltage", 460)):
        pulses, ms = got[name]
        assert abs(pulses - hertz * ms // 1000) <= 2, (name, got)


def test_the_relay_opens_whatever_happens() -> None:
    program = script(26, 18, 19, 21, seconds=4).replace("sel.value(1 - 0)", "raise OSError")
    guarded = "try:\n exec(program)\nexcept OSError:\n pass\nprint(lab.pins[26].value())"
    assert run_on_chip(f"program = {program!r}\n{guarded}")[-1] == "0"


def test_what_was_solved_gives_back_the_reference() -> None:
    values = solve(COUNTS, 2_012_500, 8_740, 230_300)
    pulses, mwh = values["energy"]
    assert abs(Fraction(20_400 * mwh, pulses) - Fraction(2_012_500 * 60_000, 3_600_000)) < Fraction(1, 10)
    for name, reference in (("current", 8_740), ("voltage", 230_300)):
        pulses, amount = values[name]
        counted, ms = COUNTS[name]
        assert abs(Fraction(counted * amount * 1000, pulses * ms) - reference) < 1


@pytest.mark.parametrize(
    ("counts", "reference", "text"),
    [
        ({**COUNTS, "power": [20, 60_000]}, (2_000_000, 8_740, 230_300), "only 20 pulses of CF"),
        ({**COUNTS, "current": [0, 30_000]}, (2_000_000, 8_740, 230_300), "only 0 pulses of CF1 (current)"),
        (COUNTS, (4_000_000, 8_740, 230_300), "more watts than volts times amperes"),
        ({}, (2_000_000, 8_740, 230_300), "not the counts"),
        ({**COUNTS, "power": 7}, (2_000_000, 8_740, 230_300), "not the counts"),
    ],
)
def test_what_cannot_be_solved(counts: dict, reference: tuple[int, int, int], text: str) -> None:
    with pytest.raises(CalibrationError, match="^.*" + text.replace("(", r"\(").replace(")", r"\)")):
        solve(counts, *reference)


def test_reference_values() -> None:
    assert milli("8.74") == 8740
    for text in ("", "x", "-1", "0", "nan"):
        with pytest.raises(CalibrationError):
            milli(text)
