"""Reads a release archive: a zip file with <board>/manifest.json, <board>/manifest.sig and files/<sha256>.

Every other archive is refused with Problem (BadRelease), whose member `reason` is:

    NotAZip       it cannot be read as a zip file, or one of its entries is damaged or encrypted
    TooLarge      more bytes or entries than the bounds below
    BadEntry      an entry that has no place in an archive, or is there twice
    BadManifest   a manifest or a signature that is malformed; `detail` says how
    FileMissing   a manifest without a signature or the other way round; a file that a manifest names
    FileUnnamed   a file that no manifest names
    WrongHash     a file whose SHA-256 is not its name
    WrongSize     a file whose size is not what a manifest says
"""

import hashlib
import io
import re
import zipfile
import zlib
from dataclasses import dataclass

from pile_protocol import manifest, wire
from pile_protocol.errors import MessageError

from ..base.problems import Problem

ARCHIVE_MAX_BYTES = 8 * 1024 * 1024  # packed, and unpacked
ENTRIES_MAX = 1000
_ENTRY = re.compile(
    r"(?P<board>[A-Za-z0-9_-]{1,40})/manifest\.(?P<kind>json|sig)|files/(?P<sha256>[0-9a-f]{64})"
)
_COMPRESSIONS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}  # others have errors and memory of their own
_SIGNATURE = re.compile(r"[0-9a-f]{128}")


@dataclass(frozen=True, slots=True)
class BoardRelease:
    """What a release is for one board. mpy: version of its .mpy files, such as 6.3."""

    board: str
    mpy: str
    manifest: str
    signature: str
    sizes: dict[str, int]  # by the SHA-256 of each file
    total_bytes: int


@dataclass(frozen=True, slots=True)
class Release:
    number: int
    version: str
    boards: list[BoardRelease]
    files: dict[str, bytes]  # by their SHA-256

    @property
    def digest(self) -> str:
        """SHA-256 of all manifests and signatures: of two archives with the same, the content is the same."""
        digest = hashlib.sha256()
        for each in self.boards:
            digest.update(f"{each.board}\n{each.manifest}\n{each.signature}\n".encode())
        return digest.hexdigest()


def bad_release(reason: str, detail: str) -> Problem:
    return Problem(422, "BadRelease", "The release archive cannot be used", detail, reason=reason)


def read(data: bytes) -> Release:
    """The release in an archive. Raises Problem (BadRelease)."""
    manifests: dict[str, bytes] = {}
    signatures: dict[str, bytes] = {}
    files: dict[str, bytes] = {}
    for name, content in _entries(data).items():
        entry = _ENTRY.fullmatch(name)
        if entry is None:
            raise bad_release("BadEntry", f"{name[:80]!r} has no place in a release archive")
        if entry["sha256"]:
            files[entry["sha256"]] = content
        else:
            (manifests if entry["kind"] == "json" else signatures)[entry["board"]] = content
    if not manifests or manifests.keys() != signatures.keys():
        raise bad_release("FileMissing", "each board needs its manifest.json and its manifest.sig")
    parsed = [_board(board, manifests[board], signatures[board]) for board in sorted(manifests)]
    (number, version), *others = {(number, version) for number, version, _ in parsed}
    if others:
        raise bad_release("BadManifest", "the manifests are of different releases")
    boards = [each for _, _, each in parsed]
    _check_files(boards, files)
    return Release(number, version, boards, files)


def _entries(data: bytes) -> dict[str, bytes]:
    if len(data) > ARCHIVE_MAX_BYTES:
        raise bad_release("TooLarge", f"an archive has at most {ARCHIVE_MAX_BYTES} bytes")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = archive.infolist()
            # The sizes are what the archive itself says; reading ends there, whatever follows.
            if len(infos) > ENTRIES_MAX or sum(info.file_size for info in infos) > ARCHIVE_MAX_BYTES:
                raise bad_release("TooLarge", f"at most {ENTRIES_MAX} entries, {ARCHIVE_MAX_BYTES} bytes")
            if len({info.filename for info in infos}) < len(infos):
                raise bad_release("BadEntry", "an entry is there twice")
            if {info.compress_type for info in infos} - _COMPRESSIONS:
                raise bad_release("NotAZip", "an entry is packed in another way than deflate")
            return {info.filename: archive.read(info) for info in infos}
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError, OSError) as error:
        raise bad_release("NotAZip", f"it cannot be read as a zip file: {error}") from error


def _board(board: str, text: bytes, signature: bytes) -> tuple[int, str, BoardRelease]:
    """(number, version, what the release is for the board). Raises Problem (BadRelease)."""
    try:
        found = manifest.parse(text.decode("ascii"))
        wire.RELEASE.check("release", found.release)
        signature_text = signature.decode("ascii").strip()
    except (UnicodeDecodeError, MessageError) as error:
        raise bad_release("BadManifest", f"{board}: {error}") from error
    if found.board != board:
        raise bad_release("BadManifest", f"{board}: the manifest is for {found.board}")
    if not _SIGNATURE.fullmatch(signature_text):
        raise bad_release("BadManifest", f"{board}: the signature is not 128 hex digits")
    sizes = {sha256: size for _, size, sha256 in found.files}
    if any(sizes[sha256] != size for _, size, sha256 in found.files):
        raise bad_release("WrongSize", f"{board}: one file has two sizes")
    mpy = "{}.{}".format(*found.mpy)
    made = BoardRelease(board, mpy, text.decode("ascii"), signature_text, sizes, found.total_bytes)
    return found.release, found.version, made


def _check_files(boards: list[BoardRelease], files: dict[str, bytes]) -> None:
    for sha256, content in files.items():
        if hashlib.sha256(content).hexdigest() != sha256:
            raise bad_release("WrongHash", f"files/{sha256} has other bytes than its name says")
    named = set()
    for each in boards:
        for sha256, size in each.sizes.items():
            if sha256 not in files:
                raise bad_release("FileMissing", f"{each.board}: files/{sha256} is not in the archive")
            if len(files[sha256]) != size:
                raise bad_release("WrongSize", f"{each.board}: files/{sha256} has another size")
            named.add(sha256)
    if files.keys() - named:
        raise bad_release("FileUnnamed", "a file is in the archive that no manifest names")
