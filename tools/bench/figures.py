"""A measured figure: samples of RateLock and of its baseline, taken in turns, and their ratio."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median
from typing import Any

ROUNDS = 5


@dataclass
class Figure:
    """One line of the table. `ours` and `baseline` have one sample per round, in `unit`.

    Without a baseline there is no ratio. at_least, at_most: bounds of the ratio ours / baseline. limit: the
    largest good value of `ours`.
    """

    label: str
    unit: str
    ours: list[float]
    baseline: list[float] = field(default_factory=list)
    baseline_name: str = ""
    at_least: float | None = None
    at_most: float | None = None
    limit: float | None = None

    def ratios(self) -> list[float]:
        """The ratio of each round, whose two samples were taken under the same load of the machine."""
        return [mine / bare for mine, bare in zip(self.ours, self.baseline, strict=False) if bare]

    @property
    def ratio(self) -> float | None:
        ratios = self.ratios()
        return median(ratios) if ratios else None

    @property
    def met(self) -> bool | None:
        """Whether every bound is kept; None where there is none."""
        ratio = self.ratio
        checks = []
        if self.at_least is not None and ratio is not None:
            checks.append(ratio >= self.at_least)
        if self.at_most is not None and ratio is not None:
            checks.append(ratio <= self.at_most)
        if self.limit is not None:
            checks.append(max(self.ours) <= self.limit)
        return all(checks) if checks else None

    @property
    def target(self) -> str:
        words = []
        if self.at_least is not None:
            words.append(f"≥ {self.at_least:g}x")
        if self.at_most is not None:
            words.append(f"≤ {self.at_most:g}x")
        if self.limit is not None:
            words.append(f"≤ {self.limit:g} {self.unit}")
        return ", ".join(words) or "stated"

    def as_json(self) -> dict[str, Any]:
        return {
            "label": self.label,
            "unit": self.unit,
            "ours": self.ours,
            "baseline": self.baseline,
            "baseline_name": self.baseline_name,
            "ratio": self.ratio,
            "ratio_spread": [min(self.ratios()), max(self.ratios())] if self.ratios() else None,
            "target": self.target,
            "at_least": self.at_least,
            "at_most": self.at_most,
            "limit": self.limit,
            "met": self.met,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Figure:
        names = ("label", "unit", "ours", "baseline", "baseline_name", "at_least", "at_most", "limit")
        return cls(**{name: data[name] for name in names})


def interleave(
    rounds: int, ours: Callable[[], float], baseline: Callable[[], float]
) -> tuple[list[float], list[float]]:
    """Samples of both in turns. The order changes with each round."""
    mine: list[float] = []
    bare: list[float] = []
    for number in range(rounds):
        pairs = [(mine, ours), (bare, baseline)]
        for samples, measure in pairs if number % 2 == 0 else reversed(pairs):
            samples.append(measure())
    return mine, bare


def percentile(samples: list[float], percent: float) -> float:
    """The nearest-rank percentile; samples may be in any order."""
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]
