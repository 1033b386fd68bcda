"""The slot that an update is written to: the room for its files, and the switch to it. Imported for these two
steps, and not in the heap while the files are fetched.
"""

import os

from pile.admission import FREE_BYTES_MIN

from . import slots
from .files import SlotFiles
from .updater import Refused

SPARE_BYTES = 32_768  # flash for folders, the manifest, and files that are replaced
FOLDER = 0x4000  # in st_mode


def prepare(signature, need_bytes):
    """Empties the other slot, unless a download with this signature has begun there, and checks the free
    flash. need_bytes: what the release's files take. Returns the slot's files. Raises Refused, OSError.
    """
    other = slots.load().other
    slot = SlotFiles(other)
    try:
        with slot.open(slots.SIGNATURE) as file:
            is_begun = file.read() == signature.encode()
    except OSError:
        is_begun = False
    if is_begun:
        slot.remove(slots.MANIFEST)
        return slot
    if room_bytes(other) < SPARE_BYTES + need_bytes + FREE_BYTES_MIN:
        raise Refused("FlashFull")
    empty(other)
    slot.append(slots.SIGNATURE, signature.encode())
    return slot


def switch(release):
    """Marks the slot as complete; the next start is its trial. Raises OSError."""
    state = slots.load()
    finish(state.other)
    slots.remove_offer()
    state.begin_trial(release)


def empty(slot):
    """Removes all files of a slot, the manifest first, which marks it as incomplete. Raises OSError."""
    slots.remove(slot + "/" + slots.MANIFEST)
    _remove_tree(slot)
    os.mkdir(slot)


def finish(slot):
    """Marks a slot as complete, after all its files were written and compared. Raises OSError."""
    os.rename(slots.FETCHED, slot + "/" + slots.MANIFEST)


def room_bytes(slot):
    """The free bytes of the flash, plus those that the files of a slot take."""
    stats = os.statvfs(".")
    # littlefs may count a block twice. If it is full, the number of free blocks falls below 0 and wraps.
    free = stats[0] * stats[3] if stats[3] <= stats[2] else 0
    return free + _used_bytes(slot)


def _used_bytes(folder):
    used = 0
    try:
        names = os.listdir(folder)
    except OSError:
        return 0  # the folder does not exist
    for name in names:
        path = folder + "/" + name
        stats = os.stat(path)
        used += _used_bytes(path) if stats[0] & FOLDER else slots.blocks_bytes(stats[6])
    return used


def _remove_tree(folder):
    try:
        names = os.listdir(folder)
    except OSError:
        return  # the folder does not exist
    for name in names:
        path = folder + "/" + name
        if os.stat(path)[0] & FOLDER:
            _remove_tree(path)
        else:
            os.remove(path)
    os.rmdir(folder)
