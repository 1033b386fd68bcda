"""The alert rules do what they say, by Prometheus' own judgement where its promtool is installed."""

import shutil
import subprocess

import pytest

from tools import ROOT

OPERATION = ROOT / "docs" / "operation"


@pytest.mark.parametrize(
    "arguments",
    [("check", "rules", "alerts.yml"), ("test", "rules", "alerts.test.yml")],
    ids=["check", "test"],
)
def test_promtool_agrees(arguments: tuple[str, ...]):
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (Debian, Ubuntu: apt-get install prometheus)")
    done = subprocess.run([promtool, *arguments], cwd=OPERATION, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
