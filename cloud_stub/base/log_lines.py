"""Writing log lines to stderr. A line that cannot be written is dropped and counted; nothing else happens."""

import os
import queue
import sys
import threading

from .threads import Threads

QUEUED_MAX = 10_000  # lines; further ones are dropped
FLUSH_S = 1  # how long the end of the process waits for the last lines
_STDERR = 2


class Lines:
    """Where log lines go. `dropped` counts those that could not be written or found the queue full."""

    def __init__(self) -> None:
        self.dropped = 0
        self._queue: queue.Queue[str | None] | None = None
        self._threads: Threads | None = None
        self._thread: threading.Thread | None = None
        self._cut_off = False  # the last line was written in part only

    def msg(self, line: str) -> None:
        """Write one line, or queue it. Never raises."""
        if self._queue is None:
            try:
                sys.stderr.write(line + "\n")
                sys.stderr.flush()
            except (OSError, ValueError):  # ValueError: the file is closed
                self.dropped += 1
            return
        try:
            self._queue.put_nowait(line)
        except queue.Full:
            self.dropped += 1

    log = debug = info = warning = warn = error = critical = exception = fatal = failure = err = msg

    def start(self, threads: Threads) -> None:
        """From here on a thread writes, straight to the descriptor: what a buffer keeps after an error would
        be written again when the process ends, and make it end with another code.
        """
        self._queue, self._threads = queue.Queue(QUEUED_MAX), threads
        self._thread = threads.start("log", self._write_queued)

    def stop(self) -> None:
        """Write what is queued, for FLUSH_S at most. Later lines are written by the thread that logs, unless
        stderr takes nothing: then they are dropped.
        """
        queued = self._queue
        if queued is None or self._thread is None or self._threads is None:
            return
        self._threads.expect_end("log")
        try:
            queued.put(None, timeout=FLUSH_S)
        except queue.Full:
            return
        self._thread.join(FLUSH_S)
        if not self._thread.is_alive():
            self._queue = None

    def _write_queued(self) -> None:
        lines = self._queue
        while lines is not None:
            line = lines.get()
            if line is None:
                return
            self._write(line)

    def _write(self, line: str) -> None:
        data = (("\n" if self._cut_off else "") + line + "\n").encode("utf-8", "backslashreplace")
        try:
            while data:
                data = data[os.write(_STDERR, data) :]
                self._cut_off = bool(data)
        except OSError:
            self.dropped += 1


lines = Lines()
