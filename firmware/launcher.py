"""Chooses the slot of this start, and goes back to the other slot where a release does not start.

At the root, not in a slot, never updated over the air. main.py loads this module while it needs it, so that
it takes no heap from the release. update/slots.py describes the state file.
"""

import sys

# The other modules are imported inside the functions: while this one is imported, the root is in sys.path.
OTHER = {"a": "b", "b": "a"}
STARTS = 3  # of a release on trial that is not confirmed; failed starts in a row of the confirmed release


def save(*state):
    import binascii
    import json
    import os

    content = json.dumps(state, separators=(",", ":")).encode()
    try:
        with open("slots.state.new", "wb") as file:
            file.write(content + b"\n%08x" % binascii.crc32(content))
        os.rename("slots.state.new", "slots.state")
        return True
    except OSError:
        return False


def kept():
    """The list in the state file; () where there is none, or a damaged one."""
    import binascii
    import json

    try:
        with open("slots.state", "rb") as file:
            content, crc = file.read().split(b"\n")
        return json.loads(content) if int(crc, 16) == binascii.crc32(content) else ()
    except (OSError, ValueError):
        return ()


def whole_slots():
    """{slot: release} of those that have a manifest: it is written last and removed first."""
    import json

    found = {}
    for slot in OTHER:
        try:
            with open(slot + "/manifest.json") as file:
                found[slot] = int(json.load(file)["release"])
        except (OSError, ValueError, KeyError, TypeError):
            pass
    return found


def decide(found, slot, confirmed, trial, starts, why):
    """The state for this start: of the other slot while it has a trial left, else of the one it names."""
    other = OTHER[slot]
    if trial and (other not in found or starts >= STARTS):
        why = why if other in found else [trial, "Incomplete"]
        trial = starts = 0
    if trial:
        return slot, confirmed, trial, starts + 1, [trial, "NotConfirmed"]
    if other in found and (slot not in found or starts >= STARTS):
        return other, confirmed, 0, 0, [confirmed, "NotStarted" if slot in found else "Incomplete"]
    return slot, confirmed, 0, starts, why


def choose():
    """The state of this start, whose slot is first in sys.path from here on; None where no slot is whole."""
    found = whole_slots()
    if not found:
        return None
    before = kept()
    try:
        state = decide(found, *before)
    except (KeyError, TypeError, ValueError):  # no state: the newer release has to prove itself
        order = sorted(found, key=lambda slot: found[slot])
        state = decide(found, order[0], found[order[0]], found[order[1]] if order[1:] else 0, 0, None)
    if list(state) != before and not save(*state):  # the start of a trial is counted before its first import
        state = decide(found, state[0], state[1], 0, 0, state[4])  # a trial that is not counted is not tried
    sys.path.insert(0, OTHER[state[0]] if state[2] else state[0])
    print("slot", sys.path[0], state)
    return state


def started(slot, confirmed, trial, starts, why):
    """The state from here on: a confirmed release that was imported has not failed to start."""
    if not starts or trial:
        return slot, confirmed, trial, starts, why
    save(slot, confirmed, 0, 0, why)
    return slot, confirmed, 0, 0, why


def failed(error, slot, confirmed, trial, starts, why):
    """Notes why a trial failed, or counts a failed start; not if the release has written another state."""
    if kept() == [slot, confirmed, trial, starts, why]:
        why = [trial, type(error).__name__[:24]] if trial else why
        save(slot, confirmed, trial, starts if trial else starts + 1, why)
