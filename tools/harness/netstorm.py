"""A bad network under charging piles: each trouble strikes one pile during an order, and many others lose
their connections and reconnect.

    python -m tools.harness.netstorm --clients 200 --seed 7

Each pile must open its relay at the order's limit while its trouble lasts. How late it opened, and by how
much a cycle of its control loop was ever late, stands beside the same figures of a pile without trouble, on
the same machine at the same time: what the network adds is the difference.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pile_protocol import seal, topics
from tools import ROOT
from tools.harness.api_client import ApiError
from tools.harness.phone import Phone, PhoneOrder
from tools.harness.processes import Child, Children, ProcessError
from tools.harness.proxy import Proxy
from tools.harness.sim_pile import METERS, environment, interpreter, lag_ms
from tools.harness.system import DEMO_RATE, System
from tools.harness.tap import Tap

HERD = ROOT / "tests" / "reliability" / "herd.py"
POWER_W = 7_000
SPEED = 60
IMP_PER_KWH = 3_200
LIMIT_MWH = 500_000  # 4.3 s of charging
MISSED_MS = 1_000  # a relay that opens later than that, beyond its meter's lag, has missed its limit
PILE_OPTIONS = ("--keepalive-s", "2", "--backoff-max-ms", "1000", "--battery-wh", "1000000")
HERD_OPTIONS = {"keepalive_s": 30, "backoff_max_ms": 30_000}
START_TIMEOUT_S = 60
OPEN_TIMEOUT_S = 60
HERD_TIMEOUT_S = 200
SETTLE_TIMEOUT_S = 120


@dataclass(frozen=True)
class Result:
    """What one pile went through."""

    trouble: str
    reason: str  # of the end
    flagged: bool
    billed_mwh: int
    open_late_ms: int  # from the limit's energy to the open relay
    meter_lag_ms: int
    loop_late_ms: int  # by how much more than a whole period (100 ms) a control cycle was ever late

    def missed(self) -> bool:
        return (
            self.reason != "EnergyLimitReached"
            or self.flagged
            or self.open_late_ms > MISSED_MS + self.meter_lag_ms
        )


def _slow(proxy: Proxy) -> None:
    proxy.latency_s = 0.5


def _gprs(proxy: Proxy) -> None:
    proxy.latency_s = 0.4
    proxy.bytes_per_s = 1_000


def _cut_inside_packets(proxy: Proxy) -> None:
    proxy.cut_after(random.randint(2, 90))


# A trouble, and whether it must be repeated because the connection comes back.
TROUBLES: dict[str, tuple[Callable[[Proxy], None], bool]] = {
    "none": (lambda proxy: None, False),
    "latency of 0.5 s": (_slow, False),
    "GPRS, 1 kB/s": (_gprs, False),
    "half-open": (lambda proxy: proxy.stall(), False),
    "nothing goes up": (lambda proxy: proxy.stall("up"), False),
    "nothing comes down": (lambda proxy: proxy.stall("down"), False),
    "no connection": (lambda proxy: proxy.cut(), False),
    "cut inside packets": (_cut_inside_packets, True),
    "connection lost all the time": (lambda proxy: proxy.drop(), True),
}
CALM = ("none", "beside the storm")
AGAIN_S = 0.3


class Subject:
    """One pile behind a proxy, in one trouble. The proxy is its own unless it shares one with the herd.

    meter: one of METERS.
    """

    def __init__(
        self,
        system: System,
        trouble: str,
        strike: Callable[[Proxy], None],
        again: bool = False,
        meter: dict[str, int] = METERS[0],
    ):
        self.trouble = trouble
        self.meter = meter
        self.identity = system.add_pile()
        system.set_rate(self.identity.device_id, DEMO_RATE)
        self._system = system
        self._strike = strike
        self._again = again

    def run(self, tap: Tap, proxy: Proxy) -> Result:
        """An order from its confirmation to its settlement. Raises ProcessError, ApiError, TimeoutError."""
        system, device_id = self._system, self.identity.device_id
        child = system.start_pile(
            self.identity,
            power_w=POWER_W,
            imp_per_kwh=IMP_PER_KWH,
            speed=SPEED,
            mqtt_url=proxy.url,
            extra=(*PILE_OPTIONS, "--sim", json.dumps(self.meter)),
        )
        system.wait_until_online(device_id, child, START_TIMEOUT_S)
        order = self._order()
        child.wait_for_json(lambda line: line["event"] == "relay closed", START_TIMEOUT_S)
        delivered_mwh = self._while_in_trouble(proxy, child)
        proxy.latency_s = 0
        proxy.bytes_per_s = 0
        proxy.drop()
        proxy.mend()
        view = order.wait_for_state("Settled", "Paid", timeout_s=SETTLE_TIMEOUT_S)
        settlement = view["settlement"]
        status = tap.wait_for(
            device_id,
            topics.STATUS,
            lambda m: is_after(m, settlement["ended_at"]),
            SETTLE_TIMEOUT_S,
        )
        system.stop_pile(child)
        return Result(
            self.trouble,
            view["reason"],
            settlement["flagged"],
            settlement["energy_mwh"],
            (delivered_mwh - LIMIT_MWH) * 3_600_000 // (POWER_W * 1000 * SPEED),
            lag_ms(self.meter),
            status["late_max_ms"],
        )

    def _order(self) -> PhoneOrder:
        """Confirms until the pile accepts: just after its start the meter's first reading may have yet to
        come.
        """
        phone = Phone(self._system.base_url)
        while True:
            order = phone.order(self.identity.device_id, limits={"energy_mwh": LIMIT_MWH})
            view = order.wait_for_state("Charging", "Rejected", timeout_s=START_TIMEOUT_S)
            if view["state"] == "Charging" or view["reason"] not in ("TooSoon", "NoMeter"):
                return order
            time.sleep(AGAIN_S)

    def _while_in_trouble(self, proxy: Proxy, child: Child) -> int:
        """Makes trouble until the relay has opened; returns the energy delivered by then, mWh."""
        ended = threading.Event()

        def strike() -> None:
            self._strike(proxy)
            while self._again and not ended.wait(AGAIN_S):
                self._strike(proxy)

        striking = threading.Thread(target=strike, daemon=True)
        striking.start()
        try:
            opened = child.wait_for_json(lambda line: line["event"] == "relay opened", OPEN_TIMEOUT_S)
            register = child.wait_for_json(
                lambda line: line["event"] == "register" and line["at_us"] >= opened["at_us"]
            )
        finally:
            ended.set()
            striking.join()
        return int(register["delivered_mwh"])


def is_after(status: dict[str, Any], ended_at: int) -> bool:
    """Whether a pile's status was made after the order that ended then was settled and acknowledged."""
    idle = status["online"] and not status["outbox"] and status["connectors"][0]["order_id"] is None
    return idle and (status["at"] or 0) >= ended_at


class Herd:
    """`size` connections of the firmware's own client, each registered as a pile, through `proxy`."""

    def __init__(self, system: System, size: int, proxy: Proxy, children: Children):
        piles = [system.add_pile() for _ in range(size)]
        clients = [[p.device_id, seal.mqtt_password(bytes.fromhex(p.key))] for p in piles]
        argv = [*interpreter(), "-X", "heapsize=64M", str(HERD)]
        self._child = children.start("herd", argv, env=environment(), stdin=True)
        self._child.send_json({"port": proxy.port, "clients": clients, **HERD_OPTIONS})
        self._seen = 0
        self.wait_until_whole()

    def wait_until_whole(self) -> int:
        """Returns once every client has greeted again since the last call; how long that took, in ms."""

        def whole(line: dict[str, Any]) -> bool:
            return line["event"] == "whole"

        found = self._child.wait_for_json(whole, HERD_TIMEOUT_S, self._seen)
        lines = [json.loads(line) for line in self._child.lines]
        self._seen = max(number for number, line in enumerate(lines) if whole(line)) + 1
        return int(found["took_ms"])


def single_troubles(system: System, tap: Tap, names: list[str]) -> list[Result]:
    """Each trouble strikes a pile of its own, all at the same time. Raises as Subject.run."""

    def one(number: int, name: str) -> Result:
        strike, again = TROUBLES[name]
        meter = METERS[number % len(METERS)]
        with Proxy(system.broker.port) as proxy:
            return Subject(system, name, strike, again, meter).run(tap, proxy)

    with ThreadPoolExecutor(len(names)) as pool:
        return list(pool.map(one, range(len(names)), names))


def storm(system: System, tap: Tap, size: int, say: Callable[[str], None]) -> list[Result]:
    """`size` connections lost at once while a pile among them charges, and a pile beside them does; then the
    broker is killed under all of them.
    """
    with Proxy(system.broker.port) as proxy, Children() as children:
        herd = Herd(system, size, proxy, children)
        among = Subject(system, f"storm of {size}", lambda one: one.drop())
        beside = Subject(system, "beside the storm", lambda one: None)
        with Proxy(system.broker.port) as quiet, ThreadPoolExecutor(2) as pool:
            running = [pool.submit(among.run, tap, proxy), pool.submit(beside.run, tap, quiet)]
            results = [one.result() for one in running]
        took_ms = herd.wait_until_whole()
        say(f"{size} connections lost at once: all back after {took_ms} ms")
        system.broker.kill()
        system.broker.start()
        say(f"broker killed and restarted: all back after {herd.wait_until_whole()} ms")
    return results


def report(results: list[Result]) -> list[str]:
    """A table, and what the network added to the lateness of a pile without trouble."""
    lines = [f"  {'trouble':30} {'relay open after limit':>22} {'cycle late':>12}  billed"]
    for one in results:
        verdict = "  MISSED" if one.missed() else ""
        figures = f"{one.open_late_ms:>19} ms {one.loop_late_ms:>9} ms  {one.billed_mwh} mWh"
        lines.append(f"  {one.trouble:30} {figures}{verdict}")
    calm_ms = max((one.loop_late_ms for one in results if one.trouble in CALM), default=0)
    worst_ms = max((one.loop_late_ms for one in results if one.trouble not in CALM), default=0)
    lines.append(f"  late by more than a period because of the network: {max(0, worst_ms - calm_ms)} ms")
    return lines


def run(data: Path, clients: int, names: list[str], say: Callable[[str], None]) -> list[Result]:
    """All troubles, then the storm (0 clients: none). Raises ProcessError, ApiError, TimeoutError."""
    with System(data) as system:
        tap = Tap(system.broker)
        try:
            results = single_troubles(system, tap, names)
            if clients:
                results += storm(system, tap, clients, say)
        finally:
            tap.close()
    for line in report(results):
        say(line)
    return results


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seed", type=int, default=int(time.time()) % 1_000_000)
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    random.seed(options.seed)
    with tempfile.TemporaryDirectory(prefix="ratelock netstorm ") as folder:
        try:
            results = run(Path(folder), options.clients, list(TROUBLES), lambda text: print(text, flush=True))
        except (ProcessError, ApiError, TimeoutError) as error:
            print(f"NETSTORM FAILED: {error}")
            return 1
    missed = [one for one in results if one.missed()]
    print("NETSTORM FAILED" if missed else "NETSTORM OK")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
