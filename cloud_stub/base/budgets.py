"""Limits how often something may happen for each name, such as a pile: a token bucket for each name."""

import time
from collections import OrderedDict
from collections.abc import Hashable

NAMES_KEPT = 20_000


class Budget:
    """Each name may have `burst` at once after a quiet time, then one in each `period_s`. For one thread
    only.
    """

    def __init__(self, burst: int, period_s: int):
        self._burst_ns = burst * period_s * 1_000_000_000
        self._period_ns = period_s * 1_000_000_000
        self._paid_until: OrderedDict[Hashable, int] = OrderedDict()

    def take(self, name: Hashable) -> bool:
        """Take one out of the name's budget. False if the budget is used up; that call does not count."""
        now = time.monotonic_ns()
        paid_until = max(self._paid_until.get(name, now), now) + self._period_ns
        if paid_until - now > self._burst_ns:
            return False
        self._paid_until[name] = paid_until
        self._paid_until.move_to_end(name)
        if len(self._paid_until) > NAMES_KEPT:
            self._paid_until.popitem(last=False)
        return True
