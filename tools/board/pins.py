"""Checks every board's pins: python -m tools.board.pins [BOARD...]

Each board's relays.py and board.py run on the unix port with a fake `machine` that records every use of a
pin. The records are checked against the abilities of the chip, so the check follows what the files do.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Callable
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
    """What ESP-IDF's "GPIO & RTC GPIO" page and the chip's datasheet say of strapping, reset and ADC.

    boot: strapping pins whose level can keep the chip from starting its program.
    moving: pins that put out a level or a burst while the chip starts, whatever the program says later.
    pulled_up, pulled_down: by the chip itself, from reset until the program has the pin.
    jtag: a debugger's pins, from reset until the program has them: MTMS, MTDI, MTCK, MTDO.
    adc_end_mv: the lowest and the highest voltage at which the ADC of such a chip ends at 11 dB.
    """

    pins: frozenset[int]
    flash: frozenset[int]
    strapping: frozenset[int]
    boot: frozenset[int]
    console: frozenset[int]  # UART0 and the USB-Serial-JTAG
    input_only: frozenset[int]  # these have no pull resistors either
    adc1: frozenset[int]
    adc_end_mv: tuple[int, int]
    moving: frozenset[int]
    pulled_up: frozenset[int]
    pulled_down: frozenset[int]
    jtag: frozenset[int]
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
        boot=frozenset({0, 12}),
        console=frozenset({1, 3}),
        input_only=_range(34, 39),
        adc1=_range(32, 39),
        adc_end_mv=(3_050, 3_300),  # with a reference of 1,000 mV; with 1,100 mV and more
        moving=frozenset({0, 1, 3, 5, 14, 15}),
        pulled_up=frozenset({0, 1, 3, 5, 14, 15}),
        pulled_down=frozenset({2, 4, 12, 13}),
        jtag=_range(12, 15),
        counters=8,
        uarts=3,
        timers=4,
    ),
    "esp32s3": Chip(
        pins=_range(0, 21) | _range(26, 48),
        flash=_range(26, 37),  # 33 to 37 with octal flash or PSRAM
        strapping=frozenset({0, 3, 45, 46}),
        boot=frozenset({0, 45}),
        console=frozenset({19, 20, 43, 44}),
        input_only=frozenset(),
        adc1=_range(1, 10),
        adc_end_mv=(2_900, 3_300),
        moving=frozenset({18, 19, 20, 43}),
        pulled_up=frozenset({0, 20, 39, 43, 44}),
        pulled_down=frozenset({45, 46}),
        jtag=_range(39, 42),
        counters=4,
        uarts=3,
        timers=4,
    ),
    "esp32c3": Chip(
        pins=_range(0, 21),
        flash=_range(11, 17),
        strapping=frozenset({2, 8, 9}),
        boot=frozenset({9}),
        console=frozenset({18, 19, 20, 21}),
        input_only=frozenset(),
        adc1=_range(0, 4),
        adc_end_mv=(2_498, 2_991),
        moving=frozenset({18, 19, 21}),
        pulled_up=frozenset({6, 9, 19, 20, 21}),
        pulled_down=frozenset(),
        jtag=_range(4, 7),
        counters=0,
        uarts=2,
        timers=2,
    ),
}

# Runs on MicroPython: boots the board, then moves each relay to see which pin is its, and breaks each
# thermometer's wire.
_SCRIPT = """
import json
import lab, machine
if not {counters}:
    del machine.Counter
import relays
lab.uses.clear()
relays.outputs_safe()
report = {{"safe": list(lab.uses)}}
import board
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
    levels = [lab.pins[number].level for number in moved]
    relays.outputs_safe()
    opened = all([lab.pins[number].level == before[number] for number in moved])
    one.relay.set(False)
    report["relays"].append([moved, levels, opened])
report["broken"] = []
for end_mv in {adc_end_mv}:
    lab.adc_end_mv = end_mv
    for one in equipment:
        if one.thermometer:
            from drivers.esp32.ntc import OPEN_MV
            for pin, role in report["uses"]:
                if role == "analogue":
                    lab.microvolts[pin] = OPEN_MV * 1000
            for _ in range(100):
                lab.advance(100)
                celsius = one.thermometer.read()
            report["broken"].append([end_mv, celsius])
print(json.dumps(report))
"""


def run_board(folder: Path, chip: Chip) -> dict[str, Any]:
    """What a board did to its pins. Raises RuntimeError with the reason where it does not even start."""
    path = [folder, FAKES / "hand_clock", FAKES / "fakes", ROOT / "firmware"]
    done = subprocess.run(
        [*interpreter(), "-c", _SCRIPT.format(counters=chip.counters, adc_end_mv=chip.adc_end_mv)],
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
    if "input" in roles and pin in chip.boot:
        errors.append("decides how the chip starts: what is wired to it can keep the pile from starting")
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


def _relay_errors(chip: Chip, name: str, pin: int, closed_level: int) -> list[str]:
    """What may close a relay on this pin while the chip starts."""
    errors = []
    if pin in chip.moving:
        errors.append(f"GPIO{pin} of {name} moves by itself while the chip starts")
    if pin in chip.jtag:
        errors.append(f"GPIO{pin} of {name} is a JTAG pin until the program has it")
    if pin in (chip.pulled_up if closed_level else chip.pulled_down):
        errors.append(f"GPIO{pin} of {name} is pulled towards closed from reset until the program has it")
    return errors


def early_imports(folder: Path) -> list[str]:
    """What a board imports, besides `machine`, before its relays are open: relays.py by itself, which boot.py
    imports first, and board.py, which may be imported without boot.py.
    """
    return [
        *_imports_before(folder / "relays.py", lambda code: code == "outputs_safe()"),
        *_imports_before(folder / "board.py", lambda code: code.startswith("from relays import ")),
    ]


def _imports_before(path: Path, is_end: Callable[[str], bool]) -> list[str]:
    found = []
    for statement in ast.parse(path.read_text()).body:
        if is_end(ast.unparse(statement)):
            break
        if isinstance(statement, ast.ImportFrom):
            found.append(statement.module or ".")
        elif isinstance(statement, ast.Import):
            found += [alias.name for alias in statement.names]
    else:
        found.append("nothing that opens them")
    return [name for name in found if name != "machine"]


def check(folder: Path, chip: Chip) -> list[str]:
    """What is wrong with a board; [] where nothing is."""
    try:
        report = run_board(folder, chip)
    except RuntimeError as error:
        return [f"the board does not run: {error}"]
    roles: dict[int, list[str]] = {}
    for pin, role in report["uses"]:
        roles.setdefault(pin, []).append(role)
    errors = [f"GPIO{pin} {e}" for pin in sorted(roles) for e in _pin_errors(chip, pin, roles[pin])]
    errors += _unit_errors(chip, report["uses"], report["timers"])
    if early := early_imports(folder):
        errors.append(f"the relays are opened after importing {early[0]}: open them first, at the top level")
    for i, (moved, levels, opened) in enumerate(report["relays"]):
        if len(moved) != 1:
            errors.append(f"relay {i + 1} moves {len(moved)} pins instead of one")
            continue
        pin = moved[0]
        if not opened or pin not in [p for p, _ in report["safe"]]:
            errors.append(f"outputs_safe() does not open relay {i + 1} on GPIO{pin}")
        errors += _relay_errors(chip, f"relay {i + 1}", pin, levels[0])
    moved_pins = [moved[0] for moved, _, _ in report["relays"] if len(moved) == 1]
    errors += [f"GPIO{pin} is the pin of two relays" for pin in set(moved_pins) if moved_pins.count(pin) > 1]
    errors += [
        f"a thermometer's broken wire reads as {celsius} degrees where the ADC ends at {end_mv} mV"
        for end_mv, celsius in report["broken"]
        if celsius is not None
    ]
    return errors


def pins_of(folder: Path, chip: Chip) -> list[int]:
    """The pins a board uses."""
    return sorted({pin for pin, _ in run_board(folder, chip)["uses"]})


def boards(names: list[str] | None = None) -> list[tuple[Path, Chip]]:
    """(folder, chip) of the boards with a chip: all, or those named. Raises ValueError for an unknown one."""
    found = []
    for folder in [BOARDS / name for name in names] if names else sorted(BOARDS.iterdir()):
        for name in ("board.py", "relays.py") if names else ():
            if not (folder / name).exists():
                raise ValueError(f"there is no {folder / name}")
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
        raise SystemExit(f"pins: {error}") from None
    for folder, chip in todo:
        errors = check(folder, chip)
        print(f"{folder.name}: {'ok' if not errors else ''}")
        for error in errors:
            print(f"  {error}")
        failed = failed or bool(errors)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
