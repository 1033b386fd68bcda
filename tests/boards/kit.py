"""What the tests of a booting pile share."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

from tools.harness.processes import Child
from tools.harness.sim_pile import interpreter

KEY = "5a" * 32
WIFI = {"ssid": "Courtyard", "password": "correct horse"}


def config(port: int = 1, **more: Any) -> dict[str, Any]:
    broker = {"host": "127.0.0.1", "port": port, "backoff_max_ms": 500, **more.pop("broker", {})}
    return {"device_id": "PILE-1", "key": KEY, "broker": broker, **more}


def expect(pile: Child, line: str, light: str) -> None:
    pile.wait_for_json(lambda event: event.get("event") == "log" and line in event["text"])
    pile.wait_for_json(lambda event: event.get("event") == "light" and event["pattern"] == light)
    assert not any("relay closed" in said for said in pile.lines)


def printed_by(script: str, path: list[Path], folder: Path | None = None) -> str:
    """What MicroPython prints that runs `script` in `folder`, with modules from `path`; it must end well."""
    done = subprocess.run(
        [*interpreter(), "-c", script],
        cwd=folder,
        env={**os.environ, "MICROPYPATH": ":".join([*map(str, path), ".frozen"])},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
