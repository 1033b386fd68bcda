"""Damaged bytes bring nothing out of a decoder but its own error. Long: make fuzz INPUTS=1000000 SEED=1."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys

import pytest

from tests.fuzz.mutate import Random, damaged
from tools import ROOT
from tools.harness import fuzz
from tools.harness.sim_pile import environment, interpreter

FOLDER = ROOT / "tests" / "fuzz"
INPUTS = 20_000
TAKEN = (
    "mqtt packets",
    "decoded messages",
    "pile files",
    "component orders",
    "usage records",
    "dns answers",
    "config files",
)


@pytest.mark.timeout(400)
def test_twenty_thousand_damaged_inputs_bring_out_typed_errors_only():
    seed = secrets.randbelow(10**6)
    outcome = fuzz.run(INPUTS, seed, workers=2)
    assert not outcome.findings, f"seed {seed}: {outcome.findings}"
    assert outcome.inputs == INPUTS
    assert set(outcome.by_interpreter) == {"CPython", "MicroPython"}
    # An input that is always refused at the door would test nothing behind it.
    for target in TAKEN:
        assert outcome.taken[target], f"seed {seed}: nothing got through {target}"


@pytest.mark.timeout(400)
@pytest.mark.long
def test_a_hundred_thousand_bad_messages_leave_the_heap_as_it_was():
    done = subprocess.run(
        [*interpreter(), str(FOLDER / "memory.py"), "100000"],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=350,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["dropped"] >= 100_000, found  # the warm-up too, less what was no message any more
    assert abs(found["after"] - found["before"]) <= 1024, found


def test_the_inputs_follow_from_the_seed_on_every_interpreter():
    script = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "from tests.fuzz.mutate import Random, damaged\n"
        "for n in range(300):\n"
        '    print(damaged(Random(n), b\'{"a":12,"b":[1,2]}\' * 4).hex())\n'
    )
    printed = []
    for command in ([sys.executable], interpreter()):
        done = subprocess.run(
            [*command, "-c", script], capture_output=True, text=True, timeout=60, check=True
        )
        printed.append(done.stdout)
    assert printed[0] == printed[1]
    assert len(set(printed[0].split())) > 250


def test_damage_is_damage():
    data = b'{"order_id":"o-1","at":1800000000}'
    changed = sum(damaged(Random(n), data) != data for n in range(1_000))
    assert changed > 950


def test_a_finding_is_reported(tmp_path, monkeypatch):
    """A decoder that lets a foreign error out, or takes the interpreter with it, fails the run."""
    for content in ("raise KeyError", "import os; os._exit(3)"):
        program = tmp_path / "run.py"
        program.write_text(content)
        monkeypatch.setattr(fuzz, "PROGRAM", program)
        outcome = fuzz.run(10, 1, workers=1)
        assert len(outcome.findings) == 1 and outcome.inputs == 0
