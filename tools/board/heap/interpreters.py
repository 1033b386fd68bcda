"""The MicroPython that is measured, and the firmware in the two forms that a chip can have it in."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from tools import ROOT
from tools.board import romfs
from tools.harness import micropython32
from tools.harness.sim_pile import interpreter
from tools.image import files as image
from tools.image import slot

BOARD = "esp32-devkitc"
RIG = ROOT / "tests" / "heap" / "rig"
RIG_LINK = "rig"  # beside the forms
FACTOR_64 = (
    2  # pointers of 8 bytes and blocks of 32: what the 64-bit interpreter takes of a 32-bit one's heap
)


@dataclass(frozen=True)
class Interpreter:
    argv: list[str]
    bits: int
    why_not_32: str | None = None

    def on_32_bits(self, heap_bytes: int) -> int:
        """What a heap of this interpreter would be on 32 bits: bytecode and texts have one size on both."""
        return heap_bytes if self.bits == 32 else heap_bytes * 2 // 3

    def command(self, heap_bytes: int, form: Path, *words: str) -> list[str]:
        return [*self.argv, "-X", f"heapsize={heap_bytes}", str(RIG / "run.py"), str(form), str(RIG), *words]


def choose() -> Interpreter:
    """The 32-bit interpreter, or else the 64-bit one with the reason."""
    try:
        return Interpreter(micropython32.command(), 32)
    except micropython32.Unavailable as why:
        return Interpreter(interpreter(), 64, str(why))


def pinned() -> Interpreter:
    """The 64-bit interpreter of requirements.txt, the same on every machine, whatever MICROPYTHON names."""
    beside = Path(sys.executable).with_name("micropython")
    return Interpreter([str(beside)] if beside.exists() else interpreter(), 64)


def build_forms(folder: Path) -> dict[str, Path]:
    """{"mpy": a file system as deployed, "romfs": an image, "apart": a file for each module}."""
    board = image.board_folder(BOARD)
    files = image.build(board)
    forms = {"romfs": folder / "pile.romfs", "mpy": folder / "mpy"}
    forms["apart"] = folder / "apart"
    image.write(slot.pile(board, files), forms["mpy"])
    image.write(image.build_apart(board) | image.build_root(board), forms["apart"])
    (folder / RIG_LINK).symlink_to(RIG)
    forms["romfs"].write_bytes(romfs.pack(files | image.build_root(board)))
    return forms
