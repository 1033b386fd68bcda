"""The two slots on the file system, a and b, and the state file that says which of them runs.

A slot is a folder with the files of one release. Its manifest.json is written last, by a rename, and removed
first: a slot with a manifest is complete. launcher.py, which is outside the slots and is never updated over
the air, reads and writes the state file too, so its format must not change:

["a",12,13,1,[13,"ImportError"]], a newline, the CRC-32 of the list in hex

slot        the slot with the confirmed release; the other one may be on trial
confirmed   the highest release that was confirmed: no older one is accepted over the air
trial       the release on trial in the other slot; 0 for none
starts      how often the trial has been started; without a trial, failed starts of the slot in a row
fell_back   the release that was given up last and the reason, in at most 24 characters; null for none.
            While a release is on trial: the reason why its last start ended
"""

import json
import os
import sys

from pile import checksum

SLOTS = ("a", "b")
FILE = "slots.state"
MANIFEST = "manifest.json"
SIGNATURE = "manifest.sig"
OFFER = "update.offer"  # the offer of the release to fetch, in JSON
FETCHED = "update.manifest"  # the manifest of that release, until the slot is complete
ROWS = "update.files"  # a line of JSON for each file of the release: the whole list takes too much heap
KEY = "release.pub"  # 128 hex digits: the public key that verifies the releases of this pile
REASON_MAX = 24  # characters
BLOCK_BYTES = 4_096  # a file on littlefs takes whole blocks


class State:
    """The state file's content, for the firmware that runs.

    slot        "a" or "b": the slot that runs. None if the firmware is in no slot, but frozen into the image
                or in ROMFS: it takes no updates over the air
    other       the slot that an update is written to; None without a slot
    release     the number of the running release; 0 if it was deployed from an unreleased tree
    confirmed   the highest release that was confirmed
    on_trial    whether the running release is on trial
    fell_back   (release, reason) of the release that was given up last; None for none, and during a trial
    """

    def __init__(self, values, slot):
        confirmed_slot, self.confirmed, trial, _, fell_back = values
        self.slot = slot
        self.other = None if slot is None else SLOTS[1 - SLOTS.index(slot)]
        self.on_trial = trial != 0 and slot is not None and slot != confirmed_slot
        self.release = trial if self.on_trial else _release_of(slot)
        self.fell_back = tuple(fell_back) if fell_back and not self.on_trial else None

    def begin_trial(self, release):
        """Starts the other slot, which is complete, on trial at the next reset. Raises OSError."""
        write([self.slot, self.confirmed, release, 0, None])

    def confirm(self):
        """Ends the trial: the running slot becomes the confirmed one. Raises OSError."""
        self.confirmed = max(self.confirmed, self.release)
        write([self.slot, self.confirmed, 0, 0, None])
        self.on_trial = False

    def fall_back(self, reason):
        """Ends the trial: the other slot starts at the next reset. Raises OSError."""
        write([self.other, self.confirmed, 0, 0, [self.release, reason[:REASON_MAX]]])
        self.on_trial = False


def load():
    """The State of this pile."""
    slot = sys.path[0] if sys.path[0] in SLOTS else None  # launcher.py has put it there
    return State(read() or [slot, 0, 0, 0, None], slot)


def read():
    """The list in the state file; None if the file is missing or damaged."""
    try:
        with open(FILE, "rb") as file:
            content = checksum.unframed(file.read())
        return json.loads(content) if content else None
    except (OSError, ValueError):
        return None


def write(values):
    """Replaces the state file: after a power cut it is the old or the new one. Raises OSError."""
    replace(FILE, checksum.framed(json.dumps(values, separators=(",", ":")).encode()))


def is_offer_kept():
    """Whether the flash holds an offer of a release to fetch."""
    try:
        os.stat(OFFER)
        return True
    except OSError:
        return False


def remove_offer():
    """Removes the offer, its manifest and its list of files."""
    remove(OFFER)
    remove(FETCHED)
    remove(ROWS)


def _release_of(slot):
    """The number of the release in a slot; 0 if it cannot be read. It is the first member of the manifest;
    the whole list takes too much heap.
    """
    try:
        with open((slot or "") + "/" + MANIFEST) as file:
            return json.loads(file.read(64).split(",")[0].rstrip("}") + "}")["release"]
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def replace(path, data):
    """Replaces a file: after a power cut it is the old or the new one. Raises OSError."""
    with open(path + ".new", "wb") as file:
        file.write(data)
    os.rename(path + ".new", path)


def blocks_bytes(size):
    """The flash that a file of `size` bytes takes, in bytes."""
    return (size + BLOCK_BYTES - 1) // BLOCK_BYTES * BLOCK_BYTES


def remove(path):
    try:
        os.remove(path)
    except OSError:
        pass  # the file does not exist
