"""tests/security/test_sealed.py again, on the interpreter that the pile runs."""

from __future__ import annotations

from pathlib import Path

from tests.micropython import run_files


def test_sealed_messages_on_micropython() -> None:
    done = run_files(Path(__file__).with_name("test_sealed.py"))
    assert done.returncode == 0, done.stdout + done.stderr
