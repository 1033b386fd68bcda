"""Packages of firmware for the cloud's set-up page: python -m tools.image.packages FOLDER [BOARD...]

One zip for each board, with the files of the board's file system and ratelock.json, which has their
requirements (cloud_stub/piles/board_packages.py). Put them into the folder `boards` of the cloud's data
folder.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import sys
import zipfile
from pathlib import Path

from tools import ROOT
from tools.image import BuildError, cache, files, release, slot

OLDEST_MICROPYTHON = (1, 26, 0)
FOLDER = "boards"  # in the cloud's data folder
BUILT = ROOT / "build" / "boards"
ABOUT = "ratelock.json"
_WRITTEN_AT = (1980, 1, 1, 0, 0, 0)  # zip has no earlier time; the same files give the same bytes


def about(board: Path) -> dict[str, object]:
    """The content of ratelock.json for a board's package. Raises BuildError."""
    described = json.loads((board / "board.json").read_text())
    return {
        "board": board.name,
        "product": described["product"],
        "chip": described["mcu"],
        "image": described["micropython_board"],
        "firmware": files.version(),
        "micropython": list(OLDEST_MICROPYTHON),
        "mpy": list(files.emitted_version()),
    }


def package(board: Path, number: int) -> bytes:
    """The zip of a board's pile, whose release has that number. Raises BuildError."""
    pile = slot.pile(board, files.build(board), number)
    content = {**pile, ABOUT: json.dumps(about(board), indent=1).encode()}
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name in sorted(content):
            entry = zipfile.ZipInfo(name, _WRITTEN_AT)
            archive.writestr(entry, content[name], zipfile.ZIP_DEFLATED)
    return made.getvalue()


def real_boards() -> list[Path]:
    """The folders of the boards with a chip: all but the simulated one."""
    found = [path.parent for path in sorted(files.BOARDS.glob("*/board.json"))]
    return [board for board in found if json.loads((board / "board.json").read_text())["micropython_board"]]


def mark(board: Path, number: int) -> str:
    """A digest of all inputs of a board's package. Raises BuildError."""
    key = files.BOARDS / slot.RELEASE_KEY
    made_from = (
        cache.digest(board),
        json.dumps(about(board)),
        str(number),
        key.read_text() if key.exists() else "",
    )
    return hashlib.sha256("\n".join(made_from).encode()).hexdigest()[:16]


def built(board: Path, number: int) -> Path:
    """A board's package in build/, built once for each state of its sources. Raises BuildError, OSError."""
    found = BUILT / f"{board.name}-{mark(board, number)}.zip"
    if not found.exists():
        BUILT.mkdir(parents=True, exist_ok=True)
        _put(found, package(board, number))
    return found


def _put(path: Path, content: bytes) -> None:
    """Replaces a file by a rename, because other processes may read or write it at the same time."""
    new = path.with_name(f"{path.name}.{os.getpid()}")
    new.write_bytes(content)
    new.replace(path)


def write(board: Path, folder: Path, number: int) -> Path:
    """A board's package in a folder. Raises BuildError, OSError."""
    content = built(board, number).read_bytes()
    path = folder / f"{board.name}.zip"
    if not path.exists() or path.read_bytes() != content:
        folder.mkdir(parents=True, exist_ok=True)
        _put(path, content)
    return path


def write_all(data: Path) -> None:
    """The packages of all real boards, into a cloud's data folder. Raises BuildError, OSError."""
    number = release.of_tree()
    for board in real_boards():
        write(board, data / FOLDER, number)


def main() -> int:
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        print(__doc__)
        return 2
    try:
        boards = [files.board_folder(name) for name in sys.argv[2:]] or real_boards()
        number = release.of_tree()
        for board in boards:
            print(write(board, Path(sys.argv[1]), number))
    except (BuildError, OSError) as error:
        print(f"packages: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
