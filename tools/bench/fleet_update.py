"""A fleet that is updated over the air under load: N real firmwares in slots, one broker, one cloud, orders.

    make fleet N=200 ARGS=--update

Orders come at a steady rate, first without updates and then while a rollout reaches every pile in waves. At
the end every pile runs the release and no order is lost; the figures show what the updates cost an order.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path

from tools.bench import machine, testbed
from tools.bench.figures import percentile
from tools.bench.fleet import CLIENTS, CONNECT_PER_S, ORDERS_PER_S_AND_PILE, SPEED, Fleet, Result
from tools.bench.swarm import Swarm
from tools.harness.releases import ReleaseKey, post
from tools.harness.sim_pile import slot_content
from tools.harness.system import System

FIRST, SECOND = 1, 2
AT_ONCE = 20
BYTES_PER_S = 400_000
REST_MS = 200
TRIAL_MS = (2_000, 120_000)
LOOK_S = 15  # a stretch of orders; each client has its first within it
WITHOUT_S = 20
UPDATE_MAX_S_AND_PILE = 5


def run(
    piles: int,
    data: Path,
    *,
    at_once: int = AT_ONCE,
    without_s: float = WITHOUT_S,
    interpreter: machine.Interpreter | None = None,
    say: Callable[[str], None] = print,
) -> Result:
    """The whole run. Raises ProcessError if it cannot start."""
    interpreter = interpreter or machine.native_interpreter() or machine.interpreters()[0]
    with testbed.database(data) as store:
        identities = testbed.register(store, [f"FLEET-{number:04}" for number in range(piles)])
    key = ReleaseKey(data)
    env = {"RATELOCK_UPDATES_AT_ONCE": str(at_once), "RATELOCK_UPDATE_BYTES_PER_S": str(BYTES_PER_S)}
    with (
        System(data, env=env) as system,
        Swarm(data / "swarm", system.broker.port, interpreter, SPEED, REST_MS) as swarm,
    ):
        say(f"{piles} piles in slots on {' '.join(interpreter.argv)[-60:]}")
        swarm.in_slots(FIRST, key.public.read_text(), TRIAL_MS)
        for number, identity in enumerate(identities):
            swarm.add(identity)
            if number % CONNECT_PER_S == CONNECT_PER_S - 1:
                time.sleep(0.2)  # spread in time, as after a power cut in a town
        fleet = UpdatedFleet(system, swarm, 1, say)
        try:
            fleet.bring_up()
            fleet.flow.run(CLIENTS, without_s, fleet.pace)
            fleet.note_latency("confirm to relay before the update")
            fleet.update(key)
            fleet.note_latency("confirm to relay during the update")
            fleet.settle_down()
            fleet.audit()
            fleet.check_firmware()
        finally:
            fleet.flow.close()
        return fleet.result


class UpdatedFleet(Fleet):
    """A fleet, and the rollout that reaches all of it."""

    def __init__(self, system: System, swarm: Swarm, seed: int, say: Callable[[str], None]):
        super().__init__(system, swarm, seed, say)
        self._noted: set[str] = set()  # ids of orders whose latency is in a figure

    @property
    def pace(self) -> float:
        return max(1.0, len(self.swarm.piles) * ORDERS_PER_S_AND_PILE)

    def update(self, key: ReleaseKey) -> None:
        """Orders go on until the rollout has ended."""
        archive = key.archive(SECOND, slot_content() | {"note.py": b'"""Another release."""\n'})
        post(self.system.operator, "/api/releases", archive)
        body = {"release": SECOND, "selection": "all", "waves": ["1", "10%"], "lost_max": 1}
        rollout_id = post(self.system.operator, "/api/rollouts", body)["rollout_id"]
        began = time.monotonic()
        until = began + 300 + UPDATE_MAX_S_AND_PILE * len(self.swarm.piles)
        view = {"state": "Running", "states": {}}
        while view["state"] == "Running" and time.monotonic() < until:
            self.flow.run(CLIENTS, LOOK_S, self.pace)
            view = self.system.operator.get(f"/api/rollouts/{rollout_id}").json()
        took_s = time.monotonic() - began
        self.result.figures["rollout"] = f"{view['state']} after {took_s:.0f} s: " + ", ".join(
            f"{count} {state}" for state, count in sorted(view["states"].items())
        )
        if view["state"] != "Finished":
            self.result.wrong.append(f"the rollout is {view['state']}: {view.get('halted_why')}")
        sent = self._metric("ratelock_update_chunk_bytes_total")
        self.result.figures["chunks sent"] = (
            f"{sent / 1e6:.1f} MB, {sent / took_s / 1000:.0f} kB a second;"
            f" {sent / len(self.swarm.piles) / 1000:.0f} kB a pile for {len(archive) / 1000:.0f} kB of files"
        )

    def note_latency(self, name: str) -> None:
        """How long the orders took that were confirmed since the last call."""
        took_ms = self.latencies_ms(but=self._noted)
        self._noted = set(self.flow.confirmed)
        if not took_ms:
            self.result.wrong.append(f"{name}: no order")
            return
        p50, p99 = percentile(took_ms, 50), percentile(took_ms, 99)
        self.result.figures[name] = f"p50 {p50:.0f} ms, p99 {p99:.0f} ms, {len(took_ms)} orders"

    def check_firmware(self) -> None:
        """Every pile runs the release, and was never asked for an order while it was on trial."""
        firmware = self.system.operator.get("/api/releases").json()["firmware"]
        self.result.figures["what the piles run"] = ", ".join(
            f"{each['piles']} release {each['release']}" for each in firmware
        )
        if [(each["release"], each["piles"]) for each in firmware] != [(SECOND, len(self.swarm.piles))]:
            self.result.wrong.append("not every pile runs the release")

    def _metric(self, name: str) -> float:
        text = self.system.operator.get("/metrics").body.decode()
        found = [float(line.split()[-1]) for line in text.splitlines() if line.startswith(name)]
        return found[0] if found else math.nan
