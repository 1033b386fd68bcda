"""Every board's pins, its documents, and a pin check that finds what is wrong."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.boards.kit import printed_by
from tools import ROOT
from tools.board.pins import BOARDS, CHIPS, FAKES, boards, check, pins_of

ALL = boards()
DEVKIT = BOARDS / "esp32-devkitc"
RELAY_X4 = BOARDS / "esp32-relay-x4"
C3 = BOARDS / "esp32-c3-devkitm"


def changed(source: Path, folder: Path, *changes: tuple[str, str]) -> Path:
    """A board in `folder` like the one in `source`, each change made in the file that has its first text."""
    for name in ("relays.py", "board.py"):
        text = (source / name).read_text()
        for old, new in changes:
            text = text.replace(old, new, 1)
        (folder / name).write_text(text)
    before = "".join((source / name).read_text() for name in ("relays.py", "board.py"))
    assert all(old in before for old, _ in changes)
    return folder


@pytest.mark.parametrize(("folder", "chip"), ALL, ids=[folder.name for folder, _ in ALL])
def test_pins(folder: Path, chip) -> None:
    assert check(folder, chip) == []


@pytest.mark.parametrize(("folder", "chip"), ALL, ids=[folder.name for folder, _ in ALL])
def test_board_md_names_every_pin_and_no_other(folder: Path, chip) -> None:
    wired = {
        int(pin)
        for row in re.findall(r"^\|(.*)\|$", (folder / "board.md").read_text(), re.M)
        for pin in re.findall(r"GPIO(\d+)", row)
    }
    assert wired == set(pins_of(folder, chip))


@pytest.mark.parametrize("folder", sorted(p for p in BOARDS.iterdir() if p.is_dir()), ids=lambda p: p.name)
def test_every_board_is_complete(folder: Path) -> None:
    assert (folder / "board.py").exists()
    assert (folder / "board.md").exists()
    description = json.loads((folder / "board.json").read_text())
    assert {"deploy", "docs", "features", "images", "mcu", "product", "thumbnail", "url", "vendor"} <= set(
        description
    )
    assert description["mcu"] == "unix" or description["mcu"] in CHIPS
    assert f"`{folder.name}`" in (BOARDS / "README.md").read_text()


@pytest.mark.parametrize("folder", [folder for folder, _ in ALL], ids=lambda p: p.name)
def test_manifest_freezes_what_there_is(folder: Path) -> None:
    """Run as MicroPython's build runs it, as far as files go."""
    frozen: set[str] = set()

    def run(path: Path) -> None:
        def base(base_path: str) -> Path:
            return (path.parent / base_path).resolve()

        def module(name: str, base_path: str = ".") -> None:
            assert (base(base_path) / name).exists(), name
            frozen.add(name)

        def package(name: str, files: tuple[str, ...] | None = None, base_path: str = ".") -> None:
            source = base(base_path) / name
            found = files or [str(p.relative_to(source)) for p in source.rglob("*.py")]
            for file in found:
                assert (source / file).exists(), file
                frozen.add(f"{name}/{file}")

        def include(name: str) -> None:
            if not name.startswith("$(PORT_DIR)"):
                run(path.parent / name)

        exec(path.read_text(), {"module": module, "package": package, "include": include})

    run(folder / "manifest.py")
    firmware = ROOT / "firmware"
    expected = {
        str(path.relative_to(firmware))
        for path in firmware.rglob("*.py")
        if "sim" not in path.parts and path.name not in ("contracts.py", "wire.py", "fields.py")
    }
    assert frozen == expected | {"board.py", "relays.py"}


BROKEN = [
    ("(26,)", "(12,)", "GPIO12 is a strapping pin"),
    ("(26,)", "(6,)", "GPIO6 belongs to the flash"),
    ("(26,)", "(14,)", "GPIO14 of relay 1 moves by itself"),
    ("(26,)", "(24,)", "GPIO24 does not exist"),
    ("LED = 23", "LED = 35", "GPIO35 is an input only"),
    ("LED = 23", "LED = 1", "GPIO1 belongs to the console"),
    ("LED = 23", "LED = 26", "GPIO26 is used 2 times: output, output"),
    ("PLUG = 25", "PLUG = 33", "GPIO33 is used 2 times: input, input"),
    ("METER_PULSE = 32", "METER_PULSE = 27", "GPIO27 is used 2 times"),
    ("NTC = 34", "NTC = 14", "GPIO14 is not on ADC1"),
    ("PLUG = 25", "PLUG = 36", "GPIO36 has no pull resistor"),
    ("PLUG = 25", "PLUG = 12", "GPIO12 decides how the chip starts"),
    ("STOP_BUTTON = 22", "STOP_BUTTON = 0", "GPIO0 decides how the chip starts"),
    ("(26,)", "(13,)", "GPIO13 of relay 1 is a JTAG pin"),
    ("RELAY_CLOSED_LEVEL = 1", "RELAY_CLOSED_LEVEL = 0", None),
    ("counter(0,", "counter(8,", "there is no counter 8"),
    (
        "        Pin(pin, Pin.OUT, value=1 - RELAY_CLOSED_LEVEL)",
        "        pass",
        "outputs_safe() does not open relay 1",
    ),
    ("value=1 - RELAY_CLOSED_LEVEL", "value=RELAY_CLOSED_LEVEL", "outputs_safe() does not open relay 1"),
    (
        "from machine import Pin",
        "import drivers.equipment\nfrom machine import Pin",
        "after importing drivers",
    ),
    ("\n\noutputs_safe()\n", "\n", "after importing nothing that opens them"),
    ("from relays", "import drivers.equipment\nfrom relays", "after importing drivers"),
    ("NAME =", "NAME ==", "does not run"),
]


@pytest.mark.parametrize(("old", "new", "error"), BROKEN, ids=[f"{row[1][:40]}" for row in BROKEN])
def test_a_wrong_board_is_found(tmp_path: Path, old: str, new: str, error: str | None) -> None:
    errors = check(changed(DEVKIT, tmp_path, (old, new)), CHIPS["esp32"])
    assert any(error in found for found in errors) if error else errors == [], errors


@pytest.mark.parametrize(
    ("old", "new", "errors"),
    [
        # What this board had: MTCK, which the chip pulls up until the program has it.
        (
            "(10,)",
            "(6,)",
            ["is a JTAG pin until the program has it", "is pulled towards closed from reset"],
        ),
        ("(10,)", "(7,)", ["GPIO7 of relay 1 is a JTAG pin"]),
        ("STOP_BUTTON = 2", "STOP_BUTTON = 9", ["GPIO9 decides how the chip starts"]),
        ("NTC = 0", "NTC = 6", ["GPIO6 is not on ADC1"]),
    ],
)
def test_a_wrong_c3_is_found(tmp_path: Path, old: str, new: str, errors: list[str]) -> None:
    also = [("PLUG = 6", "PLUG = 10")] if new == "(6,)" else []
    found = check(changed(C3, tmp_path, (old, new), *also), CHIPS["esp32c3"])
    for error in errors:
        assert any(error in line for line in found), found


COLD = """

class Cold:
    def read(self):
        return -5


made = equipment


def equipment():
    one = made()[0]
    one.thermometer = Cold()
    return [one]
"""


def test_a_thermometer_that_takes_a_broken_wire_for_cold_is_found(tmp_path: Path) -> None:
    changed(C3, tmp_path)
    (tmp_path / "board.py").write_text((C3 / "board.py").read_text() + COLD)
    errors = check(tmp_path, CHIPS["esp32c3"])
    assert any("broken wire reads as -5 degrees where the ADC ends at 2498 mV" in e for e in errors), errors


@pytest.mark.parametrize("folder", [BOARDS / "sim", *[folder for folder, _ in ALL]], ids=lambda p: p.name)
def test_every_board_offers_what_the_contract_names(folder: Path) -> None:
    contract = (ROOT / "firmware" / "drivers" / "contracts.py").read_text()
    names = re.findall(r"^    (\w+)(?:\(\w*\))?  +\S", contract[contract.index("class Board:") :], re.M)
    assert {"NAME", "FEED", "utc", "set_calendar", "memory", "REST_MS"} <= set(names)
    path = [folder, FAKES / "hand_clock", FAKES / "fakes", ROOT / "firmware"]
    path = [folder, ROOT / "firmware"] if folder.name == "sim" else path
    script = f"import board\nprint([name for name in {names!r} if not hasattr(board, name)])"
    assert printed_by(script, path).strip() == "[]"


@pytest.mark.parametrize("folder", [folder for folder, _ in ALL], ids=lambda p: p.name)
def test_every_socket_has_a_stop_button(folder: Path) -> None:
    path = [folder, FAKES / "hand_clock", FAKES / "fakes", ROOT / "firmware"]
    script = "import board\nprint([one.stop_button is not None for one in board.equipment()])"
    assert "False" not in printed_by(script, path)


def test_the_sockets_of_relay_x4_share_a_feed() -> None:
    path = [BOARDS / "esp32-relay-x4", FAKES / "hand_clock", FAKES / "fakes", ROOT / "firmware"]
    said = printed_by(
        "import board\nprint(board.FEED, [one.limits['rated_ma'] for one in board.equipment()])", path
    )
    assert said.strip() == "{'limit_ma': 16000} [4000, 4000, 4000, 4000]"


def test_a_pulse_counter_on_a_chip_without_one(tmp_path: Path) -> None:
    errors = check(changed(DEVKIT, tmp_path), CHIPS["esp32c3"])
    assert errors and "does not run" in errors[0], errors


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("(32, 33, 25, 26)", "(32, 33, 25, 25)", "GPIO25 is the pin of two relays"),
        ("for pin in RELAYS:", "for pin in RELAYS[:3]:", "outputs_safe() does not open relay 4"),
        ("counter(unit,", "counter(0,", "counter 0 is used twice"),
    ],
)
def test_a_wrong_board_of_four_is_found(tmp_path: Path, old: str, new: str, error: str) -> None:
    errors = check(changed(RELAY_X4, tmp_path, (old, new)), CHIPS["esp32"])
    assert any(error in found for found in errors), errors
