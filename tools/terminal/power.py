"""The power of a pile over the last minutes, one value a second, whatever the rhythm of its messages."""

from __future__ import annotations

from collections import deque

KEPT_S = 180


class PowerCurve:
    """`put` holds until the next one; seconds without a message repeat the last value."""

    def __init__(self) -> None:
        self._values_mw: deque[int] = deque(maxlen=KEPT_S)
        self._last_s = 0

    def put(self, at_s: int, power_mw: int) -> None:
        """An earlier second than the newest counts as the newest: clocks are set back at times."""
        if self._values_mw and at_s <= self._last_s:
            self._values_mw[-1] = power_mw
            return
        if self._values_mw:
            self._extend(at_s - 1)
        self._values_mw.append(power_mw)
        self._last_s = at_s

    def values_mw(self, now_s: int) -> list[int]:
        """The last KEPT_S seconds up to `now_s`, oldest first."""
        if self._values_mw:
            self._extend(now_s)
        return list(self._values_mw)

    def _extend(self, until_s: int) -> None:
        missing = until_s - self._last_s
        if missing > 0:
            self._values_mw.extend([self._values_mw[-1]] * min(missing, KEPT_S))
            self._last_s = until_s
