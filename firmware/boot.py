"""Runs before anything else, after every reset: outputs safe.

A soft reset or a crash leaves the pins as they were, so a closed relay stays closed until the call below.
"""

import board

board.outputs_safe()

import foreign  # noqa: E402 - nothing comes before the line above

foreign.tell(board)
del foreign  # main.py shares these names, and so would keep the module's heap
