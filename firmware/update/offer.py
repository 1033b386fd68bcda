"""An offered release and the two slots: whether it may run here, room for it, and the switch to it. Imported
for each of these steps, and out of the heap while the files are fetched.
"""

from pile.admission import FREE_BYTES_MIN

from . import slots
from .errors import Refused
from .files import SlotFiles, blocks_bytes, rows

SPARE_BYTES = 32_768  # flash for folders, the manifest, and what is written anew


def keep(message, data, at):
    """Makes an offer durable, the message in `data`. at: the cloud's time. Raises Refused, OSError."""
    if at is None or at >= message["expires_at"]:
        raise Refused("Expired")
    check(message)
    slots.replace(slots.OFFER, data)


def check(message):
    """Raises Refused where the release must not run here, whatever is in its files."""
    state = slots.load()
    release = message["release"]
    if "manifest" not in message or "signature" not in message:
        raise Refused("BadManifest")
    if state.slot is None:
        raise Refused("NoSlots")
    if state.on_trial:
        raise Refused("OnTrial")
    if release == state.release:
        raise Refused("AlreadyRuns")
    if release < state.confirmed:
        raise Refused("BelowConfirmed")
    if state.fell_back and state.fell_back[0] == release and not message.get("again"):
        raise Refused("FellBackBefore")


def kept():
    """The message that keep() has made durable, as bytes; None where there is none."""
    try:
        with open(slots.OFFER, "rb") as file:
            return file.read()
    except OSError:
        return None


def remove():
    """The offer is not taken up again."""
    slots.remove_offer()


def release_key():
    """The text of the public key; empty where this pile has none."""
    return slots.release_key() or ""


def prepare(files, signature):
    """Leaves in the other slot what belongs to this very manifest, and checks that the rest has room. files:
    for files.rows(). Returns the slot. Raises Refused, OSError.
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
    need_bytes = SPARE_BYTES + sum([blocks_bytes(size) for _, size, _ in rows(files)])
    if slot.room_bytes() < need_bytes + FREE_BYTES_MIN:
        raise Refused("FlashFull")
    slots.empty(other)
    slot.append(slots.SIGNATURE, signature.encode())
    return slot


def switch(message):
    """The slot is whole; the next start is its trial. Raises OSError."""
    state = slots.load()
    slots.finish(state.other, message["manifest"], message["signature"])
    remove()
    state.begin_trial(message["release"])
