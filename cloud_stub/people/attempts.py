"""Limits on guessing passwords, by account, and on the audit lines about what was refused. (http/access.py
limits the requests of each address besides.)

An account takes BURST attempts at once, then one in each PERIOD_S. Attempts from the network that it last
signed in from count apart, so whoever guesses from elsewhere does not keep its owner out. For one event loop
only; each worker counts by itself.
"""

from ..base.budgets import Budget

BURST = 20
PERIOD_S = 30
LINES_BURST = 10  # audit lines about refusals of one account at once,
LINES_PERIOD_S = 600  # then one in each such time

ELSEWHERE = ""


class Lines:
    """Bounds the audit lines about what was refused, by account."""

    def __init__(self) -> None:
        self._budget = Budget(LINES_BURST, LINES_PERIOD_S)
        self._unwritten: dict[str, int] = {}

    def take(self, name: str) -> int | None:
        """After a refusal: None if it gets no audit line, else how many before it had none.

        name: of an account; "" for all names that no account has.
        """
        if not self._budget.take(name):
            self._unwritten[name] = self._unwritten.get(name, 0) + 1
            return None
        return self._unwritten.pop(name, 0)


class Attempts:
    def __init__(self) -> None:
        self._attempts = Budget(BURST, PERIOD_S)

    def take(self, name: str, network: str, known_network: str | None) -> bool:
        """Whether a password for `name` may be tried from `network`. This counts as a try."""
        return self._attempts.take((name, network if network == known_network else ELSEWHERE))


def unwritten_words(unwritten: int) -> str:
    """What a line's detail says of those before it that had none."""
    return f", {unwritten} more since the last line" if unwritten else ""
