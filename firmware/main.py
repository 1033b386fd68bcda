"""The launcher: starts the release in slot a or b, and goes back to the other slot where it does not start.

Not in a slot, never updated over the air. boot.py has opened the relays, and left in sys.path only what lies
in the image's flash: that runs where no slot is whole. update/slots.py describes the state file.
"""

import binascii
import json
import os
import sys
import time

import machine
import relays

OTHER = {"a": "b", "b": "a"}
STARTS = 3  # of a release on trial that is not confirmed; failed imports of the confirmed release
TRIAL_MS = 120_000  # a release on trial that does not feed the watchdog for so long is reset
PAUSE_S = 3  # before the reset after an error: Ctrl-C gives the prompt


def save(*state):
    content = json.dumps(state, separators=(",", ":")).encode()
    try:
        with open("slots.state.new", "wb") as file:
            file.write(content + b"\n%08x" % binascii.crc32(content))
        os.rename("slots.state.new", "slots.state")
        return True
    except OSError:
        return False


def whole_slots():
    """{slot: release} of those that have a manifest: it is written last and removed first."""
    found = {}
    for slot in OTHER:
        try:
            with open(slot + "/manifest.json") as file:
                found[slot] = int(json.load(file)["release"])
        except (OSError, ValueError, KeyError, TypeError):
            pass
    return found


def decide(slot, confirmed, trial, starts, why, found):
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


def choose(found):
    """The state; sys.path begins with the slot. A trial is counted durably before its first import."""
    before = None
    try:
        with open("slots.state", "rb") as file:
            content, crc = file.read().split(b"\n")
        before = json.loads(content) if int(crc, 16) == binascii.crc32(content) else None
        state = decide(*before, found)
    except (OSError, KeyError, TypeError, ValueError):  # no state: the newer release has to prove itself
        old, new = min(found, key=found.get), max(found, key=found.get)
        state = decide(old, found[old], found[new] if new != old else 0, 0, None, found)
    if list(state) != before and not save(*state):
        state = decide(state[0], state[1], 0, 0, state[4], found)  # a trial that is not counted is not tried
    sys.path.insert(0, OTHER[state[0]] if state[2] else state[0])
    print("slot", sys.path[0], state)
    return state


slot, confirmed, trial, starts, why = None, 0, 0, 0, None
try:
    if slots := whole_slots():
        slot, confirmed, trial, starts, why = choose(slots)
    if trial:
        machine.WDT(timeout=TRIAL_MS)
    import start

    if starts and not trial:
        save(slot, confirmed, 0, 0, why)
    start.main()
except Exception as error:  # noqa: BLE001 - whatever it is, the chip starts again
    relays.outputs_safe()
    sys.print_exception(error)  # pyright: ignore[reportAttributeAccessIssue]
    try:
        if slot:
            why = [trial, type(error).__name__[:24]] if trial else why
            save(slot, confirmed, trial, starts if trial else starts + 1, why)
    except MemoryError:
        pass
    time.sleep(PAUSE_S)
    machine.reset()
finally:
    relays.outputs_safe()
