"""It fits: the heap of every module, of a whole order, of many orders; and a loop that allocates nothing.

On the 32-bit interpreter where it can be had, else on the 64-bit one with twice the heap.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools import ROOT
from tools.board.heap import __main__ as heap
from tools.board.heap import chip, imports
from tools.board.heap.__main__ import ENOUGH_KIB, TLS_KIB
from tools.board.heap.interpreters import BOARD, RIG, RIG_LINK, Interpreter, build_forms, choose, pinned
from tools.board.heap.story import Case, Story
from tools.harness.system import System

CASES = Path(__file__).parent / "cases"
LEFT_BYTES = 0  # of the heap's first two areas, at the worst moment
GROWTH_BYTES = 512  # what a live heap may differ by: ids and numbers are not always of one length


@pytest.fixture(scope="session")
def interpreter() -> Interpreter:
    return choose()


@pytest.fixture(scope="session")
def forms(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return build_forms(tmp_path_factory.mktemp("forms"))


def run(interpreter: Interpreter, folder: Path, case: str, *words: str) -> dict:
    path = [RIG, ROOT / "boards" / BOARD, ROOT / "firmware"]
    done = subprocess.run(
        [*interpreter.argv, "-X", "heapsize=8M", str(CASES / case), *words],
        env={**os.environ, "MICROPYPATH": ":".join([*map(str, path), ".frozen"])},
        cwd=folder,
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=280,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.timeout(400)  # the first one may have to fetch the interpreter
def test_every_module_is_within_its_budget(interpreter, forms) -> None:
    costs = imports.measure(pinned(), forms["apart"])
    assert imports.over_budget(pinned(), costs) == []
    if interpreter.bits == 32:  # what passes the check on one interpreter passes here on the other
        costs = imports.measure(interpreter, forms["apart"])
        assert imports.over_budget(interpreter, costs, spare_part=4) == []


def test_the_check_asks_the_interpreter_that_every_machine_has(monkeypatch, capsys) -> None:
    monkeypatch.setattr(
        "tools.board.heap.__main__.choose", lambda: pytest.fail("the check must not depend on it")
    )
    monkeypatch.setattr("sys.argv", ["heap", "--check"])
    assert heap.main() == 0, capsys.readouterr().out


@pytest.mark.parametrize(
    ("alive_bytes", "tls", "fits"),
    [
        (92_000, False, [True, True, True]),
        (92_000, True, [False, False, True]),  # a second area and a handshake are too much for the first two
        (47_000, True, [True, True, True]),  # one area
        (104_000, False, [False, False, False]),  # a third area
    ],
)
def test_what_fits_which_chip(alive_bytes: int, tls: bool, fits: list[bool]) -> None:
    assert [chip.judge(alive_bytes, tls, each).fits for each in chip.CHIPS] == fits


def test_a_cost_does_not_depend_on_the_folder(interpreter, forms, tmp_path) -> None:
    elsewhere = tmp_path / ("a folder with a name that is " + "long " * 20)
    elsewhere.mkdir()
    shutil.copytree(forms["apart"], elsewhere / "apart")
    (elsewhere / RIG_LINK).symlink_to(RIG)
    assert imports.measure(pinned(), elsewhere / "apart") == imports.measure(pinned(), forms["apart"])


def test_the_check_runs_the_interpreter_of_the_requirements(monkeypatch) -> None:
    monkeypatch.setenv("MICROPYTHON", "/usr/bin/another")
    assert pinned().argv == [str(Path(sys.executable).with_name("micropython"))]


def test_a_module_over_its_budget_is_named(interpreter) -> None:
    (line, *_) = imports.over_budget(interpreter, [imports.Cost("pile.session", 1_000_000)])
    assert line.startswith("pile.session takes 1000000 bytes")


@pytest.mark.system
@pytest.mark.parametrize(
    "case",
    [pytest.param(case, marks=[] if str(case) == "mpy" else pytest.mark.long) for case in heap.CASES],
    ids=str,
)
def test_two_orders_and_a_lost_broker_fit(interpreter, forms, tmp_path, case: Case) -> None:
    with System(tmp_path / "a system", tls_port=0) as system:
        rig_bytes = imports.rig_bytes(interpreter, forms[case.form])
        enough_kib = ENOUGH_KIB[case.form] + (TLS_KIB if case.tls else 0)
        result = Story(system, interpreter, forms[case.form], case, rig_bytes).run([enough_kib])
    assert result.smallest_kib == enough_kib, result.why
    alive_bytes = interpreter.on_32_bits(max(result.live_bytes.values()))
    assert chip.judge(alive_bytes, False).heap_left_bytes >= LEFT_BYTES


def test_the_control_loop_allocates_nothing(interpreter, tmp_path) -> None:
    report = run(interpreter, tmp_path, "loop.py")
    allocated = {what: count - report["nothing"] for what, count in report.items() if "cost" not in what}
    assert allocated == dict.fromkeys(allocated, 0), report
    assert len(allocated) == 6


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("what", "count", "settled"), [("orders", 1000, 1000), ("hours", 24, 1)])
@pytest.mark.long
def test_the_heap_does_not_grow(interpreter, tmp_path, what: str, count: int, settled: int) -> None:
    report = run(interpreter, tmp_path, "growth.py", what, str(count))
    assert report["settled"] == settled
    live = report["live_bytes"]
    assert max(live[1:]) - live[0] <= GROWTH_BYTES, live
