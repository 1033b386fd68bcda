"""Kills processes at random during orders and then checks that no settlement is lost or doubled.

    python -m tools.harness.chaos --rounds 300 --seed 7

A round: one to three orders are confirmed on random piles, and at a random moment of their lives the firmware
of a pile, the cloud, the broker, or several of them, are ended by `kill -9` and started again. Every order
has a rate of its own: the combinations of price components take turns. At the end everything is left alone
until all is settled, and the books are audited: against what the hardware says that it delivered, against the
settlements' chain, and against a second computation of every total.
"""

from __future__ import annotations

import argparse
import json
import random
import secrets
import sys
import tempfile
import time
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

from pile_protocol import components
from tools.harness.api_client import ApiError
from tools.harness.phone import Phone
from tools.harness.processes import Child, ProcessError
from tools.harness.sim_pile import METERS, lag_ms
from tools.harness.system import DEMO_RATE, PileIdentity, System

SPEED = 600  # of a pile with a pulse meter
SLOW_SPEED = 60  # of one with another meter: 600 times would pass its limits by more than the cloud allows
POWER_W = 7_000
IMP_PER_KWH = 1_600
QUIET_TIMEOUT_S = 180
COST_LIMITED = 0.3  # of the orders have a money limit too
OPEN = ("Pending", "Accepted", "Charging", "Finishing")
KILLS = ("pile", "cloud", "broker", "pile and cloud", "cloud and broker", "everything")
PILE_OPTIONS = ("--world", "--keepalive-s", "2", "--backoff-max-ms", "1000")
# By the word of a component: the members that it adds to a rate. A second costs 1 minor unit by time, 0.5 or
# 2 by power, 1 to stay.
MEMBERS: dict[str, dict[str, Any]] = {
    "time": {"periods": [{**period, "time_price": 36_000_000} for period in DEMO_RATE["periods"]]},
    "tiers": {"tiers": [{"up_to_w": 3_500, "price": 18_000_000}, {"up_to_w": 11_000, "price": 72_000_000}]},
    "idle": {"idle": {"price": 36_000_000, "after_s": 1, "max_minor": 2}},
    "minimum": {"minimum_minor": 100},
    "maximum": {"maximum_minor": 200},
    "tax": {"tax_per_mille": 60},
}
LOSS_MAX_MS = 2_000  # of charging, for each kill of a pile


@dataclass
class Pile:
    """A pile over all its lives."""

    identity: PileIdentity
    flash: Path
    meter: dict[str, int]  # one of METERS
    child: Child | None = None
    kills: int = 0
    closed: int = 0  # relay closings seen, in lives that have ended
    confirmed: list[str] = field(default_factory=list)  # order ids

    @property
    def device_id(self) -> str:
        return self.identity.device_id

    @property
    def speed(self) -> int:
        return SLOW_SPEED if self.meter else SPEED

    def closings(self) -> int:
        lines = self.child.lines if self.child else []
        return self.closed + sum('"relay closed"' in line for line in lines)

    def delivered_mwh(self) -> int:
        """The energy that the hardware delivered to the car, over all restarts."""
        return sum(json.loads((self.flash / "world.json").read_text()))


class Chaos:
    """The system under attack, driven by one seeded random source."""

    def __init__(self, system: System, piles: int, seed: int):
        self.system = system
        self.random = random.Random(seed)
        self.kills = dict.fromkeys(("pile", "cloud", "broker"), 0)
        self.refused = 0  # confirmations that the cloud could not take at that moment
        self.combinations = [
            words for n in range(len(MEMBERS) + 1) for words in combinations(tuple(MEMBERS), n)
        ]
        self.random.shuffle(self.combinations)
        self.tried: set[tuple[str, ...]] = set()  # combinations of orders that were confirmed
        self.kills_of = dict.fromkeys(MEMBERS, 0)  # kills while an order with that component was open
        self.piles = []
        for number in range(piles):
            identity = system.add_pile()
            system.set_rate(identity.device_id, DEMO_RATE)
            flash = system.data / "piles" / identity.device_id
            self.piles.append(Pile(identity, flash, METERS[number % len(METERS)]))
        for pile in self.piles:
            self._start(pile)

    def round(self) -> None:
        """Confirms some orders, and kills something while they run."""
        for pile in self.random.sample(self.piles, self.random.randint(1, min(3, len(self.piles)))):
            self._confirm(pile)
        # The only wait for a time instead of an event, because a power cut comes at any moment.
        time.sleep(self.random.uniform(0, 1.5))
        victims = self.random.choice(KILLS)
        chosen = []
        if victims in ("pile", "pile and cloud", "everything"):
            chosen = self.piles if victims == "everything" else [self.random.choice(self.piles)]
        shared = [word for word in ("cloud", "broker") if word in victims or victims == "everything"]
        self._note_components(chosen + self.piles * len(shared))
        for pile in chosen:
            self._kill(pile)
        if "cloud" in shared:
            self.system.kill_cloud()
            self.kills["cloud"] += 1
        if "broker" in shared:
            self.system.broker.kill()
            self.kills["broker"] += 1
            self.system.broker.start()
        if self.system.cloud is None:
            self.system.start_cloud()
        for pile in self.piles:
            if pile.child is None:
                self._start(pile)

    def _note_components(self, piles: list[Pile]) -> None:
        """Counts the components of orders that are about to lose their pile, the cloud or the broker."""
        for pile in piles:
            for order_id in pile.confirmed[-1:]:
                order = self.system.operator.get(f"/api/orders/{order_id}").json()
                for word in components.components_of(order["rate"]) if order["state"] in OPEN else ():
                    self.kills_of[word] += 1

    def settle_down(self) -> None:
        """Waits until no order is open and no outbox holds anything. Raises ProcessError."""
        deadline = time.monotonic() + QUIET_TIMEOUT_S
        while True:
            waiting = self._unquiet()
            if not waiting:
                return
            if time.monotonic() > deadline:
                raise ProcessError(f"not quiet after {QUIET_TIMEOUT_S} s: {'; '.join(waiting)}")
            time.sleep(0.1)

    def _unquiet(self) -> list[str]:
        reasons = []
        for pile in self.piles:
            if pile.child:
                pile.child.check_alive()
            view = self.system.operator.get(f"/api/piles/{pile.device_id}").json()
            is_ready = view["online"] and view["clock_set"]
            if not is_ready or any(c["busy"] or c["status"] != "Available" for c in view["connectors"]):
                reasons.append(f"{pile.device_id} is {view}")
        for order in self._orders():
            if order["state"] not in ("Settled", "Paid", "Rejected", "Expired", "Cancelled"):
                reasons.append(f"order {order['order_id']} is {order['state']}")
        return reasons

    def _orders(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for pile in self.piles:
            for order_id in pile.confirmed:
                answer = self.system.operator.get(f"/api/orders/{order_id}")
                if answer.status != 200:
                    raise ApiError(f"order {order_id} was confirmed and is gone: HTTP {answer.status}")
                found.append(answer.json())
        return found

    def _settlements(self, pile: Pile) -> list[dict[str, Any]]:
        """All that the cloud has stored of a pile."""
        found: list[dict[str, Any]] = []
        before = ""
        while True:
            page = self.system.operator.get(
                f"/api/settlements?device_id={pile.device_id}&limit=50{before}"
            ).json()
            found += page["items"]
            if page["next"] is None:
                return found
            before = f"&before={page['next']}"

    def _confirm(self, pile: Pile) -> None:
        phone = Phone(self.base_url())
        limits = {"energy_mwh": self.random.randint(200_000, 2_500_000) * pile.speed // SPEED}
        if self.random.random() < COST_LIMITED:
            limits["cost_minor"] = self.random.randint(120, 300)
        words = self.combinations[0]
        rate = dict(DEMO_RATE)
        for word in words:
            rate.update(MEMBERS[word])
        try:
            self.system.set_rate(pile.device_id, rate)
            rate_id = phone.rate(pile.device_id)["rate_id"]
            answer = phone.confirm(
                pile.device_id, rate_id, limits=limits, idempotency_key=secrets.token_hex(16)
            )
        except ApiError:
            self.refused += 1
            return
        if answer.status == 201:
            pile.confirmed.append(answer.json()["order_id"])
            self.tried.add(words)
            self.combinations.append(self.combinations.pop(0))
        else:
            self.refused += 1

    def base_url(self) -> str:
        """Where the next confirmation goes: the cloud, or one of several workers."""
        return self.system.base_url

    def _start(self, pile: Pile) -> None:
        pile.child = self.system.start_pile(
            pile.identity,
            power_w=POWER_W,
            imp_per_kwh=IMP_PER_KWH,
            speed=pile.speed,
            flash=pile.flash,
            extra=(*PILE_OPTIONS, "--battery-wh", "10000000", "--sim", json.dumps(pile.meter)),
        )

    def _kill(self, pile: Pile) -> None:
        if pile.child is None:
            return
        child = pile.child
        self.system.kill_pile(child)
        pile.child = None
        pile.closed += sum('"relay closed"' in line for line in child.lines)
        pile.kills += 1
        self.kills["pile"] += 1

    # -- the audit -----------------------------------------------------------------------------------------

    def audit(self) -> list[str]:
        """Everything that does not balance, one sentence each."""
        wrong: list[str] = []
        for pile in self.piles:
            wrong += self._audit_pile(pile)
        return wrong

    def _audit_pile(self, pile: Pile) -> list[str]:
        wrong = []
        name = pile.device_id
        settlements = sorted(self._settlements(pile), key=lambda s: s["seq"])
        orders = {o["order_id"]: o for o in self._orders() if o["device_id"] == name}
        if [s["seq"] for s in settlements] != list(range(1, len(settlements) + 1)):
            wrong.append(f"{name}: sequence numbers {[s['seq'] for s in settlements]}")
        for before, after in zip([None, *settlements], settlements, strict=False):
            if after["prev_mac"] != (before["mac"] if before else None):
                wrong.append(f"{name}: the chain breaks at {after['seq']}")
        by_order = [s["order_id"] for s in settlements]
        if len(set(by_order)) != len(by_order):
            wrong.append(f"{name}: an order is settled twice")
        for settlement in settlements:
            wrong += [f"{name}: settlement {settlement['seq']}: {p}" for p in _problems(settlement, orders)]
        for order_id, order in orders.items():
            if (order["state"] in ("Settled", "Paid")) != (order_id in by_order):
                wrong.append(f"{name}: order {order_id} is {order['state']}")
            # The energy lost to a kill may be as much as a small order, so the sum alone would not show a
            # lost order.
            if order_id not in by_order and (order["accepted_at"] or order["charging_at"]):
                wrong.append(f"{name}: order {order_id} was accepted and is not settled")
        if pile.closings() < len(set(by_order)) - pile.kills:
            wrong.append(f"{name}: more orders settled than relays closed")
        if not settlements and pile.closings():
            wrong.append(f"{name}: the relay closed and nothing was settled")
        wrong += self._audit_energy(pile, sum(s["energy_mwh"] for s in settlements), len(settlements))
        return wrong

    def _audit_energy(self, pile: Pile, billed_mwh: int, orders: int) -> list[str]:
        delivered_mwh = pile.delivered_mwh()
        # Whole steps are what a meter shows: each order and each life may leave part of one behind.
        step_mwh = pile.meter.get("step_mwh", 1_000_000 // IMP_PER_KWH + 1)
        loss_max_ms = LOSS_MAX_MS + lag_ms(pile.meter)
        lost_max_mwh = (orders + pile.kills + 1) * step_mwh
        lost_max_mwh += pile.kills * POWER_W * pile.speed * loss_max_ms // 3_600
        if billed_mwh > delivered_mwh:
            return [f"{pile.device_id}: billed {billed_mwh} mWh of {delivered_mwh} delivered"]
        if delivered_mwh - billed_mwh > lost_max_mwh:
            lost = delivered_mwh - billed_mwh
            return [
                f"{pile.device_id}: {lost} mWh were lost in {pile.kills} kills, at most {lost_max_mwh} may"
            ]
        return []

    def summary(self) -> str:
        billed = delivered = settled = 0
        for pile in self.piles:
            settlements = self._settlements(pile)
            settled += len(settlements)
            billed += sum(s["energy_mwh"] for s in settlements)
            delivered += pile.delivered_mwh()
        kills = ", ".join(f"{count} of {victim}" for victim, count in self.kills.items())
        states: dict[str, int] = {}
        for order in self._orders():
            states[order["state"]] = states.get(order["state"], 0) + 1
        by_component = ", ".join(f"{count} of {word}" for word, count in self.kills_of.items())
        return (
            f"kills: {kills}; kills in orders by component: {by_component};"
            f" combinations of components: {len(self.tried)} of {len(self.combinations)}; orders: {states};"
            f" confirmations refused meanwhile: {self.refused}; "
            f"settlements: {settled}; kWh delivered {delivered / 1e6:.3f}, billed {billed / 1e6:.3f}"
        )


def _problems(settlement: dict[str, Any], orders: dict[str, dict[str, Any]]) -> list[str]:
    """What is wrong with one settlement when it is computed again."""
    order = orders.get(settlement["order_id"])
    if order is None:
        return ["of an order that nobody confirmed"]
    found = [f"flagged {settlement['flags']}"] if settlement["flagged"] else []
    usage = components.usage_of(order["rate"], settlement)
    total_minor = components.bill(order["rate"], usage, order["limits"].get("cost_minor"))["total_minor"]
    if not total_minor == settlement["total_minor"] == order["total_minor"]:
        found.append(
            f"{settlement['total_minor']} billed, {total_minor} computed, {order['total_minor']} kept"
        )
    return found


def run(rounds: int, seed: int, piles: int, data: Path, say: Any = print) -> list[str]:
    """The whole attack; returns what does not balance."""
    with System(data) as system:
        chaos = Chaos(system, piles, seed)
        chaos.settle_down()
        for number in range(1, rounds + 1):
            chaos.round()
            if number % 10 == 0:
                chaos.settle_down()
                say(f"round {number}: {chaos.summary()}")
        chaos.settle_down()
        wrong = chaos.audit()
        say(f"seed {seed}, {rounds} rounds: {chaos.summary()}")
        return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description="Random kill -9 of firmware, cloud and broker during orders")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--piles", type=int, default=4)
    parser.add_argument("--keep", type=Path, help="keep the data folder here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ratelock chaos ") as scratch:
        wrong = run(options.rounds, options.seed, options.piles, options.keep or Path(scratch))
    for line in wrong:
        print("VIOLATION " + line)
    print(f"violations: {len(wrong)}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
