"""The output: one line per event, and a progress line that is overwritten. Colour on a terminal only."""

from __future__ import annotations

import os
import sys

COLOURS = {
    "system": "2",
    "phone": "36",
    "cloud": "34",
    "payment": "35",
    "broker": "35",
    "pile": "32",
    "operator": "33",
    "receipt": "1",
}
RED = "31"


class Screen:
    def __init__(self) -> None:
        self._is_terminal = sys.stdout.isatty()
        self._is_coloured = self._is_terminal and not os.environ.get("NO_COLOR")
        self._has_progress = False

    def say(self, actor: str, text: str) -> None:
        """One line of the story."""
        self._end_progress()
        print(f"{self._coloured(f'{actor:>8}', COLOURS[actor])}  {text}", flush=True)

    def progress(self, actor: str, text: str) -> None:
        """A line that the next of its kind replaces; where output is no terminal, a line like any other."""
        if not self._is_terminal:
            self.say(actor, text)
            return
        print(f"\r\x1b[K{self._coloured(f'{actor:>8}', COLOURS[actor])}  {text}", end="", flush=True)
        self._has_progress = True

    def fail(self, text: str) -> None:
        self._end_progress()
        print(self._coloured(text, RED), flush=True)

    def plain(self, text: str = "") -> None:
        self._end_progress()
        print(text, flush=True)

    def _end_progress(self) -> None:
        if self._has_progress:
            print(flush=True)
            self._has_progress = False

    def _coloured(self, text: str, colour: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._is_coloured else text


def money(minor: int, digits: int) -> str:
    """660 with 2 digits: "6.60"."""
    if not digits:
        return str(minor)
    whole, part = divmod(minor, 10**digits)
    return f"{whole}.{part:0{digits}d}"


def kwh(mwh: int) -> str:
    """5080000: "5.080"; cut, not rounded."""
    return f"{mwh // 10**6}.{mwh % 10**6 // 1000:03d}"


def unit_price(price: int) -> str:
    """800000, millionths of the currency per kWh: "0.80"."""
    whole, part = divmod(price, 10**6)
    digits = f"{part:06d}".rstrip("0").ljust(2, "0")
    return f"{whole}.{digits}"
