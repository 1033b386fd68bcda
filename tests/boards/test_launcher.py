"""boot.py and main.py at the root, as MicroPython runs them after each reset: which slot they start, what
they do where it does not start, and that no relay stays closed.

A process is one life of the chip, from reset to reset. Only the chip is faked: the watchdog and the reset.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tools.harness.processes import Children
from tools.harness.sim_pile import interpreter
from tools.image import files, slot

CHIP = """
import sys
class Machine:
    class WDT:
        def __init__(self, timeout):
            print("watchdog", timeout)
    def reset(self):
        print("reset")
        sys.exit()
sys.modules["machine"] = Machine()
sys.path[:] = ["", ".frozen"]
for name in ("boot.py", "main.py"):
    with open(name) as file:
        code = compile(file.read(), name, "exec")
    exec(code, {"__name__": "__main__"})
"""
RELAYS = """
def outputs_safe():
    print("relays open")
def close():
    print("relay closed")
outputs_safe()
"""
RUNS = "import relays\ndef main():\n relays.close()\n print('release {} runs')\n"
NOT_STARTING = {
    "raises": ("raise ValueError('no such module')", "ValueError"),
    "is no Python": ("def main(:", "SyntaxError"),
    "imports what is not there": ("import nothing_of_that_name", "ImportError"),
    "closes a relay and crashes": ("import relays\nrelays.close()\n1 // 0", "ZeroDivisionError"),
    "eats the heap": ("held = []\nwhile True:\n held.append(bytearray(1000))", "MemoryError"),
    "recurses": ("def f():\n f()\nf()", "RuntimeError"),
    "has no main": ("", "AttributeError"),
    "crashes when it runs": ("def main():\n raise OSError(5)", "OSError"),
}


class Board:
    """A pile's file system, with the real launcher and releases of a few lines."""

    def __init__(self, folder: Path):
        self.folder = folder
        files.write(files.build_root(files.board_folder("sim")), folder)
        main = folder / "main.py"
        main.write_text(main.read_text().replace("PAUSE_S = 3", "PAUSE_S = 0"))
        (folder / "relays.py").write_text(RELAYS)

    def put(self, name: str, release: int, program: str | None = None, whole: bool = True) -> None:
        (self.folder / name).mkdir()
        (self.folder / name / "start.py").write_text(RUNS.format(release) if program is None else program)
        if whole:
            (self.folder / name / "manifest.json").write_text(json.dumps({"release": release}))

    @property
    def state(self) -> Any:
        """The list in the state file; None for none or a damaged one."""
        data = (self.folder / slot.STATE).read_bytes() if (self.folder / slot.STATE).exists() else b""
        text = data.partition(b"\n")[0]
        found = json.loads(text) if text[:1] == b"[" else None
        return found if found and slot.state(*found) == data else None

    @state.setter
    def state(self, values: list[Any]) -> None:
        (self.folder / slot.STATE).write_bytes(slot.state(*values))

    def command(self) -> list[str]:
        return [*interpreter(), "-X", "heapsize=200k", "-c", CHIP]

    def life(self) -> list[str]:
        """What is printed from a reset to the next, or to the end. The relays are open before anything of a
        slot runs, and at the end.
        """
        done = subprocess.run(self.command(), cwd=self.folder, capture_output=True, text=True, timeout=60)
        lines = (done.stdout + done.stderr).splitlines()
        relays = [line for line in lines if line.startswith("relay")]
        assert relays and relays[0] == relays[-1] == "relays open", lines
        return lines

    def lives(self, until: str, most: int = 6) -> int:
        """How many lives it takes until a line is printed."""
        for number in range(1, most + 1):
            if until in self.life():
                return number
        raise AssertionError(f"never: {until}; the state is {self.state}")


@pytest.fixture
def board(tmp_path: Path) -> Board:
    return Board(tmp_path)


TRIAL = ["a", 12, 13, 0, None]  # 13 in slot b, 12 to go back to


@pytest.mark.parametrize("what", NOT_STARTING)
def test_a_release_on_trial_that_does_not_start_is_given_up_after_three_starts(board, what: str) -> None:
    program, reason = NOT_STARTING[what]
    board.put("a", 12)
    board.put("b", 13, program)
    board.state = TRIAL
    assert board.lives("release 12 runs") == 4
    assert board.state == ["a", 12, 0, 0, [13, reason]]


def test_a_release_on_trial_that_hangs_is_given_up_after_three_resets_by_the_watchdog(board) -> None:
    """The watchdog runs before anything of the release is imported, and kills a process here."""
    board.put("a", 12)
    board.put("b", 13, "import relays\nrelays.close()\nprint('it hangs')\nwhile True:\n pass")
    board.state = TRIAL
    with Children() as children:
        for start in (1, 2, 3):
            pile = children.start("pile", board.command(), cwd=board.folder, env=dict(os.environ))
            pile.wait_for_line("it hangs")
            assert board.state == ["a", 12, 13, start, [13, "NotConfirmed"]]
            assert pile.lines.index("watchdog 120000") < pile.lines.index("it hangs")
            pile.kill()
    assert "release 12 runs" in board.life()
    assert board.state == ["a", 12, 0, 0, [13, "NotConfirmed"]]


def test_a_confirmed_release_starts_without_the_launchers_watchdog_and_without_a_write(board) -> None:
    """Somebody may be writing its configuration, and hundreds of settlements take a while to read."""
    board.put("a", 12)
    board.put("b", 11)
    board.state = ["a", 12, 0, 0, [13, "NoCloud"]]
    before = (board.folder / slot.STATE).stat().st_mtime_ns
    said = board.life()
    assert "release 12 runs" in said and "watchdog 120000" not in said
    assert (board.folder / slot.STATE).stat().st_mtime_ns == before


@pytest.mark.parametrize(
    "what", [what for what in NOT_STARTING if what not in ("crashes when it runs", "has no main")]
)
def test_a_confirmed_release_that_cannot_be_imported_is_left_for_the_one_before(board, what: str) -> None:
    board.put("a", 12, NOT_STARTING[what][0])
    board.put("b", 11)
    board.state = ["a", 12, 0, 0, None]
    assert board.lives("release 11 runs") == 4
    assert board.state == [
        "b",
        12,
        0,
        0,
        [12, "NotStarted"],
    ]  # nothing older than 12 is accepted over the air


def test_a_confirmed_release_that_crashes_while_it_runs_is_started_again(board) -> None:
    board.put("a", 12, "def main():\n raise OSError(5)")
    board.put("b", 11)
    board.state = ["a", 12, 0, 0, None]
    for _ in range(5):
        assert "reset" in board.life()
    assert board.state[0] == "a"


CONFIRMS_AND_CRASHES = """
import launcher_of_the_root as launcher


def main():
    launcher.save("b", 13, 0, 0, None)
    raise OSError(5)
"""


def test_a_release_that_was_confirmed_and_crashes_later_stays_confirmed(board) -> None:
    board.put("a", 12)
    board.put("b", 13, CONFIRMS_AND_CRASHES)
    (board.folder / "b" / "launcher_of_the_root.py").write_text((board.folder / "launcher.py").read_text())
    board.state = TRIAL
    for _ in range(5):
        assert "reset" in board.life()
        assert board.state[:3] == ["b", 13, 0]


def test_failed_starts_count_only_in_a_row(board) -> None:
    board.put("a", 12)
    board.put("b", 11)
    board.state = ["a", 12, 0, 2, None]
    assert "release 12 runs" in board.life()
    assert board.state == ["a", 12, 0, 0, None]


@pytest.mark.parametrize("absent", ["folder", "manifest", "text"])
def test_a_slot_that_is_not_whole_is_not_started(board, absent: str) -> None:
    board.put("a", 12)
    if absent != "folder":
        board.put("b", 13, whole=False)
    if absent == "text":
        (board.folder / "b" / "manifest.json").write_text('{"relea')
    board.state = TRIAL
    assert "release 12 runs" in board.life()
    assert board.state == ["a", 12, 0, 0, [13, "Incomplete"]]


def test_a_confirmed_slot_that_is_not_whole_is_left_for_the_other_at_once(board) -> None:
    board.put("a", 12, whole=False)
    board.put("b", 11)
    board.state = ["a", 12, 0, 0, None]
    assert "release 11 runs" in board.life()
    assert board.state == ["b", 12, 0, 0, [12, "Incomplete"]]


DAMAGED = [
    None,
    b"",
    b"\\xff" * 60,
    slot.state("a", 12)[:-1],
    b'["a",13,0,0,null]' + slot.state("a", 12)[-9:],
]
DAMAGED += [slot.state("c", 12), slot.state("a", 12).replace(b"12", b"13"), slot.state("a", 12) + b"\n"]


@pytest.mark.parametrize("damaged", DAMAGED, ids=repr)
def test_without_a_state_the_newer_release_is_on_trial_and_the_older_one_is_kept(board, damaged) -> None:
    for name, release in (("a", 12), ("b", 11)):
        board.put(name, release)
    if damaged is not None:
        (board.folder / slot.STATE).write_bytes(damaged)
    said = board.life()
    assert "release 12 runs" in said and "watchdog 120000" in said
    assert board.state == ["b", 11, 12, 1, [12, "NotConfirmed"]]


@pytest.mark.parametrize(
    "values", [["a"], {"slot": "a"}, ["a", 12, 0, 0, None, 1], [["a"], 12, 0, 0, None], 12]
)
def test_a_state_of_another_form_counts_as_none(board, values) -> None:
    board.put("a", 12)
    text = json.dumps(values).encode()
    import binascii

    (board.folder / slot.STATE).write_bytes(text + b"\n%08x" % binascii.crc32(text))
    assert "release 12 runs" in board.life()
    assert board.state == ["a", 12, 0, 0, None]


def test_a_trial_that_cannot_be_counted_is_not_started(board) -> None:
    board.put("a", 12)
    board.put("b", 13)
    board.state = TRIAL
    (board.folder / "slots.state.new").mkdir()  # no new state can be written
    assert "release 12 runs" in board.life()


def test_no_slot_at_all_opens_the_relays_and_starts_again(board) -> None:
    said = board.life()
    assert "reset" in said and "ImportError: no module named 'start'" in said


def test_no_file_at_the_root_is_imported_in_place_of_a_module(board) -> None:
    """asyncio.py, machine.py or app.py of another project, or of the form without slots."""
    board.put(
        "a", 12, "import asyncio, os, relays\ndef main():\n print('release 12 runs', asyncio.sleep_ms)\n"
    )
    for name in ("asyncio", "machine", "os", "json", "time", "start", "app"):
        (board.folder / f"{name}.py").write_text("raise SystemExit('from another project')\n")
    assert any(line.startswith("release 12 runs") for line in board.life())


def test_ctrl_c_gives_the_prompt_with_the_relays_open(board) -> None:
    board.put("a", 12, "import relays\nrelays.close()\nraise KeyboardInterrupt")
    board.state = ["a", 12, 0, 0, None]
    assert "reset" not in board.life()
    assert board.state == ["a", 12, 0, 0, None]


def test_the_launcher_is_small() -> None:
    for name in files.ROOT_FILES:
        assert (
            len((files.ROOT / "firmware" / name).read_text().splitlines()) < 100
            if name != "relays.py"
            else True
        )
