"""Calibrates the pulses of an HLW8012 or BL0937 with a reference meter, and stores the result on the pile.

python -m tools.board.calibrate count --port PORT --relay PIN --cf PIN --cf1 PIN --sel PIN > counts.json
python -m tools.board.calibrate solve counts.json --power-w W --current-a A --voltage-v V [--connector N]
    [--port PORT]
"""

from __future__ import annotations

import argparse
import json
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

from cloud_stub.base.os_errors import in_words
from tools.board.deploy import DeployError
from tools.board.deploy.line import SILENT_S, Line
from tools.harness.processes import exit_on_signals

FILE = "calibration.json"
PULSES_MIN = 200  # with fewer, one pulse is more than half a percent
DENOMINATOR_MAX = 1_000_000
SETTLE_MS = 2_000
SECONDS_MAX = 480  # ten minutes after it was interrupted, a pile restarts by itself

# Runs on the pile, in the raw REPL. CF counts all the time; CF1 gives the current first, then the voltage.
# It imports nothing of the firmware, whose modules a deployed pile has joined into one under other names;
# counter() is that of drivers/esp32/counters.py.
_SCRIPT = """
import json, time
from machine import Counter, Pin

def counter(unit, pin):
    return Counter(unit, Pin(pin, Pin.IN, Pin.PULL_UP), edge=Counter.FALLING, filter_ns=12_700)

relay = Pin({relay}, Pin.OUT, value={open_level})
sel = Pin({sel}, Pin.OUT, value={current_level})
cf, cf1 = counter({units}[0], {cf}), counter({units}[1], {cf1})

def count(ms):
    began_ms, cf_was, cf1_was = time.ticks_ms(), cf.value(), cf1.value()
    while time.ticks_diff(time.ticks_ms(), began_ms) < ms:
        time.sleep_ms(10)
    return cf.value() - cf_was, cf1.value() - cf1_was, time.ticks_diff(time.ticks_ms(), began_ms)

try:
    relay.value({closed_level})
    count({settle_ms})
    power_a, current, current_ms = count({half_ms})
    sel.value(1 - {current_level})
    count({settle_ms})
    power_b, voltage, voltage_ms = count({half_ms})
finally:
    relay.value({open_level})
print(json.dumps({{"power": [power_a + power_b, current_ms + voltage_ms],
                   "current": [current, current_ms], "voltage": [voltage, voltage_ms]}}))
"""


class CalibrationError(Exception):
    """The text says what is wrong and what to do."""


def script(
    relay: int, cf: int, cf1: int, sel: int, *, seconds: int, closed_level: int = 1, current_level: int = 0
) -> str:
    """The program that counts on the pile. It opens the relay at its end, also after an error."""
    return _SCRIPT.format(
        relay=relay, cf=cf, cf1=cf1, sel=sel, units=(0, 1), closed_level=closed_level,
        open_level=1 - closed_level, current_level=current_level, settle_ms=SETTLE_MS, half_ms=seconds * 500,
    )  # fmt: skip


def milli(text: str) -> int:
    """Thousandths in a decimal number: "8.74" -> 8740. Raises CalibrationError where it is none above 0."""
    try:
        value = int(Decimal(text) * 1000)
    except (ArithmeticError, ValueError):
        raise CalibrationError(f"{text} is not a number") from None
    if value <= 0:
        raise CalibrationError(f"{text} must be more than 0")
    return value


def _pair(name: str, counted: list[int], milli_value: int, per: int) -> list[int]:
    """[pulses, amount] in the smallest whole numbers; the amount is milli_value x ms / per."""
    pulses, ms = counted
    if pulses < PULSES_MIN:
        raise CalibrationError(
            f"only {pulses} pulses of {name}: more load, or count longer ({PULSES_MIN} are needed)"
        )
    fraction = Fraction(milli_value * ms, per * pulses).limit_denominator(DENOMINATOR_MAX)
    if not fraction:
        raise CalibrationError(f"{name}: a pulse would mean next to nothing; check the reference values")
    return [fraction.denominator, fraction.numerator]


def solve(counts: dict[str, Any], power_mw: int, current_ma: int, voltage_mv: int) -> dict[str, list[int]]:
    """One connector's part of calibration.json, from what `count` printed. Raises CalibrationError."""
    apparent_mw = current_ma * voltage_mv // 1000
    if power_mw > apparent_mw * 105 // 100:
        raise CalibrationError("more watts than volts times amperes: check the reference values")
    try:
        return {
            "energy": _pair("CF", counts["power"], power_mw, 3_600_000),
            "current": _pair("CF1 (current)", counts["current"], current_ma, 1000),
            "voltage": _pair("CF1 (voltage)", counts["voltage"], voltage_mv, 1000),
        }
    except (KeyError, TypeError, ValueError) as error:
        raise CalibrationError(f"these are not the counts that `count` prints: {error!r}") from None


def count(port: str, program: str, seconds: int) -> str:
    """The output of the program. After Ctrl-C here the program ends too and opens the relay."""
    with Line(port) as line:
        return line.exec(program, silent_s=seconds + 2 * SETTLE_MS // 1000 + SILENT_S).strip()


def store(port: str, connector: int, values: dict[str, list[int]]) -> None:
    """Adds one connector's calibration to those that the pile already has."""
    with Line(port) as line:
        try:
            present = json.loads(line.read(FILE) or b"{}")
            present[str(connector)] = values
        except (ValueError, TypeError):
            raise CalibrationError(f"the pile's {FILE} is damaged: remove it first") from None
        line.write(FILE, json.dumps(present).encode())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    counter = commands.add_parser("count", help="close the relay, count, open it, print the counts as JSON")
    counter.add_argument("--port", required=True)
    for pin in ("--relay", "--cf", "--cf1", "--sel"):
        counter.add_argument(pin, type=int, required=True)
    counter.add_argument("--seconds", type=int, default=60, help=f"at most {SECONDS_MAX}")
    counter.add_argument("--relay-closed-level", type=int, choices=(0, 1), default=1)
    counter.add_argument("--current-level", type=int, choices=(0, 1), default=0)
    solver = commands.add_parser(
        "solve", help="work out what a pulse means; with --port, store it on the pile"
    )
    solver.add_argument("counts", type=Path)
    for value in ("--power-w", "--current-a", "--voltage-v"):
        solver.add_argument(value, required=True)
    solver.add_argument("--connector", type=int, default=1)
    solver.add_argument("--port")
    return parser


def main() -> None:
    options = _parser().parse_args()
    exit_on_signals()
    try:
        if options.command == "count":
            if not 0 < options.seconds <= SECONDS_MAX:
                raise CalibrationError(f"--seconds must be from 1 to {SECONDS_MAX}")
            program = script(
                options.relay, options.cf, options.cf1, options.sel, seconds=options.seconds,
                closed_level=options.relay_closed_level, current_level=options.current_level,
            )  # fmt: skip
            print(count(options.port, program, options.seconds))
            return
        counts = json.loads(options.counts.read_text())
        values = solve(counts, milli(options.power_w), milli(options.current_a), milli(options.voltage_v))
        print(json.dumps({str(options.connector): values}))
        if options.port:
            store(options.port, options.connector, values)
    except (CalibrationError, DeployError, OSError, ValueError) as error:
        raise SystemExit(f"calibrate: {in_words(error)}") from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
