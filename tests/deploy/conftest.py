"""A board on a pty, as deploy and provision see one on a cable."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.board import PtyBoard
from tools.image import files as image

QUIET_S = 1.0  # how long the board's first lines may pause before deploy stops listening


@pytest.fixture
def pty_board(tmp_path: Path) -> Iterator[PtyBoard]:
    with PtyBoard(tmp_path / "flash memory") as board:
        yield board


@pytest.fixture(scope="session")
def sim() -> Path:
    if sys.platform not in ("linux", "darwin"):
        pytest.skip("a pty is needed")
    return image.board_folder("sim")
