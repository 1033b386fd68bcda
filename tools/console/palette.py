"""Colours by meaning, from the chosen theme. A word has the same colour everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rich.text import Text
from textual.theme import Theme

from pile_protocol import topics
from tools.console import reading as readings
from tools.console.model import Presence

THEME = Theme(
    name="ratelock",
    primary="#3fb8af",
    secondary="#6c8ebf",
    accent="#f2b544",
    foreground="#d8dee6",
    background="#0e1319",
    surface="#141b23",
    panel="#1b2430",
    success="#5fd38d",
    warning="#f2b544",
    error="#ff6b6b",
    dark=True,
    variables={"block-cursor-text-style": "none", "border": "#3fb8af"},
)

SEAL_MARKS = {readings.GOOD: "✓", readings.BAD: "✗", readings.UNCHECKED: "?", readings.UNSEALED: " "}


@dataclass(frozen=True)
class Palette:
    """Rich styles."""

    primary: str
    secondary: str
    accent: str
    good: str
    warn: str
    bad: str
    dim: str = "dim"

    @classmethod
    def of(cls, variables: Mapping[str, str]) -> Palette:
        """From a theme's variables."""
        return cls(
            primary=variables["primary"],
            secondary=variables["secondary"],
            accent=variables["accent"],
            good=variables["success"],
            warn=variables["warning"],
            bad=variables["error"],
        )

    def of_status(self, word: str) -> str:
        """The style of a connector's status."""
        return {
            "Available": self.good,
            "Preparing": self.secondary,
            "Charging": self.primary,
            "SuspendedEV": self.warn,
            "SuspendedEVSE": self.warn,
            "Finishing": self.secondary,
            "Faulted": f"bold {self.bad}",
            "Emergency stop": f"bold {self.bad}",
        }.get(word, self.dim)

    def of_seal(self, state: str) -> str:
        return {readings.GOOD: self.good, readings.BAD: f"bold {self.bad}"}.get(state, self.dim)

    def seal(self, state: str) -> Text:
        return Text(SEAL_MARKS[state], self.of_seal(state))

    def of_topic(self, name: str | None) -> str:
        """Messages of the cloud and of piles have different colours."""
        if name is None:
            return self.warn
        return self.accent if name in topics.DOWNWARD else self.primary

    def presence(self, presence: Presence) -> Text:
        mark, style = {
            Presence.ONLINE: ("●", self.good),
            Presence.OFFLINE: ("○", self.bad),
            Presence.SILENT: ("◐", self.warn),
            Presence.UNKNOWN: ("·", self.dim),
        }[presence]
        return Text(mark, style)
