"""A capture as a source of events: at the recorded speed, or as fast as the events can be shown."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from tools.console.capture import Reader
from tools.console.event_queue import EventQueue


class Replay:
    """Raises CaptureError where the file is no capture."""

    can_command = False

    def __init__(self, path: Path, fast: bool, event_queue: EventQueue):
        self.name = f"replay of {path.name}"
        self._reader = Reader(path)
        self._fast = fast
        self._event_queue = event_queue
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="replay", daemon=True)
        self._at_ms = 0

    @property
    def damaged(self) -> int:
        """Lines passed over because they were damaged."""
        return self._reader.damaged

    def now_ms(self) -> int:
        """The capture's time: that of its newest event so far."""
        return self._at_ms

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ending.set()
        self._event_queue.end()
        if self._thread.is_alive():
            self._thread.join()

    def publish(self, topic: str, payload: bytes) -> bool:
        """Nothing is ever sent out of a replay."""
        return False

    def _run(self) -> None:
        started_s = time.monotonic()
        first_ms = None
        for event in self._reader.events():
            if first_ms is None:
                first_ms = event.at_ms
            if not self._fast:
                due_s = started_s + (event.at_ms - first_ms) / 1000
                self._ending.wait(max(0, due_s - time.monotonic()))
            if self._ending.is_set():
                return
            self._at_ms = max(self._at_ms, event.at_ms)
            self._event_queue.put(event, wait=True)
        self._event_queue.end()
