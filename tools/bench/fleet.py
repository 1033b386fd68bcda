"""A fleet: N real firmwares as one MicroPython process each, one broker and one cloud, some of them killed.

    make fleet N=1000 MINUTES=3

Piles connect with jitter and take orders at a steady rate. After a third of the time some are killed and
started again, after two thirds the broker is killed with SIGKILL. At the end no settlement may be lost or
stored twice.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path

from tools.bench import machine, testbed
from tools.bench.figures import percentile
from tools.bench.orderflow import Flow
from tools.bench.swarm import Pile, Swarm, cpu_s, memory_bytes, precise_cpu_s
from tools.harness.processes import ProcessError, exit_on_signals
from tools.harness.system import System

SPEED = 100
CLIENTS = 16
REST_MS = 500  # of an idle simulated pile between two cycles; a board's is 100
CONNECT_PER_S = 50
KILLED_SHARE = 20  # one pile of so many
ORDERS_PER_S_AND_PILE = 1 / 50
QUIET_TIMEOUT_S = 180
IDLE_S = 10


@dataclass
class Result:
    """The result of a run. `wrong` is empty if no settlement is lost or stored twice."""

    figures: dict[str, str] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


class Fleet:
    """The piles, the stream of orders over them, and the kills."""

    def __init__(self, system: System, swarm: Swarm, seed: int, say: Callable[[str], None]):
        self.system = system
        self.swarm = swarm
        self.flow = Flow(system, swarm.piles)
        self.random = random.Random(seed)
        self.say = say
        self.kills: Counter[str] = Counter()  # device ids
        self.result = Result()

    def bring_up(self) -> None:
        took_s = self.flow.wait_until_online(60 + 0.2 * len(self.swarm.piles))
        self.result.figures["all online after the last start"] = f"{took_s:.1f} s"

    def idle(self, seconds: float) -> None:
        """Measures CPU and memory without orders."""
        piles = [pile.process.pid for pile in self.swarm.piles if pile.process]
        servers = self._servers()
        began = time.monotonic()
        used = {pid: precise_cpu_s(pid) for pid in piles}
        used_by = {name: cpu_s(pid) for name, pid in servers.items()}
        time.sleep(seconds)  # the time over which it is measured
        took_s = time.monotonic() - began
        cores = sum(precise_cpu_s(pid) - used[pid] for pid in piles) / took_s
        parts = [f"piles {cores:.2f} ({1000 * cores / len(piles):.2f} ms a second each)"]
        total = cores
        for name, pid in servers.items():
            share = (cpu_s(pid) - used_by[name]) / took_s
            total += share
            parts.append(f"{name} {share:.2f}")
        cycle = f"a cycle each {REST_MS} ms"
        self.result.figures[f"cores used idle, {cycle}"] = f"{total:.2f}: " + ", ".join(parts)

    def work(self, seconds: float, kill: bool) -> None:
        """Orders at a steady rate. With `kill`, some piles are killed meanwhile, and then the broker."""
        pace = max(1.0, len(self.swarm.piles) * ORDERS_PER_S_AND_PILE)
        servers = self._servers()
        used = {name: cpu_s(pid) for name, pid in servers.items()}
        began = time.monotonic()
        attack = threading.Thread(target=self._attack, args=(seconds,), daemon=True) if kill else None
        if attack:
            attack.start()
        self.flow.run(CLIENTS, seconds, per_second=pace)
        if attack:
            attack.join()
        took_s = time.monotonic() - began
        cores = {
            name: (cpu_s(pid) - used[name]) / took_s
            for name, pid in self._servers().items()
            if pid == servers[name]
        }
        self.result.figures["orders confirmed a second"] = f"{len(self.flow.confirmed) / took_s:.1f}"
        self.result.figures["cores of the servers under load"] = ", ".join(
            f"{n} {c:.2f}" for n, c in cores.items()
        )

    def _attack(self, seconds: float) -> None:
        time.sleep(seconds / 3)  # a kill comes at a fixed time, not after an event
        victims = self.random.sample(self.swarm.piles, max(1, len(self.swarm.piles) // KILLED_SHARE))
        for pile in victims:
            self.swarm.kill_pile(pile)
            self.kills[pile.device_id] += 1
        for pile in victims:
            self.swarm.start_pile(pile)
        time.sleep(seconds / 3)
        killed_us = time.time_ns() // 1000
        self.system.broker.kill()
        self.system.broker.start()
        self.result.figures["all online again after the broker's kill -9"] = self._recovered(killed_us)

    def _recovered(self, began_us: int) -> str:
        """Seconds until every pile has a connection to the new broker, according to its output."""
        deadline = time.monotonic() + QUIET_TIMEOUT_S
        missing = list(self.swarm.piles)
        while missing and time.monotonic() < deadline:
            time.sleep(0.5)
            missing = [pile for pile in missing if not _connected_since(pile, began_us)]
        if missing:
            self.result.wrong.append(f"{len(missing)} piles did not come back after the broker's kill -9")
        return f"{(time.time_ns() // 1000 - began_us) / 1e6:.1f} s"

    def settle_down(self) -> None:
        """Waits until no order is open. Reads the cloud for orders whose acknowledgement was lost."""
        deadline = time.monotonic() + QUIET_TIMEOUT_S
        open_ids = set(self.flow.confirmed)
        while time.monotonic() < deadline:
            open_ids = set(self.flow.confirmed) - set(self._states())
            if not open_ids and len(self.flow.online()) == len(self.swarm.piles):
                return
            time.sleep(0.5)
        self.result.wrong.append(f"not quiet after {QUIET_TIMEOUT_S} s: {len(open_ids)} orders are open")

    def audit(self) -> None:
        """Checks that every confirmed order was settled once or refused, and that nothing is flagged."""
        states = self._states()
        counts = Counter(states.values())
        settlements = self._all("settlements")
        by_order = Counter(settlement["order_id"] for settlement in settlements)
        flagged = [settlement for settlement in settlements if settlement["flagged"]]
        lost = [
            order_id
            for order_id in self.flow.confirmed
            if states.get(order_id) not in ("Rejected", "Expired") and not by_order[order_id]
        ]
        doubled = [order_id for order_id, count in by_order.items() if count > 1]
        up = len(self.flow.online())
        figures = self.result.figures
        figures["up"] = f"{up} of {len(self.swarm.piles)}"
        figures["orders"] = f"{len(self.flow.confirmed)} confirmed: " + ", ".join(
            f"{count} {state}" for state, count in counts.most_common()
        )
        figures["confirmations refused meanwhile"] = (
            str(dict(self.flow.refused)) if self.flow.refused else "none"
        )
        figures["settled / lost / doubled / flagged"] = (
            f"{len(settlements)} / {len(lost)} / {len(doubled)} / {len(flagged)}"
        )
        figures["piles killed"] = str(self.kills.total())
        figures["relays closed for an order that nobody settled"] = str(len(free := self._free(settlements)))
        if up < len(self.swarm.piles):
            self.result.wrong.append(f"{len(self.swarm.piles) - up} piles are not up")
        for word, found in (("lost", lost), ("doubled", doubled), ("flagged", flagged), ("free", free)):
            if found:
                self.result.wrong.append(f"{len(found)} {word}, such as {found[0]}")
        if dead := self.swarm.dead():
            self.result.wrong.append(f"{len(dead)} firmwares ended by themselves, such as {dead[0]}")
        self._latencies()

    def _free(self, settlements: list[dict]) -> list[str]:
        """Piles whose relay closed more often than the settlements, and what each kill may add, explain."""
        settled = Counter(settlement["device_id"] for settlement in settlements)
        return [
            pile.device_id
            for pile in self.swarm.piles
            if sum(1 for _ in pile.events_of("relay closed"))
            > settled[pile.device_id] + self.kills[pile.device_id]
        ]

    def _latencies(self) -> None:
        took_ms = self.latencies_ms()
        if took_ms:
            p50, p99 = percentile(took_ms, 50), percentile(took_ms, 99)
            self.result.figures["confirm to relay under load"] = f"p50 {p50:.0f} ms, p99 {p99:.0f} ms"

    def latencies_ms(self, but: Collection[str] = ()) -> list[float]:
        """From each confirmation to the relay. but: ids of orders that do not count."""
        sent: dict[str, list[int]] = {}
        for order_id, (device_id, sent_us) in self.flow.confirmed.items():
            if order_id not in but:
                sent.setdefault(device_id, []).append(sent_us)
        took_ms = []
        for pile in self.swarm.piles:
            closings = sorted(line["at_us"] for line in pile.events_of("relay closed"))
            for sent_us in sorted(sent.get(pile.device_id, ())):
                after = [at_us for at_us in closings if at_us >= sent_us]
                if after:
                    took_ms.append((after[0] - sent_us) / 1000)
        return took_ms

    def memory(self) -> None:
        piles = [memory_bytes(pile.process.pid) for pile in self.swarm.piles if pile.process]
        parts = [f"{sum(piles) / len(piles) / 1e6:.2f} MB a pile"]
        parts += [f"{name} {memory_bytes(pid) / 1e6:.0f} MB" for name, pid in self._servers().items()]
        self.result.figures["memory"] = ", ".join(parts)

    def _servers(self) -> dict[str, int]:
        if self.system.cloud is None:
            raise ProcessError("the cloud does not run")
        return {"cloud": self.system.cloud.pid, "broker": self.system.broker.pid}

    def _states(self) -> dict[str, str]:
        """The final states of the confirmed orders."""
        ends = ("Settled", "Rejected", "Expired")
        return {
            row["order_id"]: row["state"]
            for row in self._all("orders")
            if row["state"] in ends and row["order_id"] in self.flow.confirmed
        }

    def _all(self, what: str) -> list[dict]:
        found: list[dict] = []
        before = ""
        while True:
            page = self.system.operator.get(f"/api/{what}?limit=500{before}").json()
            found += page["items"]
            if page["next"] is None:
                return found
            before = f"&before={page['next']}"


def _connected_since(pile: Pile, at_us: int) -> bool:
    return any(
        line["at_us"] >= at_us and line["text"].startswith("connected")
        for line in pile.events_of("log")
        if "text" in line
    )


def run(
    piles: int,
    seconds: float,
    data: Path,
    *,
    interpreter: machine.Interpreter | None = None,
    kill: bool = True,
    idle_s: float = IDLE_S,
    seed: int = 1,
    say: Callable[[str], None] = print,
) -> Result:
    """The whole run. Raises ProcessError if it cannot start."""
    interpreter = interpreter or machine.native_interpreter() or machine.interpreters()[0]
    with testbed.database(data) as store:
        identities = testbed.register(store, [f"FLEET-{number:04}" for number in range(piles)])
    with (
        System(data) as system,
        Swarm(data / "swarm", system.broker.port, interpreter, SPEED, REST_MS) as swarm,
    ):
        say(f"{piles} piles on {' '.join(interpreter.argv)[-60:]}")
        for number, identity in enumerate(identities):
            swarm.add(identity)
            if number % CONNECT_PER_S == CONNECT_PER_S - 1:
                time.sleep(0.2)  # spread in time, as after a power cut in a town
        fleet = Fleet(system, swarm, seed, say)
        try:
            fleet.bring_up()
            if idle_s:
                fleet.idle(idle_s)
            fleet.work(seconds, kill)
            fleet.settle_down()
            fleet.memory()
            fleet.audit()
        finally:
            fleet.flow.close()
        return fleet.result


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="make fleet", description="Many real firmwares on one broker and cloud"
    )
    parser.add_argument("--piles", type=int, default=1000)
    parser.add_argument("--minutes", type=float, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--update", action="store_true", help="update all of them over the air, under load")
    parser.add_argument("--pypi", action="store_true", help="the interpreter from PyPI, which is heavier")
    options = parser.parse_args()
    exit_on_signals()
    interpreter = machine.interpreters()[0] if options.pypi else None
    with tempfile.TemporaryDirectory(prefix="ratelock fleet ") as folder:
        if options.update:
            from tools.bench import fleet_update  # it needs this module

            result = fleet_update.run(options.piles, Path(folder), interpreter=interpreter)
        else:
            result = run(
                options.piles, 60 * options.minutes, Path(folder), interpreter=interpreter, seed=options.seed
            )
    for name, value in result.figures.items():
        print(f"{name:45} {value}")
    for line in result.wrong:
        print("VIOLATION " + line)
    return 1 if result.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
