"""The charge from scan to receipt. Every statement is checked before it is printed; a false one ends it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pile_protocol import seal, topics
from pile_protocol.errors import SealError
from tools.demo import receipt
from tools.demo.screen import Screen, kwh, money, unit_price
from tools.harness.phone import Phone, PhoneOrder
from tools.harness.processes import Child
from tools.harness.system import PileIdentity, System
from tools.harness.tap import Tap

POWER_W = 7_000
SPEED = 600  # ten minutes of charging in each second of the demo
METERS_BEFORE_THE_NEW_RATE = 3
METERS_AFTER_IT = 3
COST_LIMIT_MINOR = 5000  # held before the relay closes
REFUND_MINOR = 100
REFUND_S = 20
CHARGING_S = 60  # by then the meter events must have come; they take a few seconds
OVER = ("Finishing", "Settled")


class ClaimFailed(Exception):
    """A statement of the demo is false."""


def claim(holds: object, what: str) -> None:
    if not holds:
        raise ClaimFailed(what)


def wait_until(is_so: Callable[[], bool], what: str) -> None:
    """Raises ClaimFailed where it is not so in time."""
    deadline = time.monotonic() + REFUND_S
    while not is_so():
        claim(time.monotonic() < deadline, what)
        time.sleep(0.05)


def flat_rate(electricity_price: int, service_price: int) -> dict[str, Any]:
    period = {
        "start": "00:00",
        "label": "flat",
        "electricity_price": electricity_price,
        "service_price": service_price,
    }
    return {"currency": "CNY", "time_zone": "Asia/Shanghai", "session_fee_minor": 50, "periods": [period]}


@dataclass(frozen=True)
class Outcome:
    """A story that held."""

    last_line: str
    receipt_path: str  # on the cloud; its fragment is the order's token


class Story:
    """One pile, one phone, one operator; in the order of the methods.

    identity: a registered pile that is offline and has no open order; the story starts and stops it.
    """

    def __init__(self, system: System, screen: Screen, tap: Tap, identity: PileIdentity):
        self.system = system
        self.screen = screen
        self.tap = tap
        self.identity = identity
        self.device_id = identity.device_id
        self.phone = Phone(system.base_url)

    def run(self) -> Outcome:
        """The whole story. Raises ClaimFailed, and what the parts below raise."""
        self.system.set_rate(self.device_id, flat_rate(700_000, 300_000))
        with self._pile() as pile:
            seen_rate = self._scan()
            locked = self._stale_confirmation(seen_rate, pile)
            order = self._confirmation(locked, pile)
            dearer = self._charging(order, locked)
            settled = self._stop(order, pile)
            self._receipt(order, settled, locked, dearer)
        settlement = settled["settlement"]
        return Outcome(
            f"DEMO OK order={order.order_id} energy_kwh={kwh(settlement['energy_mwh'])}"
            f" total={money(settlement['total_minor'], settlement['minor_digits'])}"
            f" {settlement['currency']} rate={settlement['rate_id']}",
            f"/p/{self.device_id}?order={order.order_id}#{order.placed['token']}",
        )

    @contextmanager
    def _pile(self) -> Iterator[Child]:
        child = self.system.start_pile(self.identity, power_w=POWER_W, speed=SPEED)
        try:
            self.system.wait_until_online(self.device_id, child)
            self.tap.wait_for(self.device_id, topics.TIME)  # without a clock it would refuse the order
            hello = self.tap.wait_for(self.device_id, topics.HELLO)
            self.screen.say(
                "pile", f"{self.device_id} is online, firmware {hello['firmware']} under MicroPython"
            )
            yield child
        finally:
            self.system.stop_pile(child)

    def _scan(self) -> dict[str, Any]:
        qr_content = f"{self.system.base_url}/p/{self.device_id}"
        self.screen.say("phone", f"scans the QR code: {qr_content}")
        device_id = qr_content.rpartition("/p/")[2]
        view = self.phone.pile(device_id)
        claim(view["online"], "the pile that was scanned is online")
        rate = self.phone.rate(device_id)
        claim(rate["rate_id"] == view["rate_id"], "the phone gets the pile's latest rate")
        self.screen.say("phone", f"sees {_in_words(rate)}")
        return rate

    def _stale_confirmation(self, seen_rate: dict[str, Any], pile: Child) -> dict[str, Any]:
        """The operator publishes a rate before the user confirms. Confirming the old one starts nothing."""
        newest = self._newest_order()
        new_id = self.system.set_rate(self.device_id, flat_rate(800_000, 400_000))
        self.screen.say("operator", "publishes another rate while the user still reads")
        answer = self.phone.confirm(self.device_id, seen_rate["rate_id"])
        claim(answer.status == 409 and answer.code == "RateChanged", f"409 RateChanged, not {answer.status}")
        new_rate = answer.json()["rate"]
        claim(new_rate["rate_id"] == new_id, "the refusal brings the new rate")
        claim(self._newest_order() == newest, "a stale confirmation makes no order")
        claim(not self.tap.of(self.device_id, topics.ORDER), "a stale confirmation sends the pile nothing")
        claim(not _relay_lines(pile), "the relay has not moved")
        self.screen.say("cloud", "refuses the old one with 409 RateChanged; nothing was ordered")
        self.screen.say("phone", f"sees {_in_words(new_rate)}")
        return new_rate

    def _newest_order(self) -> str | None:
        """The id of the pile's last order; it may have had some in earlier stories."""
        orders = self.system.operator.get(f"/api/orders?device_id={self.device_id}&limit=1").json()["items"]
        return orders[0]["order_id"] if orders else None

    def _confirmation(self, rate: dict[str, Any], pile: Child) -> PhoneOrder:
        limits = {"cost_minor": COST_LIMIT_MINOR}
        answer = self.phone.confirm(self.device_id, rate["rate_id"], limits=limits)
        claim(answer.status == 201, f"the confirmation is accepted, not answered with {answer.status}")
        order = self.phone.placed(answer)
        self.screen.say("phone", f"confirms exactly that rate; order {order.order_id}")
        payment = order.placed["payment"]
        claim(payment is not None and payment["is_test"], "the cloud's payments are those of a trial")
        claim((payment["state"], payment["held_minor"]) == ("Held", COST_LIMIT_MINOR), "the limit is held")
        held = money(COST_LIMIT_MINOR, rate["minor_digits"])
        self.screen.say("payment", f"{held} {rate['currency']} is held ({payment['notice']})")

        message, payload = self._crossed(topics.ORDER, order)
        claim(_is_sealed(payload, self.identity), "the order is sealed with the pile's key")
        crossed = {seen.json()["order_id"] for seen in self.tap.of(self.device_id, topics.ORDER)}
        claim(crossed == {order.order_id}, "the only order that crosses the broker is the one confirmed")
        claim(message["rate"]["rate_id"] == rate["rate_id"], "the order carries the rate that was confirmed")
        prices = {(step[1], step[2]) for step in message["rate"]["steps"]}
        claim(
            prices == {(row[1], row[2]) for row in rate["periods"]}, "the order carries the prices themselves"
        )
        self.screen.say("broker", f"carries the sealed order, rate locked inside ({len(payload)} bytes)")

        self._crossed(topics.ORDER_STATUS, order, lambda status: status["state"] == "Accepted")
        closed = pile.wait_for_json(lambda line: line.get("event") == "relay closed")
        claim(closed["connector"] == 1, "the relay of connector 1 closes")
        self.screen.say("pile", "checks seal, time and prices, writes the order to flash, closes the relay")
        return order

    def _crossed(
        self, name: str, order: PhoneOrder, matches: Callable[[Any], bool] = lambda _: True
    ) -> tuple[Any, bytes]:
        """The first message of that topic and order that `matches`, as JSON and as it was sent."""

        def is_it(message: Any) -> bool:
            return message["order_id"] == order.order_id and matches(message)

        message = self.tap.wait_for(self.device_id, name, is_it)
        return message, next(seen.payload for seen in self.tap.of(self.device_id, name) if is_it(seen.json()))

    def _charging(self, order: PhoneOrder, locked: dict[str, Any]) -> dict[str, Any]:
        """Energy and cost grow; in the middle the operator raises the price. Returns the dearer rate."""
        dearer: dict[str, Any] | None = None
        count = 0
        last: dict[str, Any] | None = None
        for event in order.events(lasts_s=CHARGING_S):
            if event.name == "order" and event.data["state"] in OVER:
                raise ClaimFailed(
                    f"the pile charges until it is stopped, and not until {event.data.get('reason')}"
                )
            if event.name != "meter":
                continue
            meter = event.data
            if last:
                claim(meter["register_mwh"] >= last["register_mwh"], "the register never runs backwards")
                claim(meter["cost_minor"] >= last["cost_minor"], "the cost never falls")
            last = meter
            digits = locked["minor_digits"]
            row = [0, *locked["periods"][0][1:3], "flat", meter["energy_mwh"]]
            expected = receipt.total_minor([row], locked["session_fee_minor"], digits)
            claim(abs(meter["cost_minor"] - expected) <= 1, f"cost so far is of the locked rate ({expected})")
            self.screen.progress(
                "pile",
                f"{kwh(meter['energy_mwh']):>7} kWh  {money(meter['cost_minor'], digits):>6}"
                f" {locked['currency']}  {meter['power_mw'] // 10**6} kW",
            )
            count += 1
            if count == METERS_BEFORE_THE_NEW_RATE:
                dearer = self._raise_the_price(order, locked)
            if count >= METERS_BEFORE_THE_NEW_RATE + METERS_AFTER_IT:
                break
        if last is None or dearer is None:
            raise ClaimFailed("the pile reports energy while it charges")
        claim(last["energy_mwh"] > 0, "energy was delivered")
        return dearer

    def _raise_the_price(self, order: PhoneOrder, locked: dict[str, Any]) -> dict[str, Any]:
        dearer_id = self.system.set_rate(self.device_id, flat_rate(1_500_000, 700_000))
        self.tap.wait_for(self.device_id, topics.RATE, lambda rate: rate["rate_id"] == dearer_id)
        dearer = self.phone.rate(self.device_id)
        claim(dearer["rate_id"] == dearer_id, "the dearer rate is the latest for whoever scans now")
        claim(order.view()["rate"]["rate_id"] == locked["rate_id"], "the running order keeps its rate")
        self.screen.say("operator", f"publishes a higher rate: {_in_words(dearer)}")
        return dearer

    def _stop(self, order: PhoneOrder, pile: Child) -> dict[str, Any]:
        claim(order.stop().status == 202, "the stop is taken")
        self.screen.say("phone", "stops the charge")
        opened = pile.wait_for_json(lambda line: line.get("event") == "relay opened")
        delivered = pile.wait_for_json(
            lambda line: line.get("event") == "register" and line["at_us"] >= opened["at_us"]
        )
        self.screen.say("pile", "opens the relay, then takes the last reading")

        message, payload = self._crossed(topics.SETTLEMENT, order)
        claim(_is_sealed(payload, self.identity), "the settlement is sealed with the pile's key")
        claim(
            message["energy_mwh"] == message["end_register_mwh"] - message["start_register_mwh"], "registers"
        )
        claim(message["energy_mwh"] <= delivered["delivered_mwh"], "no more is billed than was delivered")
        self.screen.say("pile", f"settles {kwh(message['energy_mwh'])} kWh at the locked rate, from flash")
        ack, _ = self._crossed(topics.SETTLEMENT_ACK, order)
        claim(ack["settlement_mac"] == message["mac"], "the acknowledgement is for this settlement")
        settled = order.wait_for_state("Paid")
        claim(
            settled["settlement"]["mac"] == message["mac"], "the settlement stored is the one the pile sealed"
        )
        claim(settled["settlement"]["flags"] == [], "the cloud comes to the same total")
        self.screen.say(
            "cloud", "prices it again from its own copy of the locked rate: equal; stored, acknowledged"
        )
        return settled

    def _receipt(
        self, order: PhoneOrder, settled: dict[str, Any], locked: dict[str, Any], dearer: dict[str, Any]
    ) -> None:
        settlement = settled["settlement"]
        digits, currency, total = (
            settlement["minor_digits"],
            settlement["currency"],
            settlement["total_minor"],
        )
        claim(settlement["rate_id"] == locked["rate_id"], "the settlement is at the confirmed rate")
        periods = settlement["periods"]
        by_hand = receipt.total_minor(periods, locked["session_fee_minor"], digits)
        claim(
            {(row[1], row[2]) for row in periods} == {(800_000, 400_000)}, "the prices are the confirmed ones"
        )
        claim(total == by_hand, f"the total is what fractions give ({by_hand})")
        claim(receipt.lines_minor(settlement) == total, "the line items add up to the total")

        payment = settled["payment"]
        claim(payment["captured_minor"] == total, "exactly the total is captured")
        claim(payment["captured_minor"] + payment["released_minor"] == COST_LIMIT_MINOR, "the rest is free")
        rest = money(payment["released_minor"], digits)
        self.screen.say("payment", f"{money(total, digits)} {currency} is captured, {rest} is released")
        claim(order.pay(total + 1).status == 409, "another amount is refused")

        self.screen.say("receipt", f"order {order.order_id}, rate {settlement['rate_id']}")
        receipt.show(self.screen, settlement)
        would_be = receipt.total_minor(receipt.repriced(periods, dearer), dearer["session_fee_minor"], digits)
        claim(would_be > total, "the new rate is dearer")
        self.screen.say(
            "receipt",
            f"  the rate published meanwhile would have made it {money(would_be, digits)} {currency};"
            f" the price you confirm is the price you pay",
        )
        self._refund(order, digits, currency)

    def _refund(self, order: PhoneOrder, digits: int, currency: str) -> None:
        """The operator credits a part of the bill, which the provider refunds."""
        path = f"/api/orders/{order.order_id}/credits"
        body = {"amount_minor": REFUND_MINOR, "reason": "The cable was stiff"}
        made = self.system.operator.post(path, body, {"Idempotency-Key": f"demo-{order.order_id}"})
        claim(made.status == 201, f"the bill is credited, not answered with {made.status}")
        wait_until(lambda: order.view()["payment"]["refunded_minor"] == REFUND_MINOR, "the refund is made")
        self.screen.say("payment", f"{money(REFUND_MINOR, digits)} {currency} is credited and refunded")


def _in_words(rate: dict[str, Any]) -> str:
    _, electricity, service, label = rate["periods"][0]
    fee = money(rate["session_fee_minor"], rate["minor_digits"])
    return (
        f"{unit_price(electricity)} electricity + {unit_price(service)} service"
        f" {rate['currency']}/kWh ({label}), {fee} a session"
    )


def _relay_lines(pile: Child) -> list[str]:
    return [line for line in pile.lines if '"relay closed"' in line]


def _is_sealed(payload: bytes, identity: PileIdentity) -> bool:
    try:
        seal.check(payload, seal.parse_key(identity.key))
    except SealError:
        return False
    return True
