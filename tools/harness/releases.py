"""Releases for simulated piles, signed with a key that is made for one run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tools.harness.api_client import Client
from tools.harness.sim_pile import BOARD, slot_content
from tools.image import files, release

START = "start.mpy"  # the module that the launcher imports first


class ReleaseKey:
    """A new pair of keys in `folder`. `public`: the file that a pile is deployed with."""

    def __init__(self, folder: Path):
        self.public = folder / "release.pub"
        private = folder / "release.pem"
        release.make_key(private, self.public, "")
        self._key = release.read_key(private)

    def archive(self, number: int, content: dict[str, bytes] | None = None) -> bytes:
        """A release for the simulated board; content: the files of a slot, else those of this tree."""
        board = files.board_folder(BOARD)
        return release.pack(
            {board: content or slot_content()}, number, lambda text: release.sign(self._key, text)
        )


def slot_options(key: ReleaseKey, number: int, trial_ms: tuple[int, int]) -> tuple[str, ...]:
    """Arguments of sim_pile.py for a pile in slots that runs release `number`.

    trial_ms: of cycles on time until a release is confirmed, and how long a trial may take.
    """
    return (
        *("--slots", "--release", str(number), "--release-key", str(key.public)),
        *("--sim", f'{{"trial_ms": [{trial_ms[0]}, {trial_ms[1]}]}}', "--backoff-max-ms", "1000"),
    )


def broken(source: str) -> dict[str, bytes]:
    """The files of a slot whose first module is `source`."""
    content = {name: data for name, data in slot_content().items() if name != START}
    return content | {"start.py": source.encode()}


def post(operator: Client, path: str, body: object = None) -> Any:
    """The JSON of the answer. Raises ApiError where the cloud refuses."""
    return operator.post(path, body).checked().json()
