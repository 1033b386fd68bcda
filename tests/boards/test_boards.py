"""Every board's pins, its documents, and a pin check that finds what is wrong."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tools import ROOT
from tools.board.pins import BOARDS, CHIPS, boards, check, pins_of

ALL = boards()
DEVKIT = (BOARDS / "esp32-devkitc" / "board.py").read_text()
RELAY_X4 = (BOARDS / "esp32-relay-x4" / "board.py").read_text()


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
        if "sim" not in path.parts and path.name != "contracts.py"
    }
    assert frozen == expected | {"board.py"}


BROKEN = [
    ("RELAY = 26", "RELAY = 12", "GPIO12 is a strapping pin"),
    ("RELAY = 26", "RELAY = 6", "GPIO6 belongs to the flash"),
    ("RELAY = 26", "RELAY = 14", "GPIO14 of relay 1 moves by itself"),
    ("RELAY = 26", "RELAY = 24", "GPIO24 does not exist"),
    ("LED = 23", "LED = 35", "GPIO35 is an input only"),
    ("LED = 23", "LED = 1", "GPIO1 belongs to the console"),
    ("LED = 23", "LED = 26", "GPIO26 is used 2 times: output, output"),
    ("PLUG = 25", "PLUG = 33", "GPIO33 is used 2 times: input, input"),
    ("METER_PULSE = 32", "METER_PULSE = 27", "GPIO27 is used 2 times"),
    ("NTC = 34", "NTC = 14", "GPIO14 is not on ADC1"),
    ("PLUG = 25", "PLUG = 36", "GPIO36 has no pull resistor"),
    ("counter(0,", "counter(8,", "there is no counter 8"),
    ("Pin(RELAY, Pin.OUT, value=1 - RELAY_CLOSED_LEVEL)", "pass", "outputs_safe() does not open relay 1"),
    ("value=1 - RELAY_CLOSED_LEVEL", "value=RELAY_CLOSED_LEVEL", "outputs_safe() does not open relay 1"),
    (
        "from machine import Pin",
        "from machine import Pin\nimport drivers.equipment",
        "comes after importing drivers",
    ),
    ("NAME =", "NAME ==", "does not run"),
]


@pytest.mark.parametrize(("old", "new", "error"), BROKEN, ids=[row[2] for row in BROKEN])
def test_a_wrong_board_is_found(tmp_path: Path, old: str, new: str, error: str) -> None:
    assert old in DEVKIT
    (tmp_path / "board.py").write_text(DEVKIT.replace(old, new, 1))
    errors = check(tmp_path, CHIPS["esp32"])
    assert any(error in found for found in errors), errors


def test_a_pulse_counter_on_a_chip_without_one(tmp_path: Path) -> None:
    (tmp_path / "board.py").write_text(DEVKIT)
    errors = check(tmp_path, CHIPS["esp32c3"])
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
    assert old in RELAY_X4
    (tmp_path / "board.py").write_text(RELAY_X4.replace(old, new, 1))
    errors = check(tmp_path, CHIPS["esp32"])
    assert any(error in found for found in errors), errors
