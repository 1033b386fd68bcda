"""Runs before anything else, after every reset: outputs safe.

A soft reset or a crash leaves the pins as they were, so a relay that was closed still is until this line.
"""

import board

board.outputs_safe()

import foreign  # noqa: E402 - nothing comes before the line above

foreign.tell(board)
