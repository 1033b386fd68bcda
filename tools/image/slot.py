"""A slot as it lies on a pile: its files, its manifest, and the state file beside the slots.

firmware/pile_protocol/manifest.py describes a manifest, firmware/update/slots.py the rest.
"""

from __future__ import annotations

import binascii
import hashlib
import json
from pathlib import Path

from tools.image import files

SLOTS = ("a", "b")
MANIFEST = "manifest.json"
SIGNATURE = "manifest.sig"
STATE = "slots.state"
RELEASE_KEY = "release.pub"
UNRELEASED = 0  # the release number of files that no release has


def manifest(board: Path, content: dict[str, bytes], release: int) -> str:
    """The manifest's text for the files of a slot. Raises BuildError."""
    listed = [
        [name, len(content[name]), hashlib.sha256(content[name]).hexdigest()] for name in sorted(content)
    ]
    values = {
        "release": release,
        "version": files.version(),
        "board": board.name,
        "mpy": list(files.emitted_version()),
        "files": listed,
    }
    return json.dumps(values, separators=(",", ":"))


def state(
    slot: str,
    confirmed: int,
    trial: int = 0,
    starts: int = 0,
    fell_back: tuple[int, str] | None = None,
) -> bytes:
    """The content of the state file."""
    text = json.dumps([slot, confirmed, trial, starts, fell_back], separators=(",", ":")).encode()
    return text + b"\n%08x" % binascii.crc32(text)


def read_state(data: bytes | None) -> list[object] | None:
    """The list in a state file; None where there is none, or a damaged one."""
    text, _, checksum = (data or b"").partition(b"\n")
    if checksum != b"%08x" % binascii.crc32(text):
        return None
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, list) and len(found) == 5 and found[0] in SLOTS else None


def write(folder: Path, board: Path, content: dict[str, bytes], release: int, name: str = SLOTS[0]) -> None:
    """Writes the root's files, one slot and its state into a folder that stands for a pile's file system."""
    files.write(files.build_root(board), folder)
    files.write(content, folder / name)
    (folder / name / MANIFEST).write_text(manifest(board, content, release))
    (folder / STATE).write_bytes(state(name, release))
