"""Chaos among several workers of the cloud."""

from __future__ import annotations

import random

from tools.harness.chaos import Chaos
from tools.harness.workers import Workers


class WorkersChaos(Chaos):
    """Chaos whose confirmations go to any of the workers that live."""

    def __init__(self, workers: Workers, piles: int, seed: int):
        self._workers = workers
        self._choice = random.Random(seed)
        super().__init__(workers.system, piles, seed)

    def base_url(self) -> str:
        return self._choice.choice(self._workers.workers).base_url

    def confirm_on_all(self) -> None:
        for pile in self.piles:
            self._confirm(pile)
