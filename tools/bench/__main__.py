"""`make bench`: measures every row, or ONLY=<row>; prints the table, writes docs/performance.json and .md."""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import structlog

from tools.bench import machine, report
from tools.bench.figures import ROUNDS, Figure
from tools.harness.processes import ProcessError, exit_on_signals

# The fast rows first.
ROWS = (
    "pricing",
    "control",
    "client",
    "pages",
    "confirm",
    "holds",
    "disk",
    "meters",
    "ingest",
    "workers",
    "orders",
    "growth",
)


def run(name: str, rounds: int, scale: float) -> list[Figure]:
    """The figures of one row. Raises ProcessError."""
    with tempfile.TemporaryDirectory(prefix="ratelock bench ") as folder:
        return _module(name).measure(Path(folder), rounds, scale)


def titles() -> dict[str, str]:
    return {name: _module(name).TITLE for name in ROWS}


def _module(name: str) -> Any:
    return importlib.import_module("tools.bench.rows." + name)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", choices=ROWS, action="append", help="this row (more than once for several)")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--scale", type=float, default=1, help="of a round's work; 0.1 for a quick look")
    parser.add_argument("--out", type=Path, help="a folder for the figures instead of docs/")
    options = parser.parse_args(argv)
    exit_on_signals()
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR)
    )  # of clouds in here
    folder = options.out or report.PAGE.parent
    json_file, page = folder / report.JSON_FILE.name, folder / report.PAGE.name
    found = report.load(json_file)
    where = machine.describe()
    print("; ".join(f"{key}: {value}" for key, value in where.items()), flush=True)
    failed = []
    for name in options.only or ROWS:
        began = time.monotonic()
        try:
            figures = run(name, options.rounds, options.scale)
        except ProcessError as error:
            failed.append(name)
            print(f"\n{name} could not be measured: {error}", file=sys.stderr)
            continue
        print(
            f"\n{_module(name).TITLE} ({name}, {time.monotonic() - began:.0f} s)\n{report.table(figures)}",
            flush=True,
        )
        found[name] = {
            "at": time.strftime("%Y-%m-%d", time.gmtime()),
            "machine": {key: value for key, value in where.items() if key != "load"},
            "rounds": options.rounds,
            "load": where["load"],
            "figures": [figure.as_json() for figure in figures],
        }
        report.save(found, titles(), json_file, page)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
