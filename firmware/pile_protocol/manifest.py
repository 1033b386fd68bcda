"""The manifest of a release for one board: which files it has. The text, byte for byte, is what is signed.

{"release": 12, "version": "0.2.0", "board": "esp32-devkitc", "mpy": [6, 3],
 "files": [["app.mpy", 1234, "<sha256>"], ...]}      name in the slot, bytes, hex digits

In this order, without blanks. release: grows with each release. mpy: version and sub-version of the compiled
files, which the pile's MicroPython must have. A signature is 128 hex digits (firmware/update/p256.py).
"""

import io
import json

from . import messages
from .errors import MessageError

TEXT_MAX_BYTES = 8_000  # 64 rows of usual names; a pile reads row by row
FILES_MAX = 64
FILES_MAX_BYTES = 400_000  # together: two slots, the journal and a tenth of a chip's 2 MB stay free
RELEASE_MAX = 2_147_483_647

HEAD = "{ release n1..2147483647 version t1..16p board t1..32w mpy ( version n1..99 sub n0..99 ) }"
ROW = "( name t1..48p bytes n0..400000 sha256 M )"  # M: 64 hex digits
_FIRST = '{"release":'  # update/slots.py reads no further
_FILES = ',"files":['
_PART_CHARS = 256  # the head is shorter
_NAME_CHARS = "abcdefghijklmnopqrstuvwxyz0123456789_"


class Manifest:
    """files: lists [name, bytes, sha256 in hex]."""

    def __init__(self, text):
        rows = read(io.StringIO(text))
        head = next(rows)
        self.release = head["release"]
        self.version = head["version"]
        self.board = head["board"]
        self.mpy = tuple(head["mpy"])
        self.files = list(rows)
        self.total_bytes = sum([file[1] for file in self.files])


def parse(text):
    """The Manifest of a text (str). Raises MessageError. The signature is not checked here."""
    if len(text) > TEXT_MAX_BYTES:
        raise MessageError("message", "is larger than %d bytes" % TEXT_MAX_BYTES)
    manifest = Manifest(text)
    if len({file[0] for file in manifest.files}) < len(manifest.files):
        raise MessageError("files", "name one file twice")
    return manifest


def read(file):
    """A generator over the manifest in a text file: yields its members but `files`, then each row of that.
    A pile's heap has no room for all rows at once. Raises MessageError, also at the end.
    """
    head, _, text = file.read(_PART_CHARS).partition(_FILES)
    if not head.startswith(_FIRST):
        raise MessageError("release", "must be the first member")
    yield _checked(HEAD, head + "}")
    rows = total_bytes = 0
    while True:
        row, end, rest = text.partition("]")
        if not end:
            more = file.read(_PART_CHARS)
            if not more:
                raise MessageError("files", "are not complete")
            text += more
            continue
        text = rest
        if not row:
            break
        if not row.startswith(",[" if rows else "["):
            raise MessageError("files", "must be rows with a comma in between")
        row = _checked(ROW, row.lstrip(",") + "]")
        rows += 1
        total_bytes += row[1]
        if not is_name(row[0]):
            raise MessageError("files", "%s is no name of a module's file" % row[0])
        if total_bytes > FILES_MAX_BYTES or rows > FILES_MAX:
            raise MessageError(
                "files", "are more than %d, or have more than %d bytes" % (FILES_MAX, FILES_MAX_BYTES)
            )
        yield row
    if text + file.read(_PART_CHARS) != "}" or not rows:
        raise MessageError("files", "must be the last member, and have one row at least")


def _checked(table, text):
    """The JSON value in `text`. Raises MessageError."""
    try:
        value = json.loads(text)
    except (ValueError, RuntimeError):  # the second one for deep nesting
        raise MessageError("manifest", "is not JSON as a release has it")
    messages.validate(table, value)
    return value


def is_name(name):
    """Whether it is the path of a module in a slot: folders of a package, and a file .mpy or .py."""
    path, _, kind = name.rpartition(".")
    if kind not in ("mpy", "py"):
        return False
    for part in path.split("/"):
        if not part or part.strip(_NAME_CHARS):
            return False
    return True
