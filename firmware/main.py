"""Starts the release in the slot that launcher.py chooses; without slots, the one in the image's flash.

At the root, not in a slot, never updated over the air. boot.py has opened the relays, and left in sys.path
only what lies in the image's flash. Whatever happens to the release, the relays are open afterwards and the
chip starts again; Ctrl-C gives the prompt.
"""

import gc
import sys
import time

import machine
import relays

TRIAL_MS = 120_000  # a release on trial that does not feed the watchdog for so long is reset
PAUSE_S = 3  # between an error and the reset


def launcher():
    """The module, which leaves the heap after use."""
    sys.path.insert(0, "")
    try:
        import launcher as module

        del sys.modules["launcher"]
        return module
    finally:
        sys.path.pop(0)


state = None
try:
    state = launcher().choose()
    if state and state[2]:
        machine.WDT(timeout=TRIAL_MS)
    gc.collect()  # what choosing has left between the pieces that stay
    import start

    if state and state[3]:
        state = launcher().started(*state)
    start.main()
except Exception as error:  # noqa: BLE001 - whatever it is, the chip starts again
    relays.outputs_safe()
    sys.print_exception(error)  # pyright: ignore[reportAttributeAccessIssue]
    sys.modules.clear()
    gc.collect()  # the release may have filled the heap
    try:
        if state:
            launcher().failed(error, *state)
    except Exception as another:  # noqa: BLE001 - nothing may keep the chip from starting again
        sys.print_exception(another)  # pyright: ignore[reportAttributeAccessIssue]
    time.sleep(PAUSE_S)
    machine.reset()
finally:
    relays.outputs_safe()
