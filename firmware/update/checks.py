"""Checks a fetched manifest. Imported only for this check."""

import json

from pile_protocol import manifest
from pile_protocol.errors import ProtocolError

from .slots import FETCHED, ROWS, blocks_bytes
from .updater import Refused


def read_manifest(release, board, mpy):
    """A generator: checks the fetched manifest and writes ROWS, one row in each step. Returns (bytes of all
    files, bytes of flash that they take). Raises Refused, OSError.
    """
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
                yield True
    except (ValueError, ProtocolError):  # not UTF-8, or not a manifest
        raise Refused("BadManifest")
    return total_bytes, need_bytes
