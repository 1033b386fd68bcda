"""Opt-in tests on a real board: `make test-device PORT=/dev/ttyUSB0`, with the firmware deployed.

Nothing may be wired to the relay's output but a lamp at the most: the tests close it for moments.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tools.board.deploy.line import Line


@pytest.fixture(scope="session")
def line() -> Iterator[Line]:
    port = os.environ.get("RATELOCK_DEVICE_PORT")
    if not port:
        pytest.skip("no board: make test-device PORT=/dev/ttyUSB0")
    with Line(port) as opened:
        yield opened
        opened.restart()
