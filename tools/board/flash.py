"""Writes a downloaded MicroPython image onto a board: python -m tools.board.flash IMAGE PORT [--erase]

The image names its chip, and the chip determines the address. esptool writes it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from cloud_stub.base.os_errors import in_words

MAGIC = 0xE9  # ESP-IDF, "Firmware Image Format": the first byte
CHIP_ID_AT = 12  # and two bytes that name the chip
APP_AT = 32  # "Application Description", of which an app has one here, and a bootloader none: how it begins
APP_MAGIC = bytes.fromhex("3254cdab")
# Chip id: esptool's name of it, and where its ROM looks for the bootloader.
CHIPS = {0: ("esp32", 0x1000), 5: ("esp32c3", 0x0), 9: ("esp32s3", 0x0)}
BAUD = 460_800


class FlashError(Exception):
    """The image cannot be used; the text says why."""


def chip_of(image: bytes) -> tuple[str, int]:
    """(chip, address) of an image. Raises FlashError."""
    if len(image) < CHIP_ID_AT + 2 or image[0] != MAGIC:
        raise FlashError(
            "this is no ESP32 image: take the .bin file of the board's MicroPython download page"
        )
    if image[APP_AT:].startswith(APP_MAGIC):
        raise FlashError(
            "this is an update without a bootloader (.app-bin), and a board would not start from it: take the"
            " .bin file of the same page"
        )
    chip_id = int.from_bytes(image[CHIP_ID_AT : CHIP_ID_AT + 2], "little")
    if chip_id not in CHIPS:
        raise FlashError(f"this image is for a chip that no board here has (chip id {chip_id})")
    return CHIPS[chip_id]


def find(image: Path) -> Path:
    """The image as it was given, or as it lies among the downloads. Raises FlashError."""
    for path in (image, Path.home() / "Downloads" / image):
        if path.is_file():
            return path
    if image == Path():
        raise FlashError("no IMAGE is given, such as ESP32_GENERIC-20250911-v1.26.1.bin")
    raise FlashError(f"there is no file {image}, neither here nor in {Path.home() / 'Downloads'}")


def commands(image: Path, port: str, erase: bool) -> list[list[str]]:
    """What esptool is to do. Raises FlashError, OSError."""
    image = find(image)
    if not port:
        raise FlashError("no PORT is given, such as /dev/ttyUSB0")
    chip, address = chip_of(image.read_bytes()[:64])
    esptool = [sys.executable, "-m", "esptool", "--chip", chip, "--port", port]
    todo = [[*esptool, "erase-flash"]] if erase else []
    return [*todo, [*esptool, "--baud", str(BAUD), "write-flash", hex(address), str(image)]]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("image", type=Path)
    parser.add_argument("port")
    parser.add_argument("--erase", action="store_true", help="everything on the board, its journal too")
    options = parser.parse_args()
    try:
        for command in commands(options.image, options.port, options.erase):
            done = subprocess.run(command)
            if done.returncode:
                return done.returncode
    except (FlashError, OSError) as error:
        print(f"flash: {in_words(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nflash: interrupted; the board starts again once it is written whole", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
