"""Checks every board's pins: python -m tools.board.pins [BOARD...]

Each boards/<board>/board.py runs on the unix port with a fake `machine` that records every use of a pin. The
records are checked against the abilities of the chip, so the check follows what board.py does.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools import ROOT
from tools.harness.sim_pile import interpreter

BOARDS = ROOT / "boards"
FAKES = ROOT / "tests" / "drivers"
TIMEOUT_S = 30


@dataclass(frozen=True)
class Chip:
    """What ESP-IDF's "GPIO & RTC GPIO" page and the chip's datasheet (strapping, pins at power-up) say.

    moving: pins that put out a level or a burst while the chip starts, whatever the program says later.
    """

    pins: frozenset[int]
    flash: frozenset[int]
    strapping: frozenset[int]
    console: frozenset[int]  # UART0 and the USB-Serial-JTAG
    input_only: frozenset[int]  # these have no pull resistors either
    adc1: frozenset[int]
    moving: frozenset[int]
    counters: int
    uarts: int
    timers: int


def _range(first: int, last: int) -> frozenset[int]:
    return frozenset(range(first, last + 1))


CHIPS = {
    "esp32": Chip(
        pins=_range(0, 23) - {20} | _range(25, 27) | _range(32, 39),
        flash=_range(6, 11) | {16, 17},  # 16 and 17: PSRAM of WROVER modules, flash of some packages
        strapping=frozenset({0, 2, 5, 12, 15}),
        console=frozenset({1, 3}),
        input_only=_range(34, 39),
        adc1=_range(32, 39),
        moving=frozenset({0, 1, 3, 5, 14, 15}),
        counters=8,
        uarts=3,
        timers=4,
    ),
    "esp32s3": Chip(
        pins=_range(0, 21) | _range(26, 48),
        flash=_range(26, 37),  # 33 to 37 with octal flash or PSRAM
        strapping=frozenset({0, 3, 45, 46}),
        console=frozenset({19, 20, 43, 44}),
        input_only=frozenset(),
        adc1=_range(1, 10),
        moving=frozenset({18, 19, 20, 43}),
        counters=4,
        uarts=3,
        timers=4,
    ),
    "esp32c3": Chip(
        pins=_range(0, 21),
        flash=_range(11, 17),
        strapping=frozenset({2, 8, 9}),
        console=frozenset({18, 19, 20, 21}),
        input_only=frozenset(),
        adc1=_range(0, 4),
        moving=frozenset({18, 19, 21}),
        counters=0,
        uarts=2,
        timers=2,
    ),
}

# Runs on MicroPython: boots the board, then moves each relay to see which pin is its.
_SCRIPT = """
import json, sys
import lab, machine
if not {counters}:
    del machine.Counter
import board
board.outputs_safe()
report = {{"safe": list(lab.uses), "early": [name for name in sys.modules if name.startswith("drivers")]}}
lab.uses.clear()
equipment = board.equipment()
board.indicator()
board.watchdog()
report["uses"] = list(lab.uses)
report["timers"] = list(lab.timers)
lab.advance(60000)
report["relays"] = []
for one in equipment:
    before = {{number: pin.level for number, pin in lab.pins.items()}}
    one.relay.set(True)
    moved = [number for number, pin in lab.pins.items() if pin.level != before[number]]
    board.outputs_safe()
    opened = all([lab.pins[number].level == before[number] for number in moved])
    one.relay.set(False)
    report["relays"].append([moved, opened])
print(json.dumps(report))
"""


def run_board(folder: Path, chip: Chip) -> dict[str, Any]:
    """What a board did to its pins. Raises RuntimeError with the reason where it does not even start."""
    path = [folder, FAKES / "hand_clock", FAKES / "fakes", ROOT / "firmware"]
    done = subprocess.run(
        [*interpreter(), "-c", _SCRIPT.format(counters=chip.counters)],
        env={**os.environ, "MICROPYPATH": ":".join([*map(str, path), ".frozen"])},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    lines = done.stdout.splitlines()
    if done.returncode or not lines:
        raise RuntimeError((done.stdout + done.stderr).strip())
    return json.loads(lines[-1])


def _pin_errors(chip: Chip, pin: int, roles: list[str]) -> list[str]:
    """What is wrong with how one pin is used; roles: "input", "output", "pull", "analogue", "counter 0"."""
    if pin not in chip.pins:
        return ["does not exist on this chip"]
    errors = []
    uses = [role for role in roles if role in ("input", "output", "analogue")]
    if len(uses) > 1:
        errors.append(f"is used {len(uses)} times: {', '.join(uses)}")
    if pin in chip.flash:
        errors.append("belongs to the flash or the PSRAM")
    if pin in chip.console:
        errors.append("belongs to the console")
    if "output" in roles and pin in chip.strapping:
        errors.append("is a strapping pin and must be no output")
    if "output" in roles and pin in chip.input_only:
        errors.append("is an input only")
    if "pull" in roles and pin in chip.input_only:
        errors.append("has no pull resistor: wire one and pass pull=None")
    if "analogue" in roles and pin not in chip.adc1:
        errors.append("is not on ADC1, and ADC2 does not work beside Wi-Fi")
    return errors


def _unit_errors(chip: Chip, uses: list[list[Any]], timers: list[int]) -> list[str]:
    errors = []
    counters = [role for _, role in uses if role.startswith("counter")]
    errors += [f"{role} is used twice" for role in set(counters) if counters.count(role) > 1]
    errors += [
        f"there is no {role} on this chip" for role in counters if int(role.split()[1]) >= chip.counters
    ]
    for role in [role for _, role in uses if role.startswith("uart")]:
        if not 0 < int(role.split()[1]) < chip.uarts:
            errors.append(f"{role} is the console's, or not on this chip")
    errors += [f"there is no timer {timer} on this chip" for timer in timers if timer >= chip.timers]
    return errors


def check(folder: Path, chip: Chip) -> list[str]:
    """What is wrong with a board; [] where nothing is."""
    try:
        report = run_board(folder, chip)
    except RuntimeError as error:
        return [f"board.py does not run: {error}"]
    roles: dict[int, list[str]] = {}
    for pin, role in report["uses"]:
        roles.setdefault(pin, []).append(role)
    errors = [f"GPIO{pin} {e}" for pin in sorted(roles) for e in _pin_errors(chip, pin, roles[pin])]
    errors += _unit_errors(chip, report["uses"], report["timers"])
    if report["early"]:
        errors.append(f"outputs_safe() comes after importing {report['early'][0]}: import drivers where used")
    for i, (moved, opened) in enumerate(report["relays"]):
        if len(moved) != 1:
            errors.append(f"relay {i + 1} moves {len(moved)} pins instead of one")
            continue
        pin = moved[0]
        if not opened or pin not in [p for p, _ in report["safe"]]:
            errors.append(f"outputs_safe() does not open relay {i + 1} on GPIO{pin}")
        if pin in chip.moving:
            errors.append(f"GPIO{pin} of relay {i + 1} moves by itself while the chip starts")
    moved_pins = [moved[0] for moved, _ in report["relays"] if len(moved) == 1]
    errors += [f"GPIO{pin} is the pin of two relays" for pin in set(moved_pins) if moved_pins.count(pin) > 1]
    return errors


def pins_of(folder: Path, chip: Chip) -> list[int]:
    """The pins a board uses."""
    return sorted({pin for pin, _ in run_board(folder, chip)["uses"]})


def boards(names: list[str] | None = None) -> list[tuple[Path, Chip]]:
    """(folder, chip) of the boards with a chip: all, or those named. Raises ValueError for an unknown one."""
    found = []
    for folder in [BOARDS / name for name in names] if names else sorted(BOARDS.iterdir()):
        if names and not (folder / "board.py").exists():
            raise ValueError(f"there is no {folder / 'board.py'}")
        if (folder / "board.json").exists():
            mcu = json.loads((folder / "board.json").read_text())["mcu"]
            if mcu in CHIPS:
                found.append((folder, CHIPS[mcu]))
    return found


def main() -> int:
    failed = False
    try:
        todo = boards(sys.argv[1:])
    except ValueError as error:
        raise SystemExit(f"boards_check: {error}") from None
    for folder, chip in todo:
        errors = check(folder, chip)
        print(f"{folder.name}: {'ok' if not errors else ''}")
        for error in errors:
            print(f"  {error}")
        failed = failed or bool(errors)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
