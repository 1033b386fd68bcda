"""`make demo ARGS=ebike`: an e-bike socket sold by the hour in power tiers, with real processes.

Every statement is checked before it is printed; a false one ends it.
"""

from __future__ import annotations

from fractions import Fraction
from math import floor
from typing import Any

from pile_protocol import topics
from tools.demo.demo_system import own
from tools.demo.screen import Screen, money
from tools.demo.story import claim
from tools.harness.phone import Phone, PhoneOrder
from tools.harness.system import System
from tools.harness.tap import Tap

POWER_W = 300
BATTERY_WH = 340  # nearly full after the first order, and so drawing less
# A simulated pile's clock is the real one, so the prices per hour are high: an hour's price in 12 s.
FASTER = 300
TIERS = [{"up_to_w": 200, "price": 500_000 * FASTER}, {"up_to_w": 400, "price": 900_000 * FASTER}]
IDLE = {"price": 2_000_000 * FASTER, "after_s": 2, "max_minor": 30}
MINIMUM_MINOR = 50
TAX_PER_MILLE = 60
OFFER_MINOR = 100
RATE: dict[str, Any] = {
    "currency": "CNY",
    "time_zone": "Asia/Shanghai",
    "session_fee_minor": 0,
    "periods": [{"start": "00:00", "label": "flat", "electricity_price": 0, "service_price": 0}],
    "tiers": TIERS,
    "idle": IDLE,
    "minimum_minor": MINIMUM_MINOR,
    "tax_per_mille": TAX_PER_MILLE,
    "offers": [{"kind": "money", "cost_minor": OFFER_MINOR}, {"kind": "time", "duration_s": 7_200}],
}


def run(screen: Screen) -> str:
    """The whole story, on a system of its own; returns its last line. Raises what the parts below raise."""
    with own(screen) as (system, tap):
        return Socket(system, screen, tap).run()


class Socket:
    """One socket, one operator and two riders: one buys the offer, one stops early and stays on."""

    def __init__(self, system: System, screen: Screen, tap: Tap):
        self.system = system
        self.screen = screen
        self.tap = tap
        self.identity = system.add_pile("EBIKE-1", name="E-bike socket")
        self.device_id = self.identity.device_id
        self.phone = Phone(system.base_url)

    def run(self) -> str:
        pile = self.system.start_pile(
            self.identity,
            power_w=POWER_W,
            speed=FASTER,
            imp_per_kwh=3_200,
            extra=("--battery-wh", str(BATTERY_WH)),
        )
        self.system.wait_until_online(self.device_id, pile)
        hello = self.tap.wait_for(self.device_id, topics.HELLO)
        claim("tiers" in hello["bills"], "the pile tells that it can bill by power tiers")
        self.screen.say("pile", f"{self.device_id} is online and can bill {', '.join(hello['bills'])}")
        self.system.set_rate(self.device_id, RATE)
        rate = self.phone.rate(self.device_id)
        self.screen.say(
            "system",
            f"{3600 // FASTER} s of this story stand for an hour: prices per hour are {FASTER} times"
            " those of a street",
        )
        for watts_mw, price in rate["tiers"]:
            self.screen.say(
                "phone", f"sees {money(price // 10_000, 2)} CNY an hour up to {watts_mw // 1000} W"
            )
        self.screen.say(
            "phone",
            f"sees {money(IDLE['price'] // 10_000, 2)} CNY an hour for staying on after the charge, from"
            f" {IDLE['after_s']} s on, at most {money(IDLE['max_minor'], 2)} CNY",
        )
        self.screen.say("phone", f"sees that an order costs at least {money(MINIMUM_MINOR, 2)} CNY")
        self.screen.say("phone", f"sees that tax of {TAX_PER_MILLE} in 1000 is in all prices")
        bought = self._offer(rate)
        stayed = self._early_stop(rate)
        self.system.stop_pile(pile)
        totals = " and ".join(money(each["total_minor"], 2) for each in (bought, stayed))
        return f"DEMO OK e-bike: {totals} CNY"

    def _offer(self, rate: dict[str, Any]) -> dict[str, Any]:
        """The offer of 1 yuan: the pile stops by itself when the tiers have cost that."""
        offer = next(each for each in rate["offers"] if each["kind"] == "money")
        claim(offer["limits"]["cost_minor"] == OFFER_MINOR, "the offer is the limit that is confirmed")
        order = self.phone.order(self.device_id, limits=offer["limits"])
        self.screen.say("phone", f"takes the offer of {money(OFFER_MINOR, 2)} CNY; order {order.order_id}")
        half = order.wait_for_event(
            lambda event: event.name == "meter" and event.data["costs"]["tiers_minor"] >= OFFER_MINOR // 2
        ).data
        watts, cost = half["power_mw"] // 1000, money(half["costs"]["tiers_minor"], 2)
        self.screen.say("pile", f"  {watts} W, {cost} CNY by the hour so far")
        settlement = self._settled(order)
        claim(settlement["total_minor"] == OFFER_MINOR, "the offer costs what it says")
        claim(all(row[2] for row in settlement["tiers"]), "the bike drew power of both tiers")
        claim(settlement["stop_reason"] == "CostLimitReached", "the pile stops when the money is used up")
        self.screen.say("pile", f"opens the relay when {money(OFFER_MINOR, 2)} CNY are used up")
        self._receipt(settlement)
        return settlement

    def _early_stop(self, rate: dict[str, Any]) -> dict[str, Any]:
        order = self.phone.order(self.device_id)
        charging = order.wait_for_event(lambda event: event.name == "meter" and event.data["energy_mwh"] > 0)
        claim("tiers_minor" in charging.data["costs"], "the phone sees the cost by component")
        claim(order.stop().status == 202, "the stop is taken")
        self.screen.say("phone", "stops the charge and leaves the bike plugged in")
        staying = order.wait_for_event(lambda event: event.name == "meter" and event.data.get("idle"))
        free_s = staying.data["idle"]["free_until_at"] - staying.data["idle"]["since_at"]
        claim(free_s == IDLE["after_s"], "staying on is free for the grace time")
        self.screen.say("pile", f"keeps the relay open; staying on costs from {free_s} s on")
        settlement = self._settled(order)
        claim(settlement["idle"]["idle_minor"] == IDLE["max_minor"], "staying on costs its cap, and no more")
        self.screen.say("pile", f"ends the order at the cap of {money(IDLE['max_minor'], 2)} CNY")
        claim(settlement["total_minor"] >= MINIMUM_MINOR, "the order costs the minimum at least")
        self._receipt(settlement)
        return settlement

    def _settled(self, order: PhoneOrder) -> dict[str, Any]:
        settlement = order.wait_for_state("Settled", "Paid", timeout_s=60)["settlement"]
        claim(settlement["flags"] == [], "the cloud comes to the same total")
        claim(settlement["total_minor"] == _by_hand(settlement, order), "the total is what fractions give")
        return settlement

    def _receipt(self, settlement: dict[str, Any]) -> None:
        lines = 0

        def line(what: str, minor: int) -> None:
            nonlocal lines
            lines += minor
            if minor:
                self.screen.say("receipt", f"  {what:<34} {money(minor, 2):>6} CNY")

        for up_to_mw, _, time_ms, minor in settlement["tiers"]:
            line(f"up to {up_to_mw // 1000} W, {time_ms / 1000:.1f} s", minor)
        line("staying on", settlement["idle"]["idle_minor"])
        line("to the minimum", settlement["top_up_minor"])
        claim(lines == settlement["total_minor"], "the lines add up to the total")
        total, tax = settlement["total_minor"], settlement["tax_minor"]
        claim(tax == floor(Fraction(total * TAX_PER_MILLE, 1000 + TAX_PER_MILLE) + Fraction(1, 2)), "the tax")
        self.screen.say("receipt", f"  {'total':<34} {money(total, 2):>6} CNY, of it tax {money(tax, 2)}")


def _by_hand(settlement: dict[str, Any], order: PhoneOrder) -> int:
    """The total by fractions, without the price engine that it checks."""
    exact = sum(Fraction(ms, 3_600_000) * Fraction(price, 10**4) for _, price, ms, _ in settlement["tiers"])
    staying = Fraction(settlement["idle"]["time_ms"], 3_600_000) * Fraction(IDLE["price"], 10**4)
    exact += min(staying, Fraction(IDLE["max_minor"]))
    total = max(floor(exact + Fraction(1, 2)), MINIMUM_MINOR)
    limit_minor = order.view()["limits"].get("cost_minor")
    return total if limit_minor is None else min(total, limit_minor)
