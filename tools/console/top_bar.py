"""The top line: link, piles, power and faults, as much as the width of the terminal allows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text

from tools.console.formatting import clean, grouped, kw
from tools.console.model import Model, Presence
from tools.console.palette import Palette

_GAPS = ("   ", "  ")


@dataclass(frozen=True)
class Facts:
    """What the line shows besides the model; recorded: messages in the capture, None without one."""

    source: str
    is_live: bool
    ended: bool
    lost: int  # messages dropped because the queue was full
    recorded: int | None
    keys: int
    keys_from: str


@dataclass
class _Part:
    """variants: from the longest to the shortest, which may be empty. rank: the lowest is shortened first."""

    rank: int
    variants: list[Text]

    @property
    def text(self) -> Text:
        return self.variants[0]


def bar(model: Model, facts: Facts, now_ms: int, width: int, palette: Palette) -> Text:
    """One line of at most `width` columns, if the shortest variants fit."""
    parts = _parts(model, facts, now_ms, palette)
    by_rank = sorted(parts, key=lambda part: part.rank)
    gap = _GAPS[0]
    while _length(parts, gap) > width:
        shortest = next((part for part in by_rank if len(part.variants) > 1), None)
        if gap != _GAPS[-1]:
            gap = _GAPS[-1]
        elif shortest is None:
            break
        else:
            del shortest.variants[0]
    line = Text(gap, no_wrap=True, overflow="ellipsis").join(part.text for part in parts if part.text)
    line.no_wrap, line.overflow = True, "ellipsis"
    return line


def _length(parts: Sequence[_Part], gap: str) -> int:
    shown = [part.text.cell_len for part in parts if part.text]
    return sum(shown) + len(gap) * max(0, len(shown) - 1)


def _parts(model: Model, facts: Facts, now_ms: int, palette: Palette) -> list[_Part]:
    piles = model.piles.values()
    up = model.link.up
    dot = Text("●" if up else "○", palette.good if up else f"bold {palette.bad}")
    source = clean(facts.source, 80)
    parts = [
        _Part(1, [Text("RateLock", f"bold {palette.primary}"), Text()]),
        _Part(4, [dot + Text(each) for each in (" " + source, " " + source.rpartition("/")[2], "")]),
    ]
    if not up and facts.is_live:
        text, style = clean(model.link.text, 80), f"bold {palette.bad}"
        parts.append(_Part(2, [Text(each, style) for each in (text, text.partition(":")[0])]))
    if facts.ended:
        parts.append(_Part(9, [Text("ended", palette.warn)]))
    online = sum(1 for pile in piles if pile.presence(now_ms) is Presence.ONLINE)
    powers_mw = [pile.power_mw(now_ms) for pile in piles]
    faults = sum(1 for pile in piles if pile.faults)
    for number, words, style in (
        (online, ("online", "on"), palette.good),
        (sum(1 for each in powers_mw if each), ("charging", "chg"), palette.primary),
        (faults, ("faulted", "flt"), palette.bad if faults else palette.dim),
    ):
        count = Text(grouped(number), f"bold {style}")
        parts.append(_Part(7, [count + Text(f" {word}", palette.dim) for word in words]))
    parts.append(_Part(9, [Text(kw(sum(powers_mw)), f"bold {palette.accent}")]))
    rate = grouped(model.rate(now_ms))
    parts.append(_Part(6, [Text(f"{rate} msg/s", palette.dim), Text(f"{rate}/s", palette.dim)]))
    for number, words, short in (
        (model.bad_seal_count, "bad seals", "seals"),
        (model.problem_count, "wrong", "wrong"),
        (facts.lost, "lost here", "lost"),
        (model.untracked_count, "of piles beyond count", "beyond"),
        (model.losses, "broker losses", "losses"),
    ):
        if number:
            variants = [Text(f"{grouped(number)} {word}", palette.warn) for word in (words, short)]
            parts.append(_Part(5, variants))
    if facts.recorded is not None:
        mark, count = Text("● ", palette.bad), grouped(facts.recorded)
        parts.append(_Part(8, [mark + Text(f"{word}{count}", palette.dim) for word in ("rec ", "")]))
    keys = [f"{facts.keys} keys ({clean(facts.keys_from, 30)})", f"{facts.keys} keys"]
    parts.append(_Part(3, [Text(each, palette.dim) for each in keys]))
    return parts
