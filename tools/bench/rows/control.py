"""The control step of one connector that charges, against an empty switch of the asyncio loop."""

from __future__ import annotations

from pathlib import Path

from tools.bench import device_run, machine
from tools.bench.figures import Figure

TITLE = "Control step"
BASELINE = "an empty asyncio loop switch"
ESP32_TIMES_SLOWER = 150
PERIOD_MS = 100
PERIOD_SHARE = 0.05


def measure(data: Path, rounds: int, scale: float) -> list[Figure]:
    figures = []
    for interpreter in machine.interpreters():
        runs = [device_run.run(interpreter, "control", max(400, int(40_000 * scale))) for _ in range(rounds)]
        switch = [run["switch"] for run in runs]
        name = interpreter.name
        figures += [
            Figure(f"decide (step), {name}", "µs", [run["step"] for run in runs], switch, BASELINE),
            Figure(f"decide and record, {name}", "µs", [run["cycle"] for run in runs], switch, BASELINE),
            Figure(
                f"a second's checkpoint, {name}", "µs", [run["checkpoint"] for run in runs], switch, BASELINE
            ),
            Figure(
                f"decide and record on an ESP32, estimated from {name}",
                "ms",
                [run["cycle"] * ESP32_TIMES_SLOWER / 1000 for run in runs],
                limit=PERIOD_MS * PERIOD_SHARE,
            ),
        ]
    return figures
