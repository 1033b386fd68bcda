"""Piles in slots on the shared system, and a release server."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.sim import SimPile
from tools.harness.release_server import PUBLIC_KEY, Release, ReleaseServer
from tools.harness.sim_pile import BOARD, interpreter
from tools.harness.system import System
from tools.image import cache, files

FIRST = 11  # the release in slot a
ON_TIME_MS = 500
MOST_MS = 30_000


@pytest.fixture(scope="session")
def content() -> dict[str, bytes]:
    """The files of a slot, as `make release` has them."""
    built = cache.folder(BOARD, interpreter())
    return {
        path.relative_to(built).as_posix(): path.read_bytes()
        for path in sorted(built.rglob("*"))
        if path.is_file() and path.name not in files.ROOT_FILES
    }


def sim_release(content: dict[str, bytes], number: int = FIRST + 1) -> Release:
    return Release(number, files.board_folder(BOARD), content)


@pytest.fixture
def release(content: dict[str, bytes]) -> Release:
    return sim_release(content)


@pytest.fixture
def server(system: System) -> Iterator[ReleaseServer]:
    server = ReleaseServer(system.broker)
    yield server
    server.close()


@pytest.fixture
def slot_pile(pile: Callable[..., SimPile], tmp_path: Path) -> Callable[..., SimPile]:
    """Starts a pile through the launcher: `slot_pile(most_ms=2_000)`."""
    key = tmp_path / "release.pub"
    key.write_text(PUBLIC_KEY)

    def start(most_ms: int = MOST_MS, sim: dict[str, Any] | None = None, **options: Any) -> SimPile:
        settings = json.dumps({"trial_ms": [ON_TIME_MS, most_ms], **(sim or {})})
        extra = ("--slots", "--release", str(FIRST), "--release-key", str(key), "--sim", settings)
        return pile(extra=(*extra, "--backoff-max-ms", "500"), **options)

    return start
