"""ROMFS and esptool: the other ways onto a board."""

from __future__ import annotations

import json
import subprocess
import zipfile
from pathlib import Path

import pytest

from tools.board import flash, romfs
from tools.harness.sim_pile import interpreter
from tools.image import files as image
from tools.image import packages, release, slot


def test_a_romfs_image_is_mounted_and_the_pile_runs_from_it(tmp_path, sim) -> None:
    (tmp_path / "pile.romfs").write_bytes(romfs.pack(image.build(sim) | image.build_root(sim)))
    code = (
        "import sys, vfs\n"
        "vfs.mount(vfs.VfsRom(open('pile.romfs', 'rb').read()), '/rom')\n"
        "sys.path[:] = ['/rom', '.frozen']\n"
        "for name in ('boot', 'main'):\n"
        "    exec(open('/rom/' + name + '.py').read())\n"
        "print(sys.modules['ratelock'].__file__)\n"
    )
    done = subprocess.run(
        [*interpreter(), "-c", code],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "provision this pile" in done.stdout, done.stdout + done.stderr
    assert "/rom/ratelock.mpy" in done.stdout


def esp_image(chip_id: int) -> bytes:
    return bytes([0xE9, 3, 2, 0x20]) + bytes(8) + chip_id.to_bytes(2, "little") + bytes(50)


@pytest.mark.parametrize(
    ("chip_id", "chip", "address"), [(0, "esp32", "0x1000"), (9, "esp32s3", "0x0"), (5, "esp32c3", "0x0")]
)
def test_an_image_says_where_it_belongs(tmp_path, chip_id: int, chip: str, address: str) -> None:
    path = tmp_path / "micro python.bin"
    path.write_bytes(esp_image(chip_id))
    (command,) = flash.commands(path, "/dev/ttyUSB0", erase=False)
    assert command[3:5] == ["--chip", chip]
    assert command[-3:] == ["write-flash", address, str(path)]
    erase, _ = flash.commands(path, "/dev/ttyUSB0", erase=True)
    assert erase[-1] == "erase-flash"


APP_ONLY = esp_image(0)[:32] + bytes.fromhex("3254cdab") + bytes(28)


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", esp_image(13), APP_ONLY])
def test_what_is_no_image_for_a_board_of_ours_is_not_written(tmp_path, content: bytes) -> None:
    path = tmp_path / "image.bin"
    path.write_bytes(content)
    with pytest.raises(flash.FlashError):
        flash.commands(path, "/dev/ttyUSB0", erase=False)


@pytest.mark.parametrize(
    ("image_name", "port", "says"), [("none.bin", "/dev/x", "no file"), ("micropython.bin", "", "PORT")]
)
def test_what_was_not_given_is_named(tmp_path, image_name: str, port: str, says: str) -> None:
    (tmp_path / "micropython.bin").write_bytes(esp_image(0))
    with pytest.raises(flash.FlashError, match=says):
        flash.commands(tmp_path / image_name, port, erase=False)


def test_the_simulated_board_is_no_board_to_set_up():
    names = [board.name for board in packages.real_boards()]
    assert "sim" not in names
    assert "esp32-devkitc" in names


def test_a_package_has_the_release_of_its_tree(tmp_path, monkeypatch) -> None:
    """It is written again where only the number is another, so that a pile never tells an older one."""
    monkeypatch.setattr(packages, "real_boards", lambda: [image.board_folder("sim")])
    for number in (12, 13):
        monkeypatch.setattr(release, "of_tree", lambda number=number: number)
        packages.write_all(tmp_path)
        with zipfile.ZipFile(tmp_path / "boards" / "sim.zip") as package:
            assert json.loads(package.read("a/manifest.json"))["release"] == number
            assert package.read(slot.STATE) == slot.state("a", number)


def test_an_image_is_found_where_browsers_save_it(tmp_path, monkeypatch) -> None:
    (tmp_path / "Downloads").mkdir()
    name = "ESP32_GENERIC-20250911-v1.26.1.bin"
    (tmp_path / "Downloads" / name).write_bytes(esp_image(0))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert str(tmp_path / "Downloads" / name) in flash.commands(Path(name), "/dev/x", erase=False)[0]
    with pytest.raises(flash.FlashError, match=r"there is no file other\.bin"):
        flash.commands(Path("other.bin"), "/dev/x", erase=False)


def test_no_image_is_said() -> None:
    with pytest.raises(flash.FlashError, match="no IMAGE is given"):
        flash.commands(Path(""), "/dev/x", erase=False)
