"""Fetches files in parts. The pile requests one part at a time.

Parts that are already in flash are kept: a file of the right size is compared with its SHA-256, a shorter
file is continued. So a download continues after a restart. A part that comes twice, late or for another
request is ignored.
"""

import binascii
import gc
import hashlib

from .updater import Refused

PART_BYTES = 512  # the heap holds a part several times: as the message's bytes, as text, decoded
ROOM_BYTES = (24_000, 8_000)  # of the heap: with less free than the first, half a part; than both, a quarter
ASK_EVERY_MS = 100  # at most 5 KB a second
RETRY_MS = 2_000  # until a request is repeated; doubles each time, up to RETRY_MAX_MS
RETRY_MAX_MS = 60_000
SILENCE_MS = 14_000  # three requests without an answer; then the pile reports it
TRIES_MAX = 3  # of a file whose SHA-256 is wrong
READ_BYTES = 512


class Download:
    """release: its number. clock: pile.clock.Clock. ask: called with each request, a message of
    topics.UPDATE_ASK.

    done_bytes: of all files, in flash. is_answered: whether the last request was answered within SILENCE_MS.
    """

    def __init__(self, release, clock, ask):
        self.done_bytes = 0
        self.is_answered = True
        self._release = release
        self._clock = clock
        self._ask = ask
        self._question = None
        self._data = None  # the answer
        self._asked_ms = clock.now_ms
        self._part_bytes = PART_BYTES
        for bytes_ in ROOM_BYTES:
            if hasattr(gc, "mem_free") and gc.mem_free() < bytes_:
                self._part_bytes //= 2

    def fetch(self, slot, name, size, digest):
        """A generator: each step does one slice of the work, and yields whether the next can follow at once.
        When it ends, the file is complete. slot: files.SlotFiles. digest: the SHA-256 in hex. Raises Refused,
        OSError.
        """
        tries = 0
        while not (yield from self._try(slot, name, size, digest)):
            slot.remove(name)
            self.done_bytes -= size
            tries += 1
            if tries == TRIES_MAX:
                raise Refused("BadFile")

    def take(self, chunk):
        """Handles a message of topics.UPDATE_CHUNK; only the answer to the open request is used."""
        question = self._question
        if question is None or self._data is not None:
            return
        for name in ("release", "file", "offset"):
            if chunk[name] != question[name]:
                return
        try:
            data = binascii.a2b_base64(chunk["data"])
        except ValueError:
            return
        if 0 < len(data) <= question["bytes"]:
            self._data = data

    def hurry(self):
        """Repeats an open request at once, because the cloud can be reached."""
        self._asked_ms = self._clock.now_ms - RETRY_MAX_MS

    def _try(self, slot, name, size, digest):
        """Fetches the rest of the file; returns whether its SHA-256 is right."""
        have = slot.size(name)
        if have is None or have > size:
            slot.remove(name)
            slot.append(name, b"")
            have = 0
        self.done_bytes += have
        while have < size:
            part = min(self._part_bytes, size - have)
            data = yield from self._part(
                {"release": self._release, "file": digest, "offset": have, "bytes": part}
            )
            slot.append(name, data)
            have += len(data)
            self.done_bytes += len(data)
        return (yield from _is_right(slot, name, digest))

    def _part(self, question):
        """Requests a part until it is answered; returns its bytes."""
        clock = self._clock
        while clock.now_ms - self._asked_ms < ASK_EVERY_MS:
            yield False
        self._question = question
        self._data = None
        began_ms = clock.now_ms
        wait_ms = 0
        while self._data is None:
            if clock.now_ms - self._asked_ms >= wait_ms:
                self._asked_ms = clock.now_ms
                wait_ms = min(2 * wait_ms or RETRY_MS, RETRY_MAX_MS)
                self._ask(question)
            if clock.now_ms - began_ms >= SILENCE_MS:
                self.is_answered = False
            yield False
        self.is_answered = True
        self._question = None
        return self._data


def _is_right(slot, name, digest):
    """Reads the file back and compares its SHA-256."""
    sha256 = hashlib.sha256()
    buffer = bytearray(READ_BYTES)
    file = slot.open(name)
    try:
        while True:
            size = file.readinto(buffer)
            if not size:
                break
            sha256.update(memoryview(buffer)[:size])
            yield True
    finally:
        file.close()
    return binascii.hexlify(sha256.digest()).decode() == digest
