"""The relay pins of this board, and the level that closes a relay.

This file lies at the root of the pile's file system and is never updated over the air, so that no release can
move a relay to another pin. The file to edit for your own wiring, with board.py.
"""

from machine import Pin

RELAYS = (32, 33, 25, 26)  # of sockets 1 to 4
RELAY_CLOSED_LEVEL = 1


def outputs_safe():
    """Opens every relay. boot.py's first act, so it needs nothing but `machine`."""
    for pin in RELAYS:
        Pin(pin, Pin.OUT, value=1 - RELAY_CLOSED_LEVEL)


outputs_safe()
