"""Child processes that end with this one: on exit, on Ctrl-C, on SIGTERM, and on SIGKILL.

    with Children() as children:
        child = children.start("cloud", [...])
        child.wait_for_line("Uvicorn running", timeout_s=20)

Every child leads a session of its own, so Ctrl-C at the terminal reaches only this process, which then ends
its children, newest first. After a SIGKILL of this process a watchdog process ends its children.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import IO, Any, TypeVar

HOST = "127.0.0.1"
STOP_TIMEOUT_S = 10
KEPT_LINES = 10_000
StartedT = TypeVar("StartedT", bound="Started")

# Reads "+pid" and "-pid" lines. At the end of the file, when the parent has ended, it ends the groups left.
_WATCHDOG = """
import os, signal, sys, time
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
groups = set()
for line in sys.stdin:
    (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
def tell(number):
    for group in list(groups):
        try:
            os.killpg(group, number)
        except OSError:
            groups.discard(group)
tell(signal.SIGTERM)
deadline = time.monotonic() + 5
while groups and time.monotonic() < deadline:
    time.sleep(0.05)
    tell(0)
tell(signal.SIGKILL)
"""


class ProcessError(Exception):
    """A child process ended early or did not answer in time. The text has the end of its output."""


def alone_in(folder: Path, whose: str) -> IO[str]:
    """Locks `folder` until the returned file is closed or this process ends.

    Raises ProcessError if another process holds the lock, OSError if the lock file cannot be created.
    """
    lock = open(folder / "lock", "w")  # noqa: SIM115 held by the caller
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise ProcessError(
            f"{folder} is in use by another {whose}; RATELOCK_DATA names another folder"
        ) from None
    return lock


def _to_exit(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def exit_on_signals() -> None:
    """Makes SIGTERM and SIGHUP raise SystemExit, so that `with` blocks end their children.

    SIGINT raises KeyboardInterrupt also in a background job of a shell, which starts with SIGINT ignored.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _to_exit)


class Child:
    """One running process. Its output, stdout and stderr together, is kept line by line."""

    def __init__(
        self,
        name: str,
        popen: subprocess.Popen[str],
        log: Path | None,
        echo: Callable[[str], None] | None,
        on_end: Callable[[Child], None],
    ):
        self.name = name
        self.lines: list[str] = []  # the newest; `dropped` older ones are gone
        self.dropped = 0
        self._popen = popen
        self._on_end = on_end
        self._log = open(log, "ab", buffering=0) if log else None  # noqa: SIM115 closed by _read
        self._echo = echo
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, name=f"{name} output", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def returncode(self) -> int | None:
        """None while it runs."""
        return self._popen.poll()

    def _read(self) -> None:
        stream = self._popen.stdout
        if stream is None:
            return
        for line in stream:
            line = line.rstrip("\n")
            if self._log:
                # With a full disk the line is lost, and the next ones are read, or the child would wait.
                with suppress(OSError):
                    self._log.write(line.encode() + b"\n")
            if self._echo:
                self._echo(line)
            with self._changed:
                self.lines.append(line)
                if len(self.lines) > 2 * KEPT_LINES:
                    del self.lines[:KEPT_LINES]
                    self.dropped += KEPT_LINES
                self._changed.notify_all()
        stream.close()
        if self._log:
            self._log.close()
        with self._changed:
            self._changed.notify_all()

    @property
    def line_count(self) -> int:
        """Number of lines so far. As `after` of a wait it limits the wait to later lines."""
        return self.dropped + len(self.lines)

    def tail(self, count: int = 20) -> str:
        return "\n".join(f"  {self.name}| {line}" for line in self.lines[-count:])

    def check_alive(self) -> None:
        """Raises ProcessError if it has ended."""
        if self.returncode is not None:
            self._reader.join(timeout=1)
            raise ProcessError(f"{self.name} ended with code {self.returncode}\n{self.tail()}")

    def wait_for_line(
        self, wanted: str | Callable[[str], bool], timeout_s: float = 20, after: int = 0
    ) -> str:
        """Waits for the first line from number `after` on that contains `wanted`. Raises ProcessError."""
        matches = wanted if callable(wanted) else lambda line: wanted in line
        deadline = time.monotonic() + timeout_s
        seen = after
        with self._changed:
            while True:
                for line in self.lines[max(0, seen - self.dropped) :]:
                    if matches(line):
                        return line
                seen = self.line_count
                left_s = deadline - time.monotonic()
                if not self._reader.is_alive() and self.returncode is not None:
                    raise ProcessError(f"{self.name} ended with code {self.returncode}\n{self.tail()}")
                if left_s <= 0:
                    raise ProcessError(
                        f"{self.name} did not say {wanted} within {timeout_s:g} s\n{self.tail()}"
                    )
                self._changed.wait(min(left_s, 0.5))

    def wait_for_json(
        self, matches: Callable[[dict[str, Any]], bool], timeout_s: float = 20, after: int = 0
    ) -> Any:
        """The first JSON object line from number `after` on that `matches`."""

        def is_it(line: str) -> bool:
            try:
                value = json.loads(line)
            except ValueError:
                return False
            return isinstance(value, dict) and matches(value)

        return json.loads(self.wait_for_line(is_it, timeout_s, after))

    def send_json(self, value: object) -> None:
        """Writes one JSON line to its stdin. Raises ProcessError if it has ended."""
        if self._popen.stdin is None:
            raise ProcessError(f"{self.name} was started without a stdin")
        try:
            self._popen.stdin.write(json.dumps(value) + "\n")
            self._popen.stdin.flush()
        except OSError as error:
            raise ProcessError(f"{self.name} no longer reads: {error}\n{self.tail()}") from error

    def signal(self, number: int) -> None:
        """Sends a signal to the process only, not to its group. Does nothing if it has ended."""
        if self.returncode is None:
            self._popen.send_signal(number)

    def wait(self, timeout_s: float | None = None) -> int:
        """Its exit code. Raises ProcessError on a timeout."""
        try:
            code = self._popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise ProcessError(f"{self.name} did not end within {timeout_s} s\n{self.tail()}") from None
        self._reader.join(timeout=2)
        return code

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> int:
        """SIGTERM to the process group; after the timeout SIGKILL to what is left. Returns the exit code."""
        self._signal_group(signal.SIGTERM)
        try:
            self._popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            pass
        return self.kill()

    def kill(self) -> int:
        """SIGKILL to the process group, which stands for a power cut. Returns the exit code."""
        self._signal_group(signal.SIGKILL)
        self._popen.wait()
        self._reader.join(timeout=2)
        if self._popen.stdin:
            try:
                self._popen.stdin.close()
            except OSError:  # what was still buffered has no reader any more
                pass
        self._on_end(self)
        return self._popen.returncode

    def _signal_group(self, number: int) -> None:
        try:
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):  # macOS says the latter of a group of zombies
            pass


class Started:
    """A base class for what runs as long as its `with` block."""

    def start(self) -> None:
        raise NotImplementedError

    def stop(self) -> None:
        """Ends what runs, also after a start that failed midway."""
        raise NotImplementedError

    def __enter__(self: StartedT) -> StartedT:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class Children:
    """The processes of one run. Leaving the `with` block stops them all, newest first."""

    def __init__(self) -> None:
        self._children: list[Child] = []
        self._watchdog: subprocess.Popen[str] | None = None

    def __enter__(self) -> Children:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(
        self,
        name: str,
        argv: Sequence[str | os.PathLike[str]],
        *,
        env: dict[str, str] | None = None,
        base: dict[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        log: Path | None = None,
        echo: Callable[[str], None] | None = None,
        stdin: bool = False,
    ) -> Child:
        """Starts a process. Raises ProcessError.

        base: its environment, None for a copy of this process's. env: added to base. log: a file to which the
        output is appended. echo: is called with each line of output. stdin: whether send_json can be used.
        """
        self._start_watchdog()
        try:
            popen = subprocess.Popen(
                [os.fspath(arg) for arg in argv],
                env={**(os.environ if base is None else base), "PYTHONUNBUFFERED": "1", **(env or {})},
                cwd=cwd,
                stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
            )
        except OSError as error:
            raise ProcessError(f"{name} could not be started: {error}") from error
        self._tell_watchdog(f"+{popen.pid}")
        child = Child(name, popen, log, echo, self._forget)
        self._children.append(child)
        return child

    def stop(self) -> None:
        """Stops every child, newest first, then the watchdog; a second Ctrl-C kills what is left."""
        try:
            while self._children:
                self._children[-1].stop()
        finally:
            while self._children:
                self._children[-1].kill()
            if self._watchdog:
                self._watchdog.communicate()  # closes the pipe, with no group left in it
                self._watchdog = None

    def _forget(self, child: Child) -> None:
        if child in self._children:  # not yet by an earlier stop()
            self._children.remove(child)
            self._tell_watchdog(f"-{child.pid}")

    def _start_watchdog(self) -> None:
        if self._watchdog is None:
            self._watchdog = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _WATCHDOG],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                text=True,
                start_new_session=True,
            )

    def _tell_watchdog(self, line: str) -> None:
        if self._watchdog and self._watchdog.stdin:
            self._watchdog.stdin.write(line + "\n")
            self._watchdog.stdin.flush()
