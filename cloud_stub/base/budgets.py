"""How often something may happen for one name, such as a pile: a token bucket for each."""

import time
from collections import OrderedDict
from collections.abc import Hashable

NAMES_KEPT = 20_000


class Budget:
    """For one name: `burst` at once after a quiet time, then one each `period_s`. Safe in one thread only."""

    def __init__(self, burst: int, period_s: int):
        self._burst_ns = burst * period_s * 1_000_000_000
        self._period_ns = period_s * 1_000_000_000
        self._paid_until: OrderedDict[Hashable, int] = OrderedDict()

    def take(self, name: Hashable) -> bool:
        """Whether one more is within the budget; it counts only then."""
        now = time.monotonic_ns()
        paid_until = max(self._paid_until.get(name, now), now) + self._period_ns
        if paid_until - now > self._burst_ns:
            return False
        self._paid_until[name] = paid_until
        self._paid_until.move_to_end(name)
        if len(self._paid_until) > NAMES_KEPT:
            self._paid_until.popitem(last=False)
        return True
