"""The firmware on every board's own pins, over a fake chip: it fits, and every way out opens the relays."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.boards.kit import printed_by
from tools import ROOT
from tools.board.pins import BOARDS, FAKES, Chip, boards

ALL = boards()
CONFIG = '{"device_id": "PILE-1", "key": "%s", "broker": {"host": "127.0.0.1", "port": 1}}' % ("5a" * 32)

FITS = """
import lab, machine, app, assembly, board, config, shell
from lamp import Lamp
if not {counters}:
    del machine.Counter
for name in ("ESTOP", "RESIDUAL"):  # what is normally closed
    if hasattr(board, name):
        machine.Pin(getattr(board, name), machine.Pin.IN)
        lab.drive(getattr(board, name), 0)
equipment = board.equipment()
controller = assembly.build_controller(config.load(), equipment, board.store(), "test")
cycles = shell.Shell(controller, equipment, board.watchdog())
lamp = Lamp(board.indicator())
cycles.on_cycle = lambda: lamp.step(controller.connectors)
for _ in range(600):
    lab.advance(100)
    cycles.cycle()
for connector in controller.connectors:
    assert not connector.commanded and connector.fault is None, connector.fault
    assert connector.readings.temperature_c.value == 25, connector.readings.temperature_c.value
board.set_utc(1795413797)
assert lab.rtc[0] == 2026, lab.rtc
print("fits", len(controller.connectors))
"""

# `run` in place of the pile's at work.
START = """
class Loop:  # asyncio has a clock of its own, which nobody moves here
    def run(self, work):
        work.send(None)

app.Pile.run = run
app.asyncio = Loop()
try:
    app.main()
except BaseException as error:
    print("ended by", repr(error))
"""

# The relay is closed, then the program ends in some way.
WAY_OUT = (
    """
import lab, app, board
made = []
equipment = board.equipment
board.equipment = lambda: made.append(equipment()) or made[0]

async def run(pile):
    lab.advance(2000)
    made[0][0].relay.set(True)
    assert lab.pins[26].value() == 1
    raise {error}

"""
    + START
    + """assert lab.pins[26].value() == 0
feeds = lab.watchdog.feeds
light = []
for _ in range(200):
    lab.advance(50)
    light.append(lab.pins[23].value())
flashes = sum([now > was for was, now in zip(light, light[1:])])
print("fed", lab.watchdog.feeds > feeds, "flashing", flashes > 3)
"""
)
LEFT_ALONE = """
lab.advance(600_000)
feeds = lab.watchdog.feeds
lab.advance(8_000)  # so long the watchdog waits
print("reset", lab.watchdog.feeds == feeds)
"""

# The connector's temperature, fault and relay where the sensor cannot be read.
BLIND = (
    FITS.partition("for _ in range(600)")[0]
    + """
{setting}
equipment = board.equipment()
for one in equipment:  # the sensor's wire is broken: its pin is pulled up as far as the ADC can tell
    pins = [pin for pin, role in lab.uses if role == "analogue"]
    for pin in pins:
        lab.microvolts[pin] = {millivolts} * 1000
controller = assembly.build_controller(config.load(), equipment, board.store(), "test")
cycles = shell.Shell(controller, equipment, board.watchdog())
for _ in range(300):
    lab.advance(100)
    cycles.cycle()
for connector in controller.connectors:
    print(connector.readings.temperature_c.state, connector.fault, connector.commanded)
"""
)

# An outbox so full that to read it takes longer than the watchdog waits.
SLOW_BOOT = (
    """
import lab, app, board
store = board.store
def slow():
    made = store()
    names = made.names
    def read_for_long():
        lab.advance(10_000)
        print("watched while it reads:", lab.watchdog is not None)
        {failure}
        return names()
    made.names = read_for_long
    return made
board.store = slow

async def run(pile):
    raise KeyError(pile.controller.device_id)

"""
    + START
    + """print("watched:", lab.watchdog is not None, "fed:", lab.watchdog.feeds)
"""
)


def run(board: Path, script: str, folder: Path) -> str:
    (folder / "config.json").write_text(CONFIG)
    path = [board, FAKES / "hand_clock", FAKES / "fakes", ROOT / "firmware"]
    return printed_by(script, path, folder)


@pytest.mark.parametrize(("board", "chip"), ALL, ids=[board.name for board, _ in ALL])
def test_the_parts_fit(board: Path, chip: Chip, tmp_path: Path) -> None:
    said = run(board, FITS.format(counters=chip.counters), tmp_path)
    assert "fits 4" in said if board.name == "esp32-relay-x4" else "fits 1" in said


INVALID = 1  # readings.INVALID


@pytest.mark.parametrize(("board", "chip"), ALL, ids=[board.name for board, _ in ALL])
def test_a_broken_sensor_is_a_fault_of_its_own_on_every_chip(board: Path, chip: Chip, tmp_path: Path) -> None:
    """Not a cold day, whatever the chip's ADC ends at; 3,300: a sensor built without its 39 kohm."""
    for end_mv in chip.adc_end_mv:
        for millivolts in (2_383, 3_300):
            script = BLIND.format(
                counters=chip.counters, setting=f"lab.adc_end_mv = {end_mv}", millivolts=millivolts
            )
            said = run(board, script, tmp_path).splitlines()
            assert set(said) == {f"{INVALID} SensorFailure False"}, (end_mv, millivolts, said)
            (tmp_path / "flash" / "faults").unlink(missing_ok=True)


@pytest.mark.parametrize(("board", "chip"), ALL, ids=[board.name for board, _ in ALL])
def test_a_chip_without_adc_calibration_starts_and_says_why_it_takes_no_order(
    board: Path, chip: Chip, tmp_path: Path
) -> None:
    script = BLIND.format(counters=chip.counters, setting="lab.adc_calibrated = False", millivolts=0)
    said = run(board, script, tmp_path).splitlines()
    assert "without ADC calibration" in said[0], said
    assert said[-1] == f"{INVALID} SensorFailure False"


@pytest.mark.parametrize(
    "error", ["ValueError('a bug')", "MemoryError()", "OSError(5)", "SystemExit()", "KeyError(1)"]
)
def test_an_error_opens_the_relay_and_leaves_the_reset_to_the_watchdog(error: str, tmp_path: Path) -> None:
    said = run(BOARDS / "esp32-devkitc", WAY_OUT.format(error=error), tmp_path)
    assert f"ended by {error.partition('(')[0]}" in said
    assert "fed False flashing True" in said


def test_the_console_opens_the_relay_and_is_not_reset(tmp_path: Path) -> None:
    said = run(BOARDS / "esp32-devkitc", WAY_OUT.format(error="KeyboardInterrupt()") + LEFT_ALONE, tmp_path)
    assert "stopped from the console; the relays are open" in said
    assert "ended by" not in said
    assert "fed True flashing True" in said
    assert "reset True" in said  # a stray Ctrl-C takes it out of service for ten minutes, not for ever


@pytest.mark.parametrize(
    ("failure", "error"), [("pass", "KeyError('PILE-1',)"), ("raise MemoryError", "MemoryError()")]
)
def test_the_watchdog_waits_until_the_flash_is_read_and_no_longer(
    failure: str, error: str, tmp_path: Path
) -> None:
    """Begun before, it would reset a pile with a full outbox again and again: that one would never boot."""
    said = run(BOARDS / "esp32-devkitc", SLOW_BOOT.format(failure=failure), tmp_path)
    lines = [line for line in said.splitlines() if not line.startswith("pile PILE-1")]
    assert lines[:2] == ["watched while it reads: False", f"ended by {error}"]
    assert lines[-1] == "watched: True fed: 0"
