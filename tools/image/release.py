"""Signed releases of the firmware, for updates over the air: docs/updates.md.

    python -m tools.image.release key KEY [--public FILE]     a new pair of keys
    python -m tools.image.release make KEY [--output FILE]    a release of this commit for every board

KEY is the private key in PEM; do not store it on a cloud. Its passphrase is in RATELOCK_RELEASE_PASSPHRASE,
or is asked for. The same commit and key give the same bytes.

A release's number is the number of commits that have changed the files of SOURCES. So a commit has one
number, and later commits of a branch have no smaller one.
"""

from __future__ import annotations

import argparse
import getpass
import hashlib
import io
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

from tools import ROOT
from tools.image import BuildError, files, slot

SOURCES = ("firmware", "boards", "tools/image", "requirements.txt")
PASSPHRASE_VARIABLE = "RATELOCK_RELEASE_PASSPHRASE"
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256
_WRITTEN_AT = (1980, 1, 1, 0, 0, 0)  # zip has no earlier time


class ReleaseError(Exception):
    """The text is one sentence: the cause and what to do."""


# -- the number ---------------------------------------------------------------------------------------------


def git(root: Path, *arguments: str) -> str:
    """What a git command prints. Raises ReleaseError."""
    try:
        argv = ["git", "-C", str(root), *arguments]
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    except FileNotFoundError as error:
        raise ReleaseError("git is not installed") from error
    except subprocess.CalledProcessError as error:
        raise ReleaseError(f"git cannot read {root}: {error.stderr.strip()}") from error


def number(root: Path = ROOT) -> int:
    """The release number of the checked out commit. Raises ReleaseError if the tree is not clean."""
    if git(root, "rev-parse", "--is-shallow-repository").strip() == "true":
        raise ReleaseError("a shallow clone does not have all commits to count: git fetch --unshallow")
    if changed := git(root, "status", "--porcelain").splitlines():
        raise ReleaseError(f"the tree is not clean ({changed[0].strip()}): commit first")
    return int(git(root, "rev-list", "--count", "--full-history", "HEAD", "--", *SOURCES))


def of_tree(root: Path = ROOT) -> int:
    """The release number of the files in this tree; slot.UNRELEASED if they differ from the commit."""
    try:
        return number(root)
    except ReleaseError:
        return slot.UNRELEASED


# -- keys ---------------------------------------------------------------------------------------------------


def make_key(private: Path, public: Path, passphrase: str) -> None:
    """A new pair of keys; no existing file is overwritten. Raises ReleaseError, OSError."""
    for path in (private, public):
        if path.exists():
            raise ReleaseError(f"{path} exists: a release key is not overwritten, because piles know it")
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(passphrase.encode())
        if passphrase
        else serialization.NoEncryption(),
    )
    with os.fdopen(os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pem)
    public.write_text(public_text(key))


def read_key(path: Path, ask: Callable[[str], str] = getpass.getpass) -> ec.EllipticCurvePrivateKey:
    """The private key in a file. Raises ReleaseError."""
    try:
        pem = path.read_bytes()
    except OSError as error:
        raise ReleaseError(f"there is no key {path}: make release-key KEY={path}") from error
    try:
        passphrase = None
        if b"ENCRYPTED" in pem:
            passphrase = os.environ.get(PASSPHRASE_VARIABLE) or ask(f"passphrase of {path}: ")
        key = serialization.load_pem_private_key(pem, passphrase.encode() if passphrase else None)
    except (ValueError, TypeError) as error:
        raise ReleaseError(f"{path} is no private key in PEM, or the passphrase is wrong") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ReleaseError(f"{path} is not a P-256 key")
    return key


def public_text(key: ec.EllipticCurvePrivateKey) -> str:
    """The public key as piles have it: 128 hex digits and a line end."""
    numbers = key.public_key().public_numbers()
    return f"{numbers.x:064x}{numbers.y:064x}\n"


def sign(key: ec.EllipticCurvePrivateKey, text: str) -> str:
    """The deterministic signature in 128 hex digits: r, and the smaller valid s (firmware/update/p256.py)."""
    der = key.sign(text.encode(), ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
    r, s = utils.decode_dss_signature(der)
    return f"{r:064x}{min(s, ORDER - s):064x}"


# -- the archive --------------------------------------------------------------------------------------------


def all_boards() -> list[Path]:
    return [path.parent for path in sorted(files.BOARDS.glob("*/manifest.py"))]


def pack(contents: dict[Path, dict[str, bytes]], release: int, sign_text: Callable[[str], str]) -> bytes:
    """The archive of a release. contents: the files of a slot for each board's folder. Raises BuildError."""
    entries: dict[str, bytes] = {}
    for board, content in contents.items():
        text = slot.manifest(board, content, release)
        entries[f"{board.name}/{slot.MANIFEST}"] = text.encode()
        entries[f"{board.name}/{slot.SIGNATURE}"] = sign_text(text).encode()
        for data in content.values():
            entries[f"files/{hashlib.sha256(data).hexdigest()}"] = data
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(entries):
            entry = zipfile.ZipInfo(name, _WRITTEN_AT)
            entry.create_system = 3  # Unix; the default depends on the system
            archive.writestr(entry, entries[name])
    return made.getvalue()


def build(boards: Iterable[Path]) -> dict[Path, dict[str, bytes]]:
    """The files of a slot for each board. Raises BuildError."""
    return {board: files.build(board) for board in boards}


# -- the program --------------------------------------------------------------------------------------------


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python -m tools.image.release",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = made.add_subparsers(dest="what", required=True)
    for name in ("key", "make"):
        each = what.add_parser(name)
        each.add_argument("key")
        if name == "key":
            each.add_argument("--public", type=Path, default=files.BOARDS / slot.RELEASE_KEY)
        else:
            each.add_argument("--output", type=Path, help="default: build/ratelock-<number>.release")
    return made


def _make_key(options: argparse.Namespace) -> None:
    passphrase = os.environ.get(PASSPHRASE_VARIABLE)
    if passphrase is None:
        passphrase = getpass.getpass("passphrase of the new key: ")
        if passphrase != getpass.getpass("again: "):
            raise ReleaseError("the two passphrases differ: nothing was written")
    make_key(options.key, options.public, passphrase)
    print(f"{options.key}: the private key. Keep it and a copy offline; who has it can update every pile.")
    print(f"{options.public}: the public key. Commit it: make deploy writes it onto each board.")


def _make_release(options: argparse.Namespace) -> None:
    release = number()
    key = read_key(options.key)
    data = pack(build(all_boards()), release, lambda text: sign(key, text))
    output = options.output or ROOT / "build" / f"ratelock-{release}.release"
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_bytes(data)
    print(f"{output}: release {release}, firmware {files.version()}, {len(data)} bytes")
    print(f"sha256 {hashlib.sha256(data).hexdigest()}")
    print(f"next: .venv/bin/python -m cloud_stub release add {output}")


def main() -> int:
    options = parser().parse_args()
    try:
        if not options.key:
            raise ReleaseError(
                "no KEY is given: the file of the private key, such as /media/stick/ratelock.pem"
            )
        options.key = Path(options.key)
        (_make_key if options.what == "key" else _make_release)(options)
    except (ReleaseError, BuildError) as error:
        print(f"release: {error}", file=sys.stderr)
        return 1
    except EOFError:
        print(f"release: no passphrase was typed: set {PASSPHRASE_VARIABLE}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"release: {error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
