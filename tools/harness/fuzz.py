"""Gives damaged bytes to every decoder of the pile and the wire, under MicroPython and CPython.

    python -m tools.harness.fuzz --inputs 1000000 --seed 7

Every decoder may refuse with its own error and with no other; tests/fuzz/targets.py says which that is. Each
part of the inputs is a process of its own; its seed and the number of an input bring a finding about again.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from tools import ROOT
from tools.harness.sim_pile import environment, interpreter

PROGRAM = ROOT / "tests" / "fuzz" / "run.py"
PART_INPUTS = 10_000
CPYTHON_EVERY = 4  # one part in four: it is the slower one here, and the cloud's decoders are the same files
TIMEOUT_S = 1_200


@dataclass
class Outcome:
    """Sums over all parts."""

    inputs: int = 0
    by_interpreter: dict[str, int] = field(default_factory=dict)
    taken: dict[str, int] = field(default_factory=dict)
    findings: list[dict[str, Any]] = field(default_factory=list)

    def add(self, name: str, part: dict[str, Any]) -> None:
        self.inputs += part["inputs"]
        self.by_interpreter[name] = self.by_interpreter.get(name, 0) + part["inputs"]
        for target, count in part["taken"].items():
            self.taken[target] = self.taken.get(target, 0) + count
        self.findings += [{"interpreter": name, **finding} for finding in part["findings"]]


def run_part(name: str, inputs: int, seed: int) -> dict[str, Any]:
    """What tests/fuzz/run.py prints. An interpreter that dies is a finding too."""
    command = [sys.executable] if name == "CPython" else interpreter()
    with tempfile.TemporaryDirectory(prefix="ratelock fuzz ") as folder:
        done = subprocess.run(
            [*command, str(PROGRAM), str(inputs), str(seed)],
            cwd=folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
        )
    try:
        return json.loads(done.stdout)
    except ValueError:
        error = f"exit {done.returncode}: {done.stderr[-500:]}"
        return {
            "inputs": 0,
            "taken": {},
            "findings": [{"target": "the interpreter", "input": None, "seed": seed, "error": error}],
        }


def run(inputs: int, seed: int, workers: int) -> Outcome:
    """Splits the inputs into parts, each with a seed that follows from `seed`."""
    parts = []
    left = inputs
    while left > 0:
        number = len(parts)
        name = "CPython" if number % CPYTHON_EVERY == 1 else "MicroPython"
        parts.append((name, min(PART_INPUTS, left), (seed * 10_007 + number) % 2**31))
        left -= PART_INPUTS
    outcome = Outcome()
    with ThreadPoolExecutor(workers) as pool:
        for (name, _, _), part in zip(parts, pool.map(lambda part: run_part(*part), parts), strict=True):
            outcome.add(name, part)
    return outcome


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=int(time.time()) % 1_000_000)
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    started = time.monotonic()
    outcome = run(options.inputs, options.seed, os.cpu_count() or 1)
    each = ", ".join(f"{count} under {name}" for name, count in sorted(outcome.by_interpreter.items()))
    print(f"inputs      {outcome.inputs} in {time.monotonic() - started:.0f} s: {each}")
    for target, count in sorted(outcome.taken.items()):
        print(f"  {target:20} {count} taken")
    print(f"findings    {len(outcome.findings)}")
    for finding in outcome.findings[:20]:
        print("  " + json.dumps(finding))
    failed = bool(outcome.findings) or outcome.inputs != options.inputs
    print("FUZZ FAILED" if failed else "FUZZ OK")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
