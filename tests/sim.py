"""A simulated pile in a test: the real firmware as a process, its car and hardware in our hands."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from tools.harness.processes import Child, ProcessError
from tools.harness.system import PileIdentity, System

ONLINE_TIMEOUT_S = 30


class SimPile:
    """One registered pile. Its flash is kept over `stop`, `kill` and `start`."""

    def __init__(self, system: System, identity: PileIdentity, options: dict[str, Any]):
        self.system = system
        self.identity = identity
        self.device_id = identity.device_id
        self.key = bytes.fromhex(identity.key)
        self.child: Child | None = None
        self._options = options
        self._ran = False

    @classmethod
    def new(
        cls,
        system: System,
        *,
        rate: dict[str, Any] | None,
        connectors: int = 1,
        start: bool = True,
        online: bool = True,
        **options: Any,
    ) -> SimPile:
        """Registers, gives it `rate` (None: none), starts it and waits until the cloud sees it online.

        options: of System.start_pile (power_w, imp_per_kwh, speed, mqtt_url, extra).
        """
        pile = cls(system, system.add_pile(connectors=connectors), options)
        if rate is not None:
            system.set_rate(pile.device_id, rate)
        if start:
            pile.start(online=online)
        return pile

    def start(self, *, online: bool = True) -> None:
        """online: returns once the cloud has seen this very start, not the end of the one before it."""
        if online and self._ran:
            self.wait_until(lambda view: view["online"] is False)
        self._ran = True
        self.child = self.system.start_pile(self.identity, **self._options)
        if online:
            self.wait_until_online()

    def stop(self) -> None:
        if self.child:
            self.system.stop_pile(self.child)
            self.child = None

    def kill(self) -> None:
        """A power cut."""
        if self.child:
            self.system.kill_pile(self.child)
            self.child = None

    def check_alive(self) -> None:
        """Raises ProcessError where the firmware has ended by itself."""
        self._running().check_alive()

    def send(self, **change: Any) -> None:
        """Changes the car or the hardware: send(plug=False), send(power_w=0), send(estop=True)."""
        self._running().send_json(change)

    def wait_for(
        self, matches: Callable[[dict[str, Any]], bool], timeout_s: float = 20, after: int = 0
    ) -> Any:
        """The first JSON line of the hardware, from line number `after` on, that `matches`."""
        return self._running().wait_for_json(matches, timeout_s, after)

    def count(self, matches: Callable[[dict[str, Any]], bool]) -> int:
        """How many JSON lines of the hardware matched so far, since the last start."""
        lines = [json.loads(line) for line in self._running().lines if line.startswith("{")]
        return sum(1 for line in lines if matches(line))

    @property
    def line_count(self) -> int:
        return self._running().line_count

    def status(self) -> dict[str, Any]:
        """The pile as the cloud shows it."""
        return self.system.phone.get(f"/api/piles/{self.device_id}").json()

    def wait_until(
        self, matches: Callable[[dict[str, Any]], bool], timeout_s: float = ONLINE_TIMEOUT_S
    ) -> None:
        """Returns once the pile, as the cloud shows it, `matches`. Raises ProcessError."""
        deadline = time.monotonic() + timeout_s
        while not matches(view := self.status()):
            if self.child:
                self.child.check_alive()
            if time.monotonic() > deadline:
                tail = self.child.tail() if self.child else ""
                raise ProcessError(f"{self.device_id} is still {view} after {timeout_s:g} s\n{tail}")
            time.sleep(0.02)

    def wait_until_online(self, timeout_s: float = ONLINE_TIMEOUT_S) -> None:
        self.wait_until(lambda view: view["online"] and view["clock_set"], timeout_s)

    def _running(self) -> Child:
        if self.child is None:
            raise ProcessError(f"{self.device_id} is not running")
        return self.child
