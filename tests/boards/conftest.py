"""A pile that boots on the unix port, its hardware faked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tools.harness.processes import Child, Children
from tools.harness.sim_pile import command, environment, interpreter

FAKES = Path(__file__).parent / "fakes"


@pytest.fixture
def boot(tmp_path: Path) -> Iterator[Callable[..., Child]]:
    """Boots a pile in `flash`, a folder prepared by the test."""
    flash = tmp_path / "flash memory"
    flash.mkdir()
    with Children() as children:

        def start(config: object = None, prepare: str = "") -> Child:
            if config is not None:
                text = config if isinstance(config, str) else json.dumps(config)
                (flash / "config.json").write_text(text)
            env = environment()
            env["MICROPYPATH"] = f"{FAKES}:{env['MICROPYPATH']}"
            argv = (
                command() if not prepare else [*interpreter(), "-c", f"{prepare}; import start; start.main()"]
            )
            return children.start("pile", argv, cwd=flash, env=env)

        start.flash = flash  # type: ignore[attr-defined]
        yield start
