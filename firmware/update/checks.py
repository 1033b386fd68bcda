"""Checks the signature of an offered manifest, and a fetched manifest. Imported only for these checks."""

import binascii
import json

from pile_protocol.errors import ProtocolError

from .errors import Refused
from .slots import FETCHED, ROWS


def verify(key, digest, signature):
    """A generator: each step does one slice of the work. Raises Refused unless `signature` is valid for the
    manifest's SHA-256 `digest` (hex). key: the public key, 128 hex digits.
    """
    from .p256 import Verification, public_key

    try:
        point = public_key(key)
    except ValueError:
        raise Refused("BadSignature")
    verification = Verification(point, binascii.unhexlify(digest), signature)
    while True:
        result = verification.step()
        if result is not None:
            break
        yield True
    if not result:
        raise Refused("BadSignature")


def read_manifest(release, board, mpy):
    """Checks the fetched manifest and writes ROWS. Returns (bytes of all files, bytes of flash that they
    take). Raises Refused, OSError.
    """
    from pile_protocol import manifest

    from .files import blocks_bytes

    try:
        with open(FETCHED) as file:
            found = manifest.checked(json.load(file))
    except (ValueError, ProtocolError):
        raise Refused("BadManifest")
    if found.release != release:
        raise Refused("BadManifest")
    if found.board != board:
        raise Refused("WrongBoard")
    if found.mpy != mpy:
        raise Refused("WrongMpy")
    with open(ROWS, "w") as rows:
        for file in found.files:
            rows.write(json.dumps(file) + "\n")
    return found.total_bytes, sum([blocks_bytes(file[1]) for file in found.files])
