"""An offered release: whether it may run here, and its file in flash."""

import binascii
import hashlib
import json

from . import slots
from .updater import Refused


def keep(message, at):
    """Writes an offer to flash. at: the cloud's time. Raises Refused, OSError."""
    if at is None or at >= message["expires_at"]:
        raise Refused("Expired")
    text = message.pop("manifest", None)
    if text is not None:  # an older cloud sends the manifest in the offer
        text = text.encode()
        message["manifest_sha256"] = binascii.hexlify(hashlib.sha256(text).digest()).decode()
        message["manifest_bytes"] = len(text)
    check(message)
    slots.remove_offer()
    if text is not None:
        slots.replace(slots.FETCHED, text)
    slots.replace(slots.OFFER, json.dumps(message).encode())


def check(message):
    """Raises Refused if the offer alone shows that the release must not run here."""
    state = slots.load()
    release = message["release"]
    for name in ("manifest_sha256", "manifest_bytes", "signature"):
        if name not in message:
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
    """The message that keep() wrote to flash; None if there is none, or it cannot be used."""
    try:
        with open(slots.OFFER) as file:
            message = json.load(file)
        return message if "manifest_sha256" in message else None  # an older release's offer has none
    except (OSError, ValueError):
        return None


def remove():
    """Removes the offer: it is not continued."""
    slots.remove_offer()


def release_key():
    """The text of the public key; empty if this pile has none."""
    try:
        with open(slots.KEY) as file:
            return file.read()
    except OSError:
        return ""
