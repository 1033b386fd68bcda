"""What one pile can put into the database is bounded, counted and shown; an honest pile never notices."""

import json
import time
from typing import Any

import pytest
from sqlalchemy import text

from cloud_stub.base import budgets
from cloud_stub.cloud import Cloud
from cloud_stub.intake import meter_sampling, receiver
from cloud_stub.settlements import unsettled
from tests.cloud.conftest import AS_OPERATOR, Phone
from tests.cloud.fakes import WAIT_S, FakeLink, FakePile


def count(cloud: Cloud, table: str) -> int:
    cloud.writer.submit(lambda tx: None).result(WAIT_S)
    with cloud.store.reading.connect() as conn:
        return conn.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()


def dropped(phone: Phone, why: str) -> float:
    for line in phone.client.get("/metrics", headers=AS_OPERATOR).text.splitlines():
        if line.startswith(f'ratelock_dropped_total{{why="{why}"}}'):
            return float(line.split()[1])
    raise AssertionError(why)


def dropped_events(operator: Any) -> list[tuple[str, str]]:
    items = operator("GET", "/api/events").json()["items"]
    return [(each["device_id"], each["detail"]) for each in items if each["kind"] == "MessagesDropped"]


def test_meter_values_whose_clock_runs_ahead_are_stored_no_more_often_than_the_clouds_allows(
    phone: Phone, pile: FakePile, cloud: Cloud, operator: Any
):
    phone.order()
    pile.order_status(phone.order_id, "Charging")
    start = int(time.time())
    sent = meter_sampling.BURST + 40
    for number in range(sent):
        pile.meter(phone.order_id, 1000 + number, at=start + 11 * number)
    assert count(cloud, "meter_samples") == meter_sampling.BURST
    assert dropped(phone, "meter_rate") == sent - meter_sampling.BURST
    assert dropped_events(operator) == [("PILE-1", "meter_rate")]
    assert phone.get()["meter"]["register_mwh"] == 1000 + sent - 1  # all are shown


def test_a_piles_messages_are_bounded_and_anothers_are_not(
    phone: Phone, pile: FakePile, add_pile: Any, cloud: Cloud, operator: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(cloud.receiver, "_messages", budgets.Budget(20, 60))
    other = add_pile("PILE-2")
    for _ in range(20):
        pile.online()
        pile.offline()
    assert dropped(phone, "message_rate") == 20
    cloud.writer.submit(lambda tx: None).result(WAIT_S)
    assert dropped_events(operator) == [("PILE-1", "message_rate")]
    other.offline()
    assert not operator("GET", "/api/piles/PILE-2").json()["online"]
    assert dropped(phone, "message_rate") == 20


def test_dead_letters_of_one_pile_do_not_displace_those_of_others(
    phone: Phone, pile: FakePile, link: FakeLink, cloud: Cloud, operator: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(cloud.receiver, "_dead_letters", budgets.Budget(5, 60))
    link.deliver("pile/v1/PILE-2/hello", b"of another")
    for number in range(20):
        link.deliver("pile/v1/PILE-1/settlement", b"rubbish %d" % number)
    assert count(cloud, "rejects") == 1 + 5
    assert dropped(phone, "dead_letter_rate") == 15


def test_settlements_of_orders_that_nobody_made_are_bounded_and_those_of_orders_are_not(
    phone: Phone, pile: FakePile, add_pile: Any, link: FakeLink, cloud: Cloud, operator: Any,
    monkeypatch: pytest.MonkeyPatch,
):  # fmt: skip
    phone.order()
    message = phone.message(pile)
    size_bytes = len(pile.sealed(pile.settlement(message, order_id="made-up-0")))
    pile.seq, pile.last_mac = 0, None
    monkeypatch.setattr(unsettled, "UNSETTLED_MAX_BYTES", 3 * size_bytes + 200)
    for number in range(6):
        pile.settle(message, order_id=f"made-up-{number}")
    assert count(cloud, "settlements") == 3
    assert len(link.sent("PILE-1", "settlement/ack")) == 3
    refused = operator("GET", "/api/rejects?reason=TooManySettlements").json()["items"]
    assert len(refused) == 3
    pile.settle(message)  # the order's own, from the same pile
    assert phone.get()["state"] == "Settled"
    other = add_pile("PILE-2")
    other.settle(message | {"device_id": "PILE-2"}, order_id="made-up")
    assert count(cloud, "settlements") == 5
    # A decision makes room, and what the pile sends again is stored.
    (first, *_) = operator("GET", "/api/settlements?device_id=PILE-1").json()["items"][::-1]
    decision = {"decision": "waive", "note": "no such order"}
    assert operator("POST", f"/api/settlements/{first['id']}/review", decision).status_code == 201
    pile.settle(message, order_id="made-up-9")
    assert count(cloud, "settlements") == 6


def test_an_honest_pile_is_far_below_its_budgets():
    day = 86_400
    statuses, orders, words = day // 30, 50, 6
    at_once, period_s = receiver.MESSAGES
    assert (statuses + orders * words) * 10 < at_once + day // period_s


def test_a_budget_fills_up_again(monkeypatch: pytest.MonkeyPatch):
    now = 0
    monkeypatch.setattr(budgets.time, "monotonic_ns", lambda: now * 1_000_000_000)
    budget = budgets.Budget(2, 10)
    assert [budget.take("a") for _ in range(3)] == [True, True, False]
    assert budget.take("b")
    now = 10
    assert [budget.take("a") for _ in range(2)] == [True, False]
    now = 1000
    assert [budget.take("a") for _ in range(3)] == [True, True, False]


def test_the_names_that_a_budget_remembers_are_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(budgets, "NAMES_KEPT", 10)
    budget = budgets.Budget(1, 10)
    for number in range(100):
        assert budget.take(number)
    assert len(budget._paid_until) == 10


STATUS = {"online": True, "connectors": []}


def retained(link: FakeLink, pile: FakePile, **fields: Any) -> None:
    one = {"connector": 1, "status": "Available", "fault": None, "plugged": True, "order_id": None}
    status = {"online": True, "connectors": [one, one | {"connector": 2}]} | fields
    link.deliver(f"pile/v1/{pile.device_id}/status", json.dumps(status).encode(), retained=True)


def seen(cloud: Cloud, device_id: str = "PILE-1") -> tuple[bool, int]:
    with cloud.store.reading.connect() as conn:
        query = text("SELECT online, last_seen_at FROM piles WHERE device_id = :of")
        row = conn.execute(query, {"of": device_id}).one()
    return bool(row.online), row.last_seen_at or 0


def test_a_status_that_the_broker_had_retained_does_not_tell_that_the_pile_is_there(
    pile: FakePile, link: FakeLink, cloud: Cloud
):
    """Its pile died without a last will, and then the cloud connects again."""
    with cloud.store.writing.begin() as conn:
        conn.execute(text("UPDATE piles SET online = :no, last_seen_at = 1700000000"), {"no": False})
    for at in (None, 1_700_000_300, int(time.time()) - 600):
        retained(link, pile, **({} if at is None else {"at": at}))
        assert seen(cloud)[0] is False, at
    assert seen(cloud)[1] < time.time() - 500
    retained(link, pile, at=int(time.time()) - 5)  # it said so a moment ago
    assert seen(cloud)[0] is True
    assert seen(cloud)[1] <= time.time() - 5


def test_a_silent_pile_is_lost_though_its_retained_status_comes_again(
    pile: FakePile, link: FakeLink, cloud: Cloud, operator: Any
):
    now = int(time.time())
    cloud.jobs.run_once(now, sweep=True)
    retained(link, pile, at=now - 3)
    cloud.jobs.run_once(now + 91, sweep=True)
    assert seen(cloud)[0] is False
    retained(link, pile, at=now - 3)  # the broker tells it at each connection
    kinds = [each["kind"] for each in operator("GET", "/api/events").json()["items"]]
    assert "PileLost" in kinds


@pytest.mark.parametrize("name", ["hello", "order/status", "meter"])
def test_what_a_pile_has_the_broker_retain_asks_for_nothing(
    phone: Phone, pile: FakePile, link: FakeLink, cloud: Cloud, name: str
):
    phone.order()
    payloads: list[bytes] = []
    pile.say = lambda _name, data: payloads.append(data)
    pile.hello()
    pile.order_status(phone.order_id, "Charging")
    pile.meter(phone.order_id, 5)
    said: dict[str, bytes] = dict(zip(("hello", "order/status", "meter"), payloads, strict=True))
    before = seen(cloud)
    link.deliver(f"pile/v1/PILE-1/{name}", said[name], retained=True)
    assert link.sent("PILE-1", "time") == []
    assert phone.get()["state"] == "Pending"
    assert seen(cloud) == before
