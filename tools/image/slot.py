"""A slot as on a pile: its files, its manifest, and the state file beside the slots.

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
UNRELEASED = 0  # the release number of files that belong to no release


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


def pile(board: Path, content: dict[str, bytes], release: int = UNRELEASED) -> dict[str, bytes]:
    """The file system of a deployed pile, {path: content}: the root's files, and `content` in slot a.

    It includes boards/release.pub, the public key of releases, if that file exists. Raises BuildError.
    """
    key = files.BOARDS / RELEASE_KEY
    return {
        **files.build_root(board),
        **({RELEASE_KEY: key.read_bytes()} if key.exists() else {}),
        **{f"{SLOTS[0]}/{name}": data for name, data in content.items()},
        f"{SLOTS[0]}/{MANIFEST}": manifest(board, content, release).encode(),
        STATE: state(SLOTS[0], release),
    }
