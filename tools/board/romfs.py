"""A ROMFS image of a board's pile: python -m tools.board.romfs BOARD [--output FILE]

For a MicroPython built with ROMFS, which the stock ESP32 images are not. The code then runs from flash
instead of the heap, and is not updated over the air: it lies in no slot. `mpremote romfs deploy FILE` writes
it; boot.py, main.py and relays.py are in it too, and belong at the root of the board's file system.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mpremote.romfs import VfsRomWriter

from cloud_stub.base.os_errors import in_words
from tools import ROOT
from tools.image import BuildError
from tools.image import files as image


def pack(files: dict[str, bytes]) -> bytes:
    """The image of {path: content}."""
    writer = VfsRomWriter()

    def fill(prefix: str) -> None:
        names = {name[len(prefix) :].partition("/")[0] for name in files if name.startswith(prefix)}
        for name in sorted(names):
            if prefix + name in files:
                writer.mkfile(name, files[prefix + name])
            else:
                writer.opendir(name)
                fill(f"{prefix}{name}/")
                writer.closedir()

    fill("")
    return writer.finalise()


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("board", help="a folder of boards/, or a path")
    parser.add_argument("--output", type=Path, help="default: build/<board>.romfs")
    options = parser.parse_args()
    try:
        board = image.board_folder(options.board)
        output = options.output or ROOT / "build" / f"{board.name}.romfs"
        data = pack(image.build(board, (image.OPTIMISE,)) | image.build_root(board))
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_bytes(data)
    except (BuildError, OSError) as error:
        print(f"romfs: {in_words(error)}", file=sys.stderr)
        return 1
    print(f"{output}: {len(data)} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
