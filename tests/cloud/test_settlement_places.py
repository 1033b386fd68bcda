"""A settlement's place: in its pile's chain, of which each life of the flash has one, and on a register."""

import json
from datetime import datetime, timezone
from typing import Any

import pytest
from sqlalchemy import update

from cloud_stub.db.tables import piles
from cloud_stub.settlements import chains, ledger
from pile_protocol import seal
from tests.cloud.conftest import Phone
from tests.cloud.fakes import FakeLink, FakePile
from tools import verify_ledger

KWH = 1_000_000


def flags_of(operator: Any) -> list[list[str]]:
    """Of all settlements, in the order in which they came."""
    return [each["flags"] for each in reversed(operator("GET", "/api/settlements").json()["items"])]


def events(operator: Any, kind: str) -> list[str]:
    found = operator("GET", "/api/events?device_id=PILE-1").json()["items"]
    return [each["detail"] for each in reversed(found) if each["kind"] == kind]


def ordered(phone: Phone, pile: FakePile, connector: int = 1, **limits: int) -> dict[str, Any]:
    phone.order(pile.device_id, connector, **limits)
    pile.order_status(phone.order_id, "Charging", connector=connector)
    return phone.message(pile)


def replaced(pile: FakePile) -> None:
    """Another board under the same key, whose flash is empty and whose meter counts from 0."""
    pile.seq, pile.last_mac = 0, None
    pile.registers_mwh.clear()
    pile.hello()


# -- epochs


def test_a_replaced_board_begins_a_new_chain_visibly_once_and_its_bills_are_paid(
    phone: Phone, pile: FakePile, operator: Any
):
    pile.hello()
    for _ in range(3):
        pile.settle(ordered(phone, pile))
    replaced(pile)
    pile.hello()  # it reconnects
    for _ in range(4):
        pile.settle(ordered(phone, pile))
        assert phone.pay(350).status_code == 200
        pile.hello()
    assert flags_of(operator) == [[]] * 7
    shown = operator("GET", "/api/settlements").json()["items"]
    assert [(each["epoch"], each["seq"]) for each in reversed(shown)] == [
        *((1, n) for n in (1, 2, 3)),
        *((2, n) for n in (1, 2, 3, 4)),
    ]
    assert events(operator, "ChainRestarted") == [
        "epoch 2 begins: the flash was erased, or the board replaced"
    ]


def test_a_settlement_costs_no_more_after_many_replacements(
    phone: Phone, pile: FakePile, operator: Any, monkeypatch: pytest.MonkeyPatch
):
    """A pile whose flash is empty at each start begins an epoch with each order."""
    looked_up: list[int] = []
    put = chains.Chains._put
    monkeypatch.setattr(chains.Chains, "_put", lambda self, place: (looked_up.append(1), put(self, place)))
    for _ in range(chains.EPOCHS_SEARCHED + 3):
        replaced(pile)
        looked_up.clear()
        pile.settle(ordered(phone, pile))
    assert len(looked_up) == chains.EPOCHS_SEARCHED + 1
    assert flags_of(operator) == [[]] * (chains.EPOCHS_SEARCHED + 3)


def test_a_board_may_be_replaced_again_and_again(phone: Phone, pile: FakePile, operator: Any):
    for _ in range(4):
        replaced(pile)
        pile.settle(ordered(phone, pile))
        pile.settle(ordered(phone, pile, connector=2))
    assert flags_of(operator) == [[]] * 8
    assert [text.split()[1] for text in events(operator, "ChainRestarted")] == ["2", "3", "4"]


def test_a_pile_that_reconnects_before_its_first_settlement_is_no_different(
    phone: Phone, pile: FakePile, operator: Any
):
    pile.settle(ordered(phone, pile))
    replaced(pile)
    message = ordered(phone, pile)
    sealed = pile.sealed(pile.settlement(message))
    pile.hello(outbox=1)  # last_seq 1: it has settled meanwhile
    pile.say("settlement", sealed)
    assert flags_of(operator) == [[], []]


def test_a_greeting_alone_begins_nothing(phone: Phone, pile: FakePile, operator: Any):
    """It is not sealed: with the broker's credentials anybody sends one, and repeats what a pile has sent."""
    first = pile.settle(ordered(phone, pile))
    pile.settle(ordered(phone, pile))
    seq, pile.seq = pile.seq, 0
    for _ in range(3):
        pile.hello()
        pile.say("settlement", first)
    pile.seq = seq
    pile.settle(ordered(phone, pile))
    assert flags_of(operator) == [[]] * 3
    assert events(operator, "ChainRestarted") == []
    forged = json.loads(first) | {"order_id": phone.order_id}
    pile.say("settlement", seal.seal(json.dumps(forged), bytes(32)))
    assert len(flags_of(operator)) == 3


def test_a_second_number_1_without_that_greeting_is_flagged(
    phone: Phone, pile: FakePile, cloud: Any, operator: Any
):
    pile.hello()
    earlier = update(piles).values(empty_hello_at=1)  # a group of messages is handled as of one second
    cloud.writer.submit(lambda tx: tx.conn.execute(earlier) and None).result(60)
    pile.settle(ordered(phone, pile))
    pile.seq, pile.last_mac = 0, None
    pile.settle(ordered(phone, pile))
    assert flags_of(operator) == [[], ["SeqReused"]]


def test_a_number_1_that_names_a_predecessor_begins_no_chain(phone: Phone, pile: FakePile, operator: Any):
    pile.settle(ordered(phone, pile))
    replaced(pile)
    pile.settle(ordered(phone, pile), prev_mac="0" * 64)
    assert flags_of(operator) == [[], ["SeqReused"]]


def test_a_malformed_first_settlement_begins_the_chain_all_the_same(
    phone: Phone, pile: FakePile, operator: Any
):
    pile.settle(ordered(phone, pile))
    replaced(pile)
    pile.settle(ordered(phone, pile), stop_reason="ReasonOfANewerFirmware")
    pile.settle(ordered(phone, pile, connector=2))
    assert flags_of(operator) == [[], ["Malformed"], []]


def test_one_that_the_broker_held_back_takes_its_place_in_the_chain_before(
    phone: Phone, pile: FakePile, operator: Any
):
    pile.settle(ordered(phone, pile))
    held_back = pile.sealed(pile.settlement(ordered(phone, pile)))
    replaced(pile)
    pile.settle(ordered(phone, pile, connector=2))
    pile.say("settlement", held_back)
    pile.settle(ordered(phone, pile, connector=2))  # number 2 of the new chain is still free
    assert flags_of(operator) == [[]] * 4


def test_all_that_waited_at_the_broker_in_one_group(
    phone: Phone, pile: FakePile, link: FakeLink, operator: Any, cloud: Any
):
    """Greetings are handled before settlements, also before those that were sent earlier."""
    messages = [ordered(phone, pile, connector=n) for n in (1, 2)]
    sent: list[tuple[str, bytes]] = []
    say, pile.say = pile.say, lambda name, data: sent.append((name, data))
    pile.settle(messages[0])
    replaced(pile)
    pile.settle(messages[1])
    acknowledged = []
    cloud.writer.submit(
        lambda tx: acknowledged.extend(link.send(f"pile/v1/PILE-1/{name}", data) for name, data in sent)
    ).result(60)
    assert all(each.wait(60) for each in acknowledged)
    pile.say = say
    assert flags_of(operator) == [[], []]
    assert len(events(operator, "ChainRestarted")) == 1


def test_the_exported_ledger_proves_every_chain(phone: Phone, pile: FakePile, cloud: Any):
    for count in (3, 2):
        replaced(pile)
        for _ in range(count):
            pile.settle(ordered(phone, pile))
    with cloud.store.reading.connect() as conn:
        lines = [line.encode() for line in ledger.lines(conn, "PILE-1", 1_800_000_000)]
    chain = verify_ledger.verify(lines, {"PILE-1": [pile.key]})["PILE-1"]
    assert [last_seq for last_seq, _ in chain.epochs] == [3, 2]


# -- registers


def test_registers_that_follow_each_other_leave_nothing_unbilled(phone: Phone, pile: FakePile, operator: Any):
    for connector in (1, 2, 1, 2):
        pile.settle(ordered(phone, pile, connector))
    shown = operator("GET", "/api/settlements").json()["items"]
    assert [each["unbilled_mwh"] for each in reversed(shown)] == [None, None, 0, 0]
    assert flags_of(operator) == [[]] * 4
    assert events(operator, "EnergyUnbilled") == []


def test_what_flowed_between_two_settlements_is_reported_as_unbilled(
    phone: Phone, pile: FakePile, operator: Any
):
    pile.settle(ordered(phone, pile))
    pile.settle(ordered(phone, pile, connector=2))
    pile.registers_mwh[1] += 3 * KWH
    pile.settle(ordered(phone, pile))
    assert flags_of(operator) == [[]] * 3
    assert events(operator, "EnergyUnbilled") == ["connector 1, before settlement 3: 3000000 mWh"]
    assert operator("GET", "/api/settlements").json()["items"][0]["unbilled_mwh"] == 3 * KWH


def test_the_tail_of_one_without_a_last_reading_is_unbilled(phone: Phone, pile: FakePile, operator: Any):
    pile.settle(ordered(phone, pile), last_reading="Missing")
    assert phone.get()["settlement"]["last_reading"] == "Missing"
    pile.registers_mwh[1] += 4_000
    pile.settle(ordered(phone, pile))
    assert phone.get()["settlement"]["last_reading"] is None
    assert events(operator, "EnergyUnbilled") == [
        "connector 1, before settlement 2: 4000 mWh (settlement 1 has no last reading)"
    ]


def test_one_that_comes_late_takes_back_what_seemed_unbilled(phone: Phone, pile: FakePile, operator: Any):
    message = ordered(phone, pile)
    pile.settle(message)
    late = pile.sealed(pile.settlement(message | {"order_id": "lost"}))
    pile.settle(ordered(phone, pile, connector=2))
    pile.settle(ordered(phone, pile, connector=1))
    assert flags_of(operator) == [[], ["SeqGap"], []]
    pile.say("settlement", late)
    assert flags_of(operator) == [[], [], [], ["UnknownOrder"]]
    shown = operator("GET", "/api/settlements").json()["items"]
    assert {each["seq"]: each["unbilled_mwh"] for each in shown} == {1: None, 2: 0, 3: None, 4: 0}
    assert events(operator, "EnergyUnbilled") == [
        "connector 1, before settlement 4: 2500000 mWh",
        "connector 1, before settlement 4: 0 mWh",
    ]


def test_one_that_comes_late_and_overlaps_flags_the_one_after_it(phone: Phone, pile: FakePile, operator: Any):
    message = ordered(phone, pile)
    pile.settle(message)
    late = pile.sealed(pile.settlement(message | {"order_id": "lost"}, mwh=9 * KWH))
    pile.registers_mwh[1] -= KWH
    pile.settle(ordered(phone, pile))
    pile.say("settlement", late)
    assert flags_of(operator) == [[], ["RegisterOverlap"], ["UnknownOrder"]]
    assert phone.pay(350).json()["code"] == "SettlementFlagged"


def test_a_meter_that_was_replaced_is_flagged_once(phone: Phone, pile: FakePile, operator: Any):
    for _ in range(2):
        pile.settle(ordered(phone, pile))
    pile.registers_mwh[1] = 0
    for _ in range(3):
        pile.settle(ordered(phone, pile))
    assert flags_of(operator) == [[], [], ["RegisterOverlap"], [], []]


def test_the_daily_report_counts_unbilled_energy_by_pile(
    phone: Phone, pile: FakePile, add_pile: Any, operator: Any
):
    add_pile("PILE-2")
    pile.settle(ordered(phone, pile))
    pile.registers_mwh[1] += KWH
    pile.settle(ordered(phone, pile))
    pile.registers_mwh[1] += KWH
    pile.settle(ordered(phone, pile), total_minor=1)  # flagged, and its gap is a gap all the same
    day = datetime.fromtimestamp(phone.get()["settlement"]["ended_at"], timezone.utc).date().isoformat()
    found = operator("GET", f"/api/reports/daily?from={day}&to={day}").json()
    assert found["unbilled"] == [{"device_id": "PILE-1", "energy_mwh": 2 * KWH}]
