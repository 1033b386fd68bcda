"""Many real firmwares at once, as one MicroPython process each, with their output in files."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.bench.machine import Interpreter
from tools.harness import sim_pile
from tools.harness.processes import HOST, Children
from tools.harness.system import PileIdentity

HEAP = "-X heapsize=256k"


@dataclass
class Pile:
    """One firmware with all its restarts."""

    identity: PileIdentity
    folder: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def device_id(self) -> str:
        return self.identity.device_id

    @property
    def output(self) -> Path:
        return self.folder / "output"

    def events_of(self, event: str) -> Iterator[dict[str, Any]]:
        """The output lines of one kind since its first start, without a line that a kill has truncated."""
        mark = f'"{event}"'.encode()
        with open(self.output, "rb") as lines:
            for line in lines:
                if mark in line and line.endswith(b"}\n"):
                    yield json.loads(line)


class Swarm(Children):
    """Piles on a broker's port. Leaving the `with` block kills them; so does the end of this process."""

    def __init__(
        self, folder: Path, mqtt_port: int, interpreter: Interpreter, speed: int, rest_ms: int | None = None
    ):
        super().__init__()
        self.piles: list[Pile] = []
        self._folder = folder
        self._port = mqtt_port
        self._interpreter = [*interpreter.argv, *(HEAP.split() if interpreter.name == "32-bit" else [])]
        self._sim: dict[str, object] = {"connectors": 1, "power_w": 7000, "imp_per_kwh": 1000, "speed": speed}
        self._sim |= {"battery_wh": 100_000_000, "feedback": True, "full_after_s": 180, "world": ""}
        if rest_ms:
            self._sim["rest_ms"] = rest_ms
        self._slots: tuple[int, str] | None = None

    def in_slots(self, release: int, key: str, trial_ms: tuple[int, int]) -> None:
        """Piles that are added from here on start through the launcher, with `release` in slot a.

        key: the public key of their releases. trial_ms: as sim_pile's setting.
        """
        self._slots = (release, key)
        self._sim["trial_ms"] = list(trial_ms)

    def __enter__(self) -> Swarm:
        return self

    def add(self, identity: PileIdentity) -> Pile:
        pile = Pile(identity, self._folder / identity.device_id)
        broker = {"host": HOST, "port": self._port, "keepalive_s": 30, "backoff_max_ms": 8_000}
        config = {"device_id": identity.device_id, "key": identity.key, "broker": broker}
        sim_pile.write_settings(pile.folder, config, self._sim)
        if self._slots:
            sim_pile.write_slot(pile.folder, *self._slots)
        self.piles.append(pile)
        self.start_pile(pile)
        return pile

    def start_pile(self, pile: Pile) -> None:
        self._start_watchdog()
        program = sim_pile.command(self._slots is not None)[len(sim_pile.interpreter()) :]
        with ExitStack() as opened:
            output = opened.enter_context(open(pile.output, "ab"))
            pile.process = subprocess.Popen(
                [*self._interpreter, *program],
                cwd=pile.folder,
                env=sim_pile.deployed_environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._tell_watchdog(f"+{pile.process.pid}")

    def kill_pile(self, pile: Pile) -> None:
        """SIGKILL, which stands for a power cut."""
        if pile.process is not None:
            pile.process.send_signal(signal.SIGKILL)
            pile.process.wait()
            self._tell_watchdog(f"-{pile.process.pid}")
            pile.process = None

    def dead(self) -> list[str]:
        """The piles that ended by themselves."""
        return [pile.device_id for pile in self.piles if pile.process and pile.process.poll() is not None]

    def stop(self) -> None:
        for pile in self.piles:
            if pile.process is not None:
                pile.process.kill()
        for pile in self.piles:
            self.kill_pile(pile)
        super().stop()


def cpu_s(pid: int) -> float:
    """CPU seconds of a process so far, all its threads together."""
    ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def precise_cpu_s(pid: int) -> float:
    """As cpu_s, with a resolution of nanoseconds, but of the main thread only."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def memory_bytes(pid: int) -> int:
    """Its proportional share of memory: a page that n processes share counts 1/n."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0
