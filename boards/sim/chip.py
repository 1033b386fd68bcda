"""A PC in place of a chip: MicroPython's unix port runs boot.py and main.py of the working folder, and again
after a reset.

    micropython chip.py [MODULE]     MODULE: its main() at once, from MICROPYPATH, without slots and launcher

A reset stays in this process, so that it keeps its pid, stdin and stdout. A watchdog that is not fed is no
reset here: a simulated pile that hangs goes on hanging until it is killed.
"""

import asyncio
import gc
import os
import sys


class Machine:
    """What the launcher needs of a chip's `machine`."""

    class WDT:
        def __init__(self, timeout):
            pass

    def reset(self):
        os.putenv("RATELOCK_RESET", "Hard")  # what board.py tells as the reset's cause
        sys.exit()


def run(name):
    with open(name) as file:
        code = compile(file.read(), name, "exec")
    exec(code, {"__name__": "__main__"})


def main():
    """Returns when the program ends without a reset: it asks for a person, or was ended by one."""
    machine = sys.modules["machine"] = Machine()  # pyright: ignore[reportArgumentType]
    folders = sys.path[1:]  # without the folder of this file
    before = set(sys.modules)
    plain = sys.argv[1:]
    while True:
        sys.modules["machine"] = machine  # pyright: ignore[reportArgumentType] - main.py clears them after an error
        sys.path[:] = folders if plain else ["", ".frozen"]
        try:
            if plain:
                return __import__(plain[0]).main()
            run("boot.py")
            return run("main.py")
        except SystemExit:
            pass
        for name in set(sys.modules) - before:
            del sys.modules[name]
        asyncio.new_event_loop()
        gc.collect()


main()
