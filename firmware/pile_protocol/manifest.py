"""The manifest of a release for one board: which files it has. The text, byte for byte, is what is signed.

{"release": 12, "version": "0.2.0", "board": "esp32-devkitc", "mpy": [6, 3],
 "files": [["app.mpy", 1234, "<sha256>"], ...]}      name in the slot, bytes, hex digits

release: grows with each release. mpy: version and sub-version of the compiled files, which the pile's
MicroPython must have. A signature is 128 hex digits (firmware/update/p256.py).
"""

from . import messages
from .errors import MessageError

TEXT_MAX_BYTES = 3_000
FILES_MAX_BYTES = 400_000  # together: two slots, the journal and a tenth of a chip's 2 MB stay free
RELEASE_MAX = 2_147_483_647

# M: 64 hex digits.
TABLE = (
    "{ release n1..2147483647 version t1..16p board t1..32w mpy ( version n1..99 sub n0..99 )"
    " files [1..64 ( name t1..48p bytes n0..400000 sha256 M ) }"
)
_NAME_CHARS = "abcdefghijklmnopqrstuvwxyz0123456789_"


class Manifest:
    """files: lists [name, bytes, sha256 in hex]."""

    def __init__(self, values):
        self.release = values["release"]
        self.version = values["version"]
        self.board = values["board"]
        self.mpy = tuple(values["mpy"])
        self.files = values["files"]
        self.total_bytes = sum([file[1] for file in self.files])


def parse(text):
    """The Manifest of a text (str). Raises MessageError. The signature is not checked here."""
    return checked(messages.parse_json(text, TEXT_MAX_BYTES))


def checked(values):
    """The Manifest of what was read from JSON. Raises MessageError."""
    messages.validate(TABLE, values)
    manifest = Manifest(values)
    names = set()
    for name, _, _ in manifest.files:
        if not is_name(name):
            raise MessageError("files", "%s is no name of a module's file" % name)
        if name in names:
            raise MessageError("files", "%s is there twice" % name)
        names.add(name)
    if manifest.total_bytes > FILES_MAX_BYTES:
        raise MessageError("files", "have more than %d bytes together" % FILES_MAX_BYTES)
    return manifest


def is_name(name):
    """Whether it is the path of a module in a slot: folders of a package, and a file .mpy or .py."""
    path, _, kind = name.rpartition(".")
    if kind not in ("mpy", "py"):
        return False
    for part in path.split("/"):
        if not part or part.strip(_NAME_CHARS):
            return False
    return True
