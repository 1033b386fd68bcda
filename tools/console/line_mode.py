"""The console without a screen: prints every event as one line on stdout as soon as it arrives."""

from __future__ import annotations

import os
import sys
from typing import TextIO

from pile_protocol import topics
from tools.console import message_lines
from tools.console.capture import LinkChange, Recorder
from tools.console.event_queue import EventQueue
from tools.console.keys import Keys
from tools.console.model import PILES_MAX
from tools.console.mqtt_source import Live
from tools.console.reading import Reading, read
from tools.console.replay import Replay
from tools.console.summary import UNKNOWN_MONEY, Money

BATCH = 500
WAIT_S = 1
REFUSED = 1


class LineMode:
    """out: where lines go; news of the link goes to stderr with --plain, and into the stream with --json."""

    def __init__(
        self, source: Live | Replay, event_queue: EventQueue, keys: Keys, as_json: bool, out: TextIO
    ):
        self._source = source
        self._event_queue = event_queue
        self._keys = keys
        self._as_json = as_json
        self._out = out
        self._money: dict[str, Money] = {}  # of each pile's latest rate
        self._lost = 0

    def run(self, recorder: Recorder | None, count: int | None) -> int:
        """Until the source ends, or `count` messages were written. Returns the exit code."""
        written = 0
        while not self._event_queue.exhausted:
            wanted = BATCH if count is None else min(BATCH, count - written)
            events = self._event_queue.take(wanted, WAIT_S)
            for event in events:
                if isinstance(event, LinkChange):
                    self._write_link(event)
                else:
                    self._write(read(event, self._keys.get))
                    written += 1
            if events:
                self._out.flush()
                if recorder:
                    recorder.write(events)
            self._tell_lost()
            if isinstance(self._source, Live) and self._source.refused.is_set():
                return REFUSED
            if count is not None and written >= count:
                break
        if isinstance(self._source, Replay) and self._source.damaged:
            _say(f"{self._source.damaged} damaged lines of the capture were passed over")
        return 0

    def _write(self, reading: Reading) -> None:
        if self._as_json:
            self._out.write(message_lines.as_json(reading) + "\n")
            return
        value = reading.value
        if reading.name == topics.RATE and reading.is_trusted and value and len(self._money) < PILES_MAX:
            self._money[reading.device_id or ""] = (value["currency"], value["minor_digits"])
        known = self._money.get(reading.device_id or "", UNKNOWN_MONEY)
        self._out.write(message_lines.plain(reading, known) + "\n")

    def _write_link(self, change: LinkChange) -> None:
        if self._as_json:
            self._out.write(message_lines.json_link(change) + "\n")
        else:
            print(message_lines.plain_link(change), file=sys.stderr, flush=True)

    def _tell_lost(self) -> None:
        if self._event_queue.lost != self._lost:
            _say(f"{self._event_queue.lost - self._lost} messages were lost here: the reader is too slow")
            self._lost = self._event_queue.lost


def _say(text: str) -> None:
    print("console: " + text, file=sys.stderr, flush=True)


def leave_broken_pipe() -> None:
    """Discards the buffered output after the reader has closed the pipe, so that the exit raises no error."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
