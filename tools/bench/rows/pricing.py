"""A bill of 96 price steps in MicroPython, against the same sum in bare integers."""

from __future__ import annotations

from pathlib import Path

from tools.bench import device_run, machine
from tools.bench.figures import Figure

TITLE = "Pricing 96 steps"


def measure(data: Path, rounds: int, scale: float) -> list[Figure]:
    figures = []
    for interpreter in machine.interpreters():
        runs = [device_run.run(interpreter, "pricing", max(50, int(1000 * scale))) for _ in range(rounds)]
        for label, ours, baseline, baseline_name in (
            ("bill with its 192 lines", "bill", "bare_lines", "the same lines, unrounded, in bare integers"),
            (
                "bill with 4 tiers and staying on as well",
                "components",
                "bare_components",
                "the same lines, unrounded, in bare integers",
            ),
            ("total alone", "total", "bare_total", "the same sum in bare integers"),
        ):
            mine = [run[ours] for run in runs]
            bare = [run[baseline] for run in runs]
            figures.append(Figure(f"{label}, {interpreter.name}", "µs", mine, bare, baseline_name, at_most=3))
        bills, sums = [run["bill"] for run in runs], [run["bare_total"] for run in runs]
        figures.append(
            Figure(
                f"bill with its 192 lines, {interpreter.name}", "µs", bills, sums, "the sum without any line"
            )
        )
    return figures
