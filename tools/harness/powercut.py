"""Cuts the power at every flash operation of whole orders and of updates, and measures the flash's wear by
charging.

    python -m tools.harness.powercut --seed 7            the long form (some minutes)
    python -m tools.harness.powercut --plots bus coarse  of the long form, only the stories of these names
    python -m tools.harness.powercut --short             what the tests run

The firmware's own storage and controller run under MicroPython on a simulated NOR flash; see
tests/powercut/rig/. Exit status 1 where a promise was broken or a target missed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from pile_protocol.components import COMPONENTS
from tools import ROOT
from tools.harness.sim_pile import interpreter

RIG = ROOT / "tests" / "powercut" / "rig"
PLOTS = (
    "pulse",
    "memory",
    "two",
    "two-memory",
    "no-clock",
    "no-clock-memory",
    "unplugged",
    "bus",
    "coarse",
    "two-sampled",
    "watchdog",
)
# Stories about price components, one for each combination of them: time, ..., time+tiers, ...
PRICES = tuple("+".join(some) for n in range(1, len(COMPONENTS) + 1) for some in combinations(COMPONENTS, n))
TEARS = ("clean", "part", "noise", "whole")
SWITCHES = ("confirm", "fall", "crash")  # how the trial of an update ends: tests/powercut/rig/switches.py
UPDATES = ("confirmed", "back", "order", "configuration", "configuration-back")  # rig/updates.py
PROGRAMS = {"switch": "switches.py", "update": "updates.py"}  # of the rig, by the first word of a job
LOST_MAX_MS = 2_000
LIFE_MIN_YEARS = 20
BLOCKS = 512
CYCLES = 100_000
HOURS_A_YEAR = 8_766
CHARGE_HOURS = 12
CHECKPOINT_HOURS = 600  # about a hundred erases for each block: long enough to see how even they are
TIMEOUT_S = 3_600


class RigError(Exception):
    """A program of the rig failed; the text is what it printed."""


@dataclass
class Figures:
    """Sums and worst values over many stories. Of the worst order that one cut hit: lost_mwh, which is
    lost_ms of charging, was known to the pile and is not billed; unbilled_mwh was delivered and is not
    billed, whether the meter had shown it or not; lost_use_ms of charging or staying was known to the pile
    and is not billed. cuts_of: the cuts by price component.
    """

    stories: int = 0
    cuts: int = 0
    remounts: int = 0
    lost_mwh: int = 0
    lost_ms: int = 0
    unbilled_mwh: int = 0
    lost_use_ms: int = 0
    cuts_of: dict[str, int] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)

    def add(self, job: str, part: dict[str, Any]) -> None:
        self.stories += part["stories"]
        self.cuts += part["cuts"]
        self.remounts += part["remounts"]
        self.lost_mwh = max(self.lost_mwh, part["lost_mwh"])
        self.lost_ms = max(self.lost_ms, part["lost_ms"])
        self.unbilled_mwh = max(self.unbilled_mwh, part["unbilled_mwh"])
        self.lost_use_ms = max(self.lost_use_ms, part.get("lost_use_ms", 0))
        for word in job.split()[1].split("+"):
            if word in COMPONENTS:
                self.cuts_of[word] = self.cuts_of.get(word, 0) + part["cuts"]
        self.violations += [f"{job}: {text}" for text in part["violations"]]


@dataclass(frozen=True)
class Wear:
    """Block erases over some hours of charging: of all blocks, and of the one erased most often."""

    hours: int
    erases: int
    worst: int

    @property
    def years_by_mean(self) -> int:
        return BLOCKS * CYCLES * self.hours // self.erases // HOURS_A_YEAR

    @property
    def years_by_worst(self) -> int:
        return CYCLES * self.hours // self.worst // HOURS_A_YEAR


def command(program: str, *arguments: str) -> list[str]:
    """The command line of a program of the rig."""
    return [*interpreter(), "-X", "heapsize=16M", str(RIG / program), *arguments]


def environment() -> dict[str, str]:
    return {**os.environ, "MICROPYPATH": f"{RIG}:{ROOT / 'firmware'}:.frozen"}


def run(program: str, *arguments: str) -> dict[str, Any]:
    """The JSON object that a program of the rig prints. Raises RigError."""
    done = subprocess.run(
        command(program, *arguments),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_S,
    )
    try:
        return json.loads(done.stdout)
    except ValueError:
        raise RigError(f"{program} {' '.join(arguments)}:\n{done.stdout[-4_000:]}") from None


def short_jobs(seed: int) -> list[tuple[str, ...]]:
    """At least 500 cuts in a few seconds."""
    age = str(seed % 50)
    return [
        ("once", "pulse", age, "clean", str(seed)),
        ("once", "memory", age, "whole", str(seed)),
        ("once", "two", age, "noise", str(seed)),
        ("once", "two-memory", age, "part", str(seed)),
        ("once", "no-clock", age, "part", str(seed)),
        ("once", "unplugged", age, "noise", str(seed)),
        ("once", "watchdog", age, "clean", str(seed)),
        ("once", "bus", age, "part", str(seed)),
        ("once", "coarse", age, "noise", str(seed)),
        ("once", "two-sampled", age, "whole", str(seed)),
        ("twice", "two", age, "29", str(seed)),
        ("some", "+".join(COMPONENTS), age, "4", str(seed)),
        ("some", "tiers+idle", age, "4", str(seed)),
        ("switch", "confirm", age, "noise", str(seed)),
        ("switch", "fall", age, "part", str(seed)),
        ("switch", "crash", age, "clean", str(seed)),
        ("update", "order", age, "noise", str(seed), "4", "1"),
        ("update", "back", age, "part", str(seed), "4", "2"),
        ("update", "configuration-back", age, "clean", str(seed), "1", "1"),
    ]


def long_jobs(seed: int, plots: Sequence[str] = PLOTS) -> list[tuple[str, ...]]:
    """Every one of `plots` with every kind of cut on flash of several ages, and cuts during the recovery from
    cuts.
    """
    jobs: list[tuple[str, ...]] = []
    if plots == PLOTS:
        jobs.append(("twice", PRICES[-1], str(seed % 50), "7", str(seed)))
        for number, plot in enumerate(PRICES):
            jobs.append(("once", plot, str(seed % 50), TEARS[number % len(TEARS)], str(seed)))
    for plot in plots:
        for age in (0, 11 + seed % 7, 23 + seed % 11):
            jobs += [("once", plot, str(age), tear, str(seed)) for tear in TEARS]
        jobs += [("twice", plot, str(seed % 50), "2", str(seed))]
    if plots == PLOTS:
        jobs += [("switch", end, str(seed % 50), tear, str(seed)) for end in SWITCHES for tear in TEARS]
        for tear in TEARS:
            jobs += [("update", plot, str(seed % 50), tear, str(seed), "1", "1") for plot in UPDATES]
            jobs += [("update", plot, str(seed % 50), tear, str(seed), "2", "2") for plot in UPDATES]
    return jobs


def cut(jobs: Sequence[tuple[str, ...]], workers: int, show_progress: bool = False) -> Figures:
    """Runs jobs side by side; show_progress: prints a line for each that is done. Raises RigError."""
    figures = Figures()
    with ThreadPoolExecutor(workers) as pool:
        running = {pool.submit(run, PROGRAMS.get(job[0], "cuts.py"), *job): " ".join(job) for job in jobs}
        for number, future in enumerate(as_completed(running), 1):
            job, part = running[future], future.result()
            figures.add(job, part)
            if show_progress:
                wrong = len(part["violations"])
                print(f"{number}/{len(running)}  {job}: {part['cuts']} cuts, {wrong} violations", flush=True)
    return figures


def wear(how: str, hours: int) -> Wear:
    """how: charge, timed or checkpoints (tests/powercut/rig/wear.py)."""
    return Wear(**run("wear.py", how, str(hours)))


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=int(time.time()) % 1_000_000)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--plots", nargs="+", choices=PLOTS + PRICES, default=PLOTS, metavar="PLOT")
    options = parser.parse_args()
    workers = os.cpu_count() or 1
    print(f"seed {options.seed}", flush=True)
    jobs = short_jobs(options.seed) if options.short else long_jobs(options.seed, options.plots)
    figures = cut(jobs, workers, show_progress=not options.short)
    print(f"cuts tried            {figures.cuts} in {figures.stories} stories of whole orders and updates")
    print(f"remounts              {figures.remounts}")
    print(f"violations            {len(figures.violations)}")
    print(f"worst loss at a cut   {figures.lost_mwh} mWh known to the pile, {figures.lost_ms} ms of charging")
    print(
        f"                      {figures.unbilled_mwh} mWh with what its meter had not shown yet", flush=True
    )
    if figures.cuts_of:
        print(f"                      {figures.lost_use_ms} ms of charging or staying known to the pile")
        print("cuts by component     " + ", ".join(f"{word} {n}" for word, n in figures.cuts_of.items()))
    for text in figures.violations[:50]:
        print("  " + text)
    missed = bool(figures.violations) or max(figures.lost_ms, figures.lost_use_ms) > LOST_MAX_MS
    if not options.short and options.plots == PLOTS:
        with ThreadPoolExecutor(workers) as pool:
            kinds = ("charge", "timed", "checkpoints")
            charge, timed, checkpoints = pool.map(wear, kinds, (CHARGE_HOURS, CHARGE_HOURS, CHECKPOINT_HOURS))
        print(f"erases                {charge.erases} in {charge.hours} hours of charging")
        print(f"                      {timed.erases} where time and power tiers are billed")
        print(
            f"flash life            {charge.years_by_mean} and {timed.years_by_mean} years by the mean of"
            f" {BLOCKS} blocks x {CYCLES}"
        )
        print(
            f"                      {checkpoints.years_by_worst} years by the worst block:"
            f" {checkpoints.worst} erases in {checkpoints.hours} hours of checkpoints"
            f" (mean {checkpoints.erases // BLOCKS})"
        )
        missed = (
            missed
            or min(charge.years_by_mean, timed.years_by_mean, checkpoints.years_by_worst) <= LIFE_MIN_YEARS
        )
    print("POWERCUT FAILED" if missed else "POWERCUT OK")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
