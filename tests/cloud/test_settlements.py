"""Settlements: recomputed, stored once, flagged with reasons, always acknowledged, paid if they match."""

import json
from typing import Any

import pytest

from cloud_stub.cloud import Cloud
from pile_protocol import messages, pricing
from tests.cloud.conftest import Phone
from tests.cloud.fakes import FLAT_RATE, FakeLink, FakePile, open_sealed


def acks(link: FakeLink, pile: FakePile) -> list[dict[str, Any]]:
    sent = link.sent(pile.device_id, "settlement/ack")
    return [open_sealed("settlement/ack", data, pile.key) for data in sent]


def flagged(operator: Any) -> list[list[str]]:
    found = operator("GET", "/api/settlements?flagged=true").json()["items"]
    return [each["flags"] for each in reversed(found)]


def ordered(phone: Phone, pile: FakePile, connector: int = 1, **limits: int) -> dict[str, Any]:
    """The message of a new order that the pile has begun."""
    phone.order(pile.device_id, connector, **limits)
    pile.order_status(phone.order_id, "Charging", connector=connector)
    return phone.message(pile)


def test_a_settlement_that_matches_is_stored_and_acknowledged(
    phone: Phone, pile: FakePile, link: FakeLink, operator: Any
):
    message = ordered(phone, pile)
    mac = json.loads(pile.settle(message))["mac"]
    assert acks(link, pile) == [
        {
            "kind": "ack",
            "device_id": "PILE-1",
            "order_id": phone.order_id,
            "seq": 1,
            "settlement_mac": mac,
            "status": "Stored",
            "mac": acks(link, pile)[0]["mac"],
        }
    ]
    order = phone.get()
    assert (order["state"], order["total_minor"], order["energy_mwh"]) == ("Settled", 350, 2_500_000)
    assert order["settlement"]["flags"] == []
    assert order["settlement"]["computed_minor"] == 350
    assert flagged(operator) == []


def test_a_repeat_is_acknowledged_again_and_stored_once(
    phone: Phone, pile: FakePile, link: FakeLink, operator: Any
):
    data = pile.settle(ordered(phone, pile))
    version = phone.get()["version"]
    for _ in range(5):
        pile.say("settlement", data)
    assert len(acks(link, pile)) == 6
    assert len({ack["mac"] for ack in acks(link, pile)}) == 1
    assert len(operator("GET", "/api/settlements").json()["items"]) == 1
    assert phone.get()["version"] == version


def test_a_repeat_after_payment_changes_nothing(phone: Phone, pile: FakePile, link: FakeLink):
    data = pile.settle(ordered(phone, pile))
    assert phone.pay(350).status_code == 200
    pile.say("settlement", data)
    assert phone.get()["state"] == "Paid"
    assert len(acks(link, pile)) == 2


@pytest.mark.parametrize(
    "lies, flags",
    [
        ({"device_id": "PILE-2"}, ["WrongDevice"]),
        ({"connector": 2}, ["WrongConnector"]),
        ({"rate_id": "r-other"}, ["RateMismatch"]),
        ({"rate_digest": "0" * 64}, ["RateMismatch"]),
        ({"currency": "EUR"}, ["CurrencyMismatch"]),
        ({"minor_digits": 3}, ["CurrencyMismatch"]),
        ({"end_register_mwh": 2_501_001}, ["RegisterMismatch"]),
        ({"energy_mwh": 2_500_001, "end_register_mwh": 2_501_001}, ["EnergyMismatch"]),
        ({"total_minor": 351}, ["TotalMismatch"]),
        ({"total_minor": 349}, ["TotalMismatch"]),
        ({"session_fee_minor": 49}, ["LinesMismatch"]),
        ({"periods": []}, ["EnergyMismatch", "TotalMismatch", "LinesMismatch"]),
    ],
)
def test_one_that_does_not_match_is_stored_flagged_and_acknowledged_but_not_paid(
    phone: Phone, pile: FakePile, link: FakeLink, operator: Any, lies: dict[str, Any], flags: list[str]
):
    pile.settle(ordered(phone, pile), **lies)
    assert flagged(operator) == [flags]
    assert len(acks(link, pile)) == 1
    order = phone.get()
    assert order["state"] == "Settled"
    assert order["settlement"]["flags"] == flags
    refused = phone.pay(order["total_minor"])
    assert (refused.status_code, refused.json()["code"]) == (409, "SettlementFlagged")


@pytest.mark.parametrize("change", ["price", "label", "start", "twice", "lines"])
def test_periods_must_be_the_orders_own_steps(phone: Phone, pile: FakePile, operator: Any, change: str):
    message = ordered(phone, pile)
    said = pile.settlement(message)
    period = said["periods"][0]
    if change == "price":
        period[1] += 1
    elif change == "label":
        period[3] = "peak"
    elif change == "start":
        period[0] += 1
    elif change == "twice":
        said["periods"] = [[*period[:4], 1_250_000, 100, 50]] * 2
    elif change == "lines":
        period[5], period[6] = period[5] + 1, period[6] - 1
    pile.say("settlement", pile.sealed(said))
    expected = ["LinesMismatch"] if change == "lines" else ["PeriodsMismatch"]
    assert flagged(operator) == [expected]


def test_times_must_be_the_orders(phone: Phone, pile: FakePile, operator: Any):
    message = ordered(phone, pile)
    late = message["expires_at"] + 11
    pile.settle(message, started_at=late, ended_at=late - 1)
    assert flagged(operator) == [["StartOutsideOrder", "EndOutsideOrder"]]


def test_energy_must_lie_in_the_steps_of_its_time(phone: Phone, add_pile: Any, operator: Any):
    times = [f"{hour:02}:00" for hour in range(24)]
    periods = [
        {"start": at, "label": "flat", "electricity_price": i, "service_price": 0}
        for i, at in enumerate(times)
    ]
    pile = add_pile(rate=FLAT_RATE | {"periods": periods, "session_fee_minor": 0})
    message = ordered(phone, pile)
    total, fee, lines = pricing.bill(
        message["rate"], [(8, 2_500_000)]
    )  # eight hours on, in an order of minutes
    pile.settle(message, periods=lines, total_minor=total, session_fee_minor=fee)
    assert flagged(operator) == [["PeriodOutsideTime"]]


def test_the_money_limit_is_part_of_the_sum(phone: Phone, pile: FakePile, operator: Any):
    pile.settle(ordered(phone, pile, cost_minor=300))
    assert phone.get()["total_minor"] == 300
    assert flagged(operator) == []


def test_nothing_delivered_costs_nothing(phone: Phone, pile: FakePile, operator: Any):
    pile.settle(ordered(phone, pile), mwh=0)
    assert (phone.get()["total_minor"], flagged(operator)) == (0, [])
    assert phone.pay(0).status_code == 200


def test_an_unknown_order_is_kept_flagged_and_acknowledged(
    phone: Phone, pile: FakePile, link: FakeLink, operator: Any
):
    pile.settle(ordered(phone, pile), order_id="nobodys")
    assert flagged(operator) == [["UnknownOrder"]]
    assert acks(link, pile)[0]["order_id"] == "nobodys"
    assert phone.get()["state"] == "Charging"


def test_another_piles_order_is_not_settled(phone: Phone, pile: FakePile, add_pile: Any, operator: Any):
    other = add_pile("PILE-2")
    message = ordered(phone, pile)
    other.settle(message)
    assert flagged(operator) == [["WrongDevice"]]
    assert phone.get()["state"] == "Charging"


def test_a_second_settlement_of_an_order_is_kept_and_changes_nothing(
    phone: Phone, pile: FakePile, link: FakeLink, operator: Any
):
    message = ordered(phone, pile)
    pile.settle(message)
    pile.settle(message, mwh=9_000_000)
    assert flagged(operator) == [["AlreadySettled"]]
    assert len(acks(link, pile)) == 2
    assert phone.get()["total_minor"] == 350
    assert phone.pay(350).status_code == 200


def test_a_number_used_twice_is_flagged(phone: Phone, pile: FakePile, operator: Any):
    pile.settle(ordered(phone, pile))
    pile.seq, pile.last_mac = 0, None  # a pile that lost its flash
    pile.settle(ordered(phone, pile))
    assert flagged(operator) == [["SeqReused"]]
    assert phone.get()["state"] == "Settled"


def test_a_gap_flags_the_later_one_until_it_is_filled(
    phone: Phone, pile: FakePile, link: FakeLink, operator: Any
):
    pile.settle(ordered(phone, pile))
    missing = pile.sealed(pile.settlement(ordered(phone, pile)))
    missing_phone = (phone.order_id, phone.token)
    pile.settle(ordered(phone, pile, connector=2))
    assert flagged(operator) == [["SeqGap"]]
    version = phone.get()["version"]
    pile.say("settlement", missing)
    assert flagged(operator) == []
    assert phone.get()["version"] > version  # whoever watches is told that it can be paid
    assert phone.pay(350).status_code == 200
    phone.order_id, phone.token = missing_phone
    assert phone.pay(350).status_code == 200


def test_a_broken_chain_is_flagged(phone: Phone, pile: FakePile, operator: Any):
    pile.settle(ordered(phone, pile), prev_mac="0" * 64)
    pile.last_mac = "1" * 64
    pile.settle(ordered(phone, pile))
    assert flagged(operator) == [["ChainBroken"], ["ChainBroken"]]


def test_a_gap_filled_by_another_than_the_expected_one_breaks_the_chain(
    phone: Phone, pile: FakePile, operator: Any
):
    message = ordered(phone, pile)
    first = pile.settlement(message)
    pile.last_mac = "2" * 64
    pile.settle(ordered(phone, pile, connector=2))
    pile.say("settlement", pile.sealed(first))
    assert flagged(operator) == [["ChainBroken"]]


def test_a_wrong_seal_is_no_settlement(phone: Phone, pile: FakePile, link: FakeLink, operator: Any):
    message = ordered(phone, pile)
    data = bytearray(pile.sealed(pile.settlement(message)))
    data[data.index(b'"total_minor":350') + 16] = ord("1")
    pile.say("settlement", bytes(data))
    assert acks(link, pile) == []
    assert operator("GET", "/api/settlements").json()["items"] == []
    assert [each["reason"] for each in operator("GET", "/api/rejects").json()["items"]] == ["BadSeal"]


def test_stored_means_committed(phone: Phone, pile: FakePile, link: FakeLink, cloud: Cloud):
    """The acknowledgement must not leave before another connection sees the settlement."""
    message = ordered(phone, pile)
    seen: list[int] = []
    publish = link.publish

    def watching(device_id: str, name: str, payload: Any, retain: bool = False) -> int:
        if name == "settlement/ack":
            with cloud.store.reading.connect() as conn:
                seen.append(conn.exec_driver_sql("SELECT count(*) FROM settlements").scalar_one())
        return publish(device_id, name, payload, retain)

    link.publish = watching
    pile.settle(message)
    assert seen == [1]


@pytest.mark.parametrize(
    "lies",
    [
        {"total_minor": messages.MAX_MINOR + 1},
        {"stop_reason": "ReasonOfANewerFirmware"},
        {"periods": None, "currency": 7, "ended_at": "now", "energy_mwh": -1},
        {"note": float("nan")},
        {"note": ["\ud800", float("inf")]},
    ],
)
def test_a_malformed_settlement_with_a_right_seal_is_kept_and_does_not_block_the_next(
    phone: Phone, pile: FakePile, link: FakeLink, operator: Any, lies: dict[str, Any]
):
    message = ordered(phone, pile)
    data = pile.settle(message, **lies)
    pile.say("settlement", data)
    assert [(ack["order_id"], ack["seq"]) for ack in acks(link, pile)] == [(phone.order_id, 1)] * 2
    (shown,) = operator("GET", "/api/settlements").json()["items"]
    assert (shown["flags"], shown["sealed"]) == (["Malformed"], data.decode())
    assert (shown["seq"], shown["mac"]) == (1, pile.last_mac)
    compared = operator("GET", f"/api/settlements/{shown['id']}").json()
    assert (compared["computed"], compared["order"]["state"]) == (None, "Lost")
    assert phone.get()["state"] == "Lost"
    assert phone.pay(0).json()["code"] == "NotSettled"
    # The chain goes on from it, and the order may still be settled.
    pile.settle(message)
    assert phone.get()["state"] == "Settled"
    assert phone.get()["settlement"]["flags"] == []
    assert operator("GET", "/api/rejects").json()["items"] == []


def test_a_malformed_settlement_fills_a_gap(phone: Phone, pile: FakePile, operator: Any):
    message = ordered(phone, pile)
    first = pile.sealed(pile.settlement(message, firmware=""))
    pile.settle(ordered(phone, pile, connector=2))
    assert flagged(operator) == [["SeqGap"]]
    pile.say("settlement", first)
    assert flagged(operator) == [["Malformed"]]


@pytest.mark.parametrize("lies", [{"kind": "ack"}, {"order_id": ""}, {"seq": 0}])
def test_what_names_no_settlement_is_none(
    phone: Phone, pile: FakePile, link: FakeLink, operator: Any, lies: dict[str, Any]
):
    pile.settle(ordered(phone, pile), **lies)
    assert acks(link, pile) == []
    assert [each["reason"] for each in operator("GET", "/api/rejects").json()["items"]] == ["Malformed"]


def test_a_malformed_settlement_with_a_wrong_seal_is_not_acknowledged(
    phone: Phone, pile: FakePile, link: FakeLink, operator: Any
):
    message = ordered(phone, pile)
    pile.key = bytes(32)
    pile.settle(message, stop_reason="Whatever")
    assert acks(link, pile) == []
    assert operator("GET", "/api/settlements").json()["items"] == []
    assert [each["reason"] for each in operator("GET", "/api/rejects").json()["items"]] == ["Malformed"]
