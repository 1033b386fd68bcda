"""Writes the figures as JSON (docs/performance.json) and as a page with charts (docs/performance.md)."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median
from typing import Any

from tools import ROOT
from tools.bench.figures import Figure

JSON_FILE = ROOT / "docs" / "performance.json"
PAGE = ROOT / "docs" / "performance.md"
SUMMARY = Path(__file__).resolve().parent / "summary.md"
NOTES = Path(__file__).resolve().parent / "notes.md"

_HEAD = """\
<!-- Written by `make bench`; the texts are tools/bench/summary.md and notes.md. -->
# Performance

{summary}Each row sets RateLock against a *baseline*: a small program (tools/bench) that uses the same parts
with no business logic, in the same run, in turns. Only the ratios are to be compared between machines. A
figure is the median of its rounds, the ratio the median of each round's own; in brackets the least and the
most.

"""


def load(path: Path = JSON_FILE) -> dict[str, Any]:
    """The figures of earlier runs; {} before the first run."""
    return json.loads(path.read_text()) if path.exists() else {}


def save(
    found: dict[str, Any], titles: dict[str, str], json_file: Path = JSON_FILE, page: Path = PAGE
) -> None:
    """found: row name -> {"at", "machine", "rounds", "figures"}. Rows that did not run keep their figures."""
    json_file.parent.mkdir(parents=True, exist_ok=True)
    json_file.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    parts = [_HEAD.format(summary=SUMMARY.read_text())]
    machines: list[dict[str, str]] = []
    for name, title in titles.items():
        if name not in found:
            continue
        row = found[name]
        if row["machine"] not in machines:
            machines.append(row["machine"])
        figures = [Figure.from_json(each) for each in row["figures"]]
        run = f"{row['at']}, {row['rounds']} rounds, machine {machines.index(row['machine']) + 1}"
        parts.append(
            f"## {title}\n\n`make bench ONLY={name}`, {run}.\n\n{table(figures)}\n{chart(title, figures)}"
        )
    parts.append("## Machines\n\n")
    for number, machine in enumerate(machines, 1):
        parts.append(f"{number}. " + "; ".join(f"{key}: {value}" for key, value in machine.items()) + "\n")
    if NOTES.exists():
        parts.append("\n" + NOTES.read_text())
    page.write_text("".join(parts))


def table(figures: list[Figure]) -> str:
    lines = ["| what | RateLock | baseline | ratio | target | |", "|---|---|---|---|---|---|"]
    for figure in figures:
        baseline = (
            f"{spread(figure.baseline)} {figure.unit}<br>{figure.baseline_name}" if figure.baseline else "-"
        )
        ratio = spread(figure.ratios(), figure.ratio) + "x" if figure.ratio else "-"
        verdict = {True: "met", False: "**short**", None: ""}[figure.met]
        cells = (
            figure.label,
            f"{spread(figure.ours)} {figure.unit}",
            baseline,
            ratio,
            figure.target,
            verdict,
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def spread(samples: list[float], middle: float | None = None) -> str:
    """The median, and in brackets minimum and maximum if they differ."""
    if not samples:
        return "-"
    shown = number(median(samples) if middle is None else middle)
    low, high = number(min(samples)), number(max(samples))
    return shown if low == high else f"{shown} [{low} .. {high}]"


def number(value: float) -> str:
    """A number with three significant digits."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def chart(title: str, figures: list[Figure]) -> str:
    """The ratios of a row as bars; empty if it has fewer than two."""
    shown = [figure for figure in figures if figure.ratio is not None]
    if len(shown) < 2:
        return ""
    names = ", ".join('"' + _short(figure.label) + '"' for figure in shown)
    values = ", ".join(f"{figure.ratio:.3g}" for figure in shown)
    lines = (
        "xychart-beta horizontal",
        f'title "{title}: RateLock / baseline"',
        f"x-axis [{names}]",
        f"bar [{values}]",
    )
    return "\n```mermaid\n" + "\n    ".join(lines) + "\n```\n"


def _short(label: str) -> str:
    return label.replace('"', "'")[:40]
