"""Opt-in tests on a real board: `make test-device PORT=/dev/ttyUSB0`, with the firmware deployed.

Nothing may be wired to the relay's output but a lamp at the most: the tests close it for moments.
"""

from __future__ import annotations

import os

import pytest

from tools.board.deploy import DeployError
from tools.board.deploy.line import Line

LINE = pytest.StashKey[Line]()


def pytest_sessionstart(session: pytest.Session) -> None:
    """Opens the port once, before the tests: without a board there is one sentence, not an error for each."""
    name = os.environ.get("RATELOCK_DEVICE_PORT", "")
    try:
        session.config.stash[LINE] = Line(name).__enter__()
    except DeployError as error:
        raise pytest.UsageError(f"test-device: {error}") from None


def pytest_sessionfinish(session: pytest.Session) -> None:
    if line := session.config.stash.get(LINE, None):
        line.restart()
        line.close()


@pytest.fixture(scope="session")
def line(request: pytest.FixtureRequest) -> Line:
    return request.config.stash[LINE]
