"""The power of a pile over the last minutes, one value per second at any rate of messages."""

from __future__ import annotations

from collections import deque

KEPT_S = 180
HOLD_S = 30


class PowerCurve:
    """A value of `put` counts until the next one, but at most for HOLD_S. After that the power is unknown."""

    def __init__(self) -> None:
        self._values_mw: deque[int] = deque(maxlen=KEPT_S)
        self._last_s = 0
        self._put_s = 0

    def put(self, at_s: int, power_mw: int) -> None:
        """An earlier second than the newest counts as the newest: clocks are set back at times."""
        if self._values_mw and at_s <= self._last_s:
            self._values_mw[-1] = power_mw
            self._put_s = self._last_s
            return
        if self._values_mw:
            self._extend(at_s - 1)
        self._values_mw.append(power_mw)
        self._last_s = self._put_s = at_s

    def values_mw(self, now_s: int) -> list[int]:
        """The last KEPT_S seconds up to `now_s`, oldest first."""
        if self._values_mw:
            self._extend(now_s)
        return list(self._values_mw)

    def _extend(self, until_s: int) -> None:
        held = min(until_s, self._put_s + HOLD_S) - self._last_s
        if held > 0:
            self._values_mw.extend([self._values_mw[-1]] * min(held, KEPT_S))
            self._last_s += held
        unknown = until_s - self._last_s
        if unknown > 0:
            self._values_mw.extend([0] * min(unknown, KEPT_S))
            self._last_s = until_s
