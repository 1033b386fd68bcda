"""The relay pin of this board, and the level that closes the relay.

This file lies at the root of the pile's file system and is never updated over the air, so that no release can
move a relay to another pin. The file to edit for your own wiring, with board.py.
"""

from machine import Pin

RELAYS = (26,)
RELAY_CLOSED_LEVEL = 1  # 0: a relay module that switches on when its input is pulled to ground


def outputs_safe():
    """Opens every relay. boot.py's first act, so it needs nothing but `machine`."""
    for pin in RELAYS:
        Pin(pin, Pin.OUT, value=1 - RELAY_CLOSED_LEVEL)


outputs_safe()
