"""A board on a cable: MicroPython's unix port behind a pty, with a folder for its flash.

It runs boot.py and main.py, then gives a prompt, as a chip does. When its process ends it is started again,
as a chip is by its reset.
"""

from __future__ import annotations

import fcntl
import os
import pty
import select
import subprocess
import termios
import threading
import tty
from pathlib import Path

from tools.harness.sim_pile import interpreter

# What the C code of a chip's port does after a reset; a file that is not there is passed over.
_START = """
import sys
class _Machine:
    def reset(self):
        sys.exit()
    class WDT:
        def __init__(self, timeout):
            pass
for name in ("boot.py", "main.py"):
    try:
        with open(name) as file:
            code = compile(file.read(), name, "exec")
    except OSError:
        continue
    sys.modules["machine"] = _Machine()
    try:
        exec(code, {"__name__": "__main__"})
    except Exception as error:
        sys.print_exception(error)
    finally:
        sys.modules.pop("machine", None)
"""


def _only_signals(terminal: int) -> None:
    """Bytes pass as they are; but Ctrl-C interrupts what runs, as a chip's serial driver has it."""
    tty.setraw(terminal)
    settings = termios.tcgetattr(terminal)
    settings[3] |= termios.ISIG
    termios.tcsetattr(terminal, termios.TCSANOW, settings)


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class PtyBoard:
    """port: what deploy is given. flash: its file system. starts: how often it has booted."""

    def __init__(self, flash: Path, argv: list[str] | None = None):
        flash.mkdir(parents=True, exist_ok=True)
        self.flash = flash
        self.starts = 0
        self._argv = argv or [*interpreter(), "-X", "heapsize=4M"]
        self._outer, outer_slave = pty.openpty()
        tty.setraw(outer_slave)
        self.port = os.ttyname(outer_slave)
        self._slave = outer_slave  # held open: the line does not hang up between two programs on the PC
        self._wake, self._stop = os.pipe()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __enter__(self) -> PtyBoard:
        return self

    def __exit__(self, *_: object) -> None:
        os.write(self._stop, b"x")
        self._thread.join(10)
        for fd in (self._outer, self._slave, self._wake, self._stop):
            os.close(fd)

    def _run(self) -> None:
        while self._one_life():
            pass

    def _one_life(self) -> bool:
        """From reset to reset; False when the board is to be switched off."""
        inner, inner_slave = pty.openpty()
        _only_signals(inner_slave)
        env = {**os.environ, "MICROPYPATH": ":.frozen"}
        process = subprocess.Popen(
            [*self._argv, "-i", "-c", _START],
            cwd=self.flash, env=env, stdin=inner_slave, stdout=inner_slave, stderr=inner_slave,
            start_new_session=True, preexec_fn=_take_terminal,
        )  # fmt: skip
        self.starts += 1
        os.close(inner_slave)
        awake = False  # a chip that has not come up yet hears nothing; this process would die of a Ctrl-C
        try:
            while True:
                ready, _, _ = select.select([inner, self._wake] + [self._outer] * awake, [], [])
                if self._wake in ready:
                    return False
                if inner in ready:
                    try:
                        data = os.read(inner, 4096)
                    except OSError:  # EIO: the process has ended
                        data = b""
                    if not data:
                        return True
                    awake = True
                    os.write(self._outer, data)
                if self._outer in ready:
                    os.write(inner, os.read(self._outer, 4096))
        finally:
            process.kill()
            process.wait()
            os.close(inner)
