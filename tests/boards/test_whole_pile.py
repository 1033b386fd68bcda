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
    if board.NAME != "esp32-devkitc-bare":
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

# A chip on its USB cable takes an order; {meanwhile} happens while it charges.
UNWIRED = """
import lab, assembly, board, config, shell
from pile.clock import CLOUD
from pile_protocol import messages, seal, topics

AT = 1_800_000_000
KEY = bytes.fromhex("5a" * 32)
equipment = board.equipment()
controller = assembly.build_controller(config.load(), equipment, board.store(), "test")
cycles = shell.Shell(controller, equipment, board.watchdog())
connector = controller.connectors[0]

def wait(cycles_of_100_ms):
    for _ in range(cycles_of_100_ms):
        lab.advance(100)
        cycles.cycle()

controller.clock.tell(AT, CLOUD)
wait(30)
controller.receive(topics.ORDER, seal.seal(messages.encode({{
    "kind": "order", "device_id": "PILE-1", "connector": 1, "order_id": "o1",
    "issued_at": AT, "expires_at": AT + 60, "limits": {{"duration_s": 60, "energy_mwh": 2_000}},
    "rate": {{"rate_id": "r1", "currency": "CNY", "minor_digits": 2, "session_fee_minor": 0,
             "steps": [[AT - 60, 500_000_000, 0, "flat"]], "until_at": AT + 3_600}},
}}), KEY))
wait(30)
print("fault", connector.fault, "closed", lab.pins[26].value())
{meanwhile}
sealed = controller.outbox.head()
bill = messages.parse_json(sealed[1]) if sealed else {{}}
print("settled", bill.get("stop_reason"), bill.get("total_minor"), lab.pins[26].value())
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


@pytest.mark.parametrize(
    ("name", "meanwhile", "says"),
    [
        ("esp32-devkitc", "", ["fault GroundFailure closed 0", "settled None None 0"]),
        ("esp32-devkitc-bare", "wait(700)", ["fault None closed 1", "settled TimeLimitReached 0 0"]),
        (
            "esp32-devkitc-bare",
            "for _ in range(2):\n    lab.pulse(32)\n    wait(20)\nwait(20)",
            ["fault None closed 1", "settled EnergyLimitReached 100 0"],
        ),
        (
            "esp32-devkitc-bare",
            "lab.drive(22, 0)\nwait(20)",
            ["fault None closed 1", "settled Local 0 0"],
        ),
    ],
)
def test_a_chip_on_its_cable_charges_only_on_the_bare_board(
    name: str, meanwhile: str, says: list[str], tmp_path: Path
) -> None:
    """Nothing is wired: what must be normally closed counts as tripped, except on the board without it. What
    no meter has counted is not billed, whatever hangs on the relay.
    """
    said = run(BOARDS / name, UNWIRED.format(meanwhile=meanwhile), tmp_path)
    assert said.splitlines()[-2:] == says, said


INVALID = 1  # readings.INVALID

MEASURING = [(board, chip) for board, chip in ALL if board.name != "esp32-devkitc-bare"]


@pytest.mark.parametrize(("board", "chip"), MEASURING, ids=[board.name for board, _ in MEASURING])
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


@pytest.mark.parametrize(("board", "chip"), MEASURING, ids=[board.name for board, _ in MEASURING])
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
