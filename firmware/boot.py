"""Runs before anything else, after every reset: relays open. Not in a slot, never updated over the air.

A soft reset or a crash leaves the pins as they were: a closed relay stays closed until relays.py is imported.
"""

import sys

# No file at the root or in /lib is imported in place of a module of MicroPython (machine.py, asyncio.py).
sys.path[:] = [place for place in sys.path if place not in ("", "/lib")]
import machine  # noqa: E402 - see above

sys.modules["machine"] = machine  # relays.py gets this one
sys.path.insert(0, "")
try:
    import relays  # the board's own, in the root; or in the image's flash where the pile is frozen in
finally:
    sys.path.pop(0)

relays.outputs_safe()
