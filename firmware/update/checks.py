"""Checks the signature of an offered manifest, and a fetched manifest. Imported only for these checks."""

import binascii
import json

from pile_protocol.errors import ProtocolError

from .slots import FETCHED, ROWS
from .updater import Refused


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

    total_bytes = need_bytes = 0
    try:
        with open(FETCHED) as file, open(ROWS, "w") as written:
            rows = manifest.read(file)
            head = next(rows)
            if head["release"] != release:
                raise Refused("BadManifest")
            if head["board"] != board:
                raise Refused("WrongBoard")
            if tuple(head["mpy"]) != mpy:
                raise Refused("WrongMpy")
            for row in rows:
                written.write(json.dumps(row) + "\n")
                total_bytes += row[1]
                need_bytes += blocks_bytes(row[1])
    except (ValueError, ProtocolError):  # not UTF-8, or not a manifest
        raise Refused("BadManifest")
    return total_bytes, need_bytes
