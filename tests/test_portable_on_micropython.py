"""The portable tests again, on the interpreter that the pile runs; and that their runner can fail."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.micropython import PORTABLE, RUNNER, run_files
from tools.harness.sim_pile import environment, interpreter


@pytest.mark.parametrize("file", sorted(PORTABLE.glob("test_*.py")), ids=lambda file: file.stem)
def test_on_micropython(file: Path) -> None:
    done = run_files(file)
    assert done.returncode == 0, done.stdout + done.stderr


def test_deep_nesting_is_an_error_in_a_small_heap_too() -> None:
    """Each bracket costs 32 bytes or more: 8 KB of them exhausted a pile's heap before anybody had checked
    their seal, and the MemoryError ended the task that reads from the broker."""
    script = (
        "import gc\n"
        "from pile_protocol import messages\n"
        "from pile_protocol.errors import MessageError\n"
        "for opening in (b'[', b'{\"a\":', b'{\"a\":['):\n"
        "    data = (opening * messages.ORDER_MAX_BYTES)[:messages.ORDER_MAX_BYTES]\n"
        "    try:\n"
        "        messages.parse_json(data)\n"
        "    except MessageError:\n"
        "        print('refused')\n"
        "    gc.collect()\n"
    )
    argv = [*interpreter(), "-X", "heapsize=160k", "-c", script]
    done = subprocess.run(argv, env=environment(), capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.split() == ["refused"] * 3, done.stdout + done.stderr


def test_the_runner_finds_the_files_by_itself(tmp_path: Path) -> None:
    """A copy of it beside two files runs both, from whatever folder it is called."""
    folder = tmp_path / "some tests"
    folder.mkdir()
    (folder / "run.py").write_text(RUNNER.read_text())
    for name in ("test_a.py", "test_b.py", "helper.py"):
        (folder / name).write_text("def test_it():\n    pass\n")
    argv = [*interpreter(), str(folder / "run.py")]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "2 tests, 0 failed\n"), done.stdout + done.stderr


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("def test_it():\n    assert 1 == 2, 'arithmetic'\n", "AssertionError: arithmetic"),
        ("def test_it():\n    raise KeyError('gone')\n", "KeyError: gone"),
        ("def test_it(:\n", "SyntaxError"),
        ("import nothing_of_that_name\n", "ImportError"),
        ("def check_it():\n    pass\n", "0 tests, 0 failed"),
    ],
)
def test_the_runner_fails_where_it_should(tmp_path: Path, content: str, expected: str) -> None:
    file = tmp_path / "test_sample.py"
    file.write_text(content)
    done = run_files(file)
    assert done.returncode == 1 and expected in done.stdout + done.stderr, done.stdout + done.stderr
    assert "sample" in done.stdout or "0 tests" in done.stdout


def test_one_failure_does_not_hide_the_others(tmp_path: Path) -> None:
    file = tmp_path / "test_sample.py"
    file.write_text(
        "def test_a():\n    assert False\n\ndef test_b():\n    pass\n\ndef test_c():\n    [][0]\n"
    )
    done = run_files(file)
    assert done.returncode == 1
    assert "test_a" in done.stdout and "test_c" in done.stdout and "3 tests, 2 failed" in done.stdout
