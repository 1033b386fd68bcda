"""Receivers of events beside the piles: what they get, in which order, and what stays bounded."""

import json
from collections.abc import Iterable
from typing import Any

import pytest
from sqlalchemy import insert

from cloud_stub.base.clock import now_s
from cloud_stub.cloud import Cloud
from cloud_stub.db import events
from cloud_stub.db.rows import OutboxRow
from cloud_stub.db.tables import outbox
from cloud_stub.messaging import receivers
from tests.cloud.conftest import Phone
from tests.cloud.fakes import WAIT_S, FakeLink, FakePile


def do(cloud: Cloud, unit: Any) -> Any:
    return cloud.writer.submit(unit).result(WAIT_S)


def subscribe(cloud: Cloud, name: str = "books", kinds: Iterable[str] = ("order",), **options: Any) -> None:
    do(cloud, lambda tx: receivers.subscribe(tx, name, kinds, options.pop("bound", 100), now_s(), **options))


def due(cloud: Cloud, name: str = "books", at: int | None = None) -> list[OutboxRow]:
    """The rows that may be sent, in the order in which they are."""
    at = now_s() + 1 if at is None else at
    return list(do(cloud, lambda tx: receivers.next_rows(tx.conn, name, 100, at)))


def drain(cloud: Cloud, name: str = "books") -> list[dict[str, Any]]:
    """Takes everything that waits; returns the payloads."""
    found = []
    while rows := due(cloud, name):
        for row in rows:
            found.append(json.loads(row.payload))
            do(cloud, lambda tx, row=row: receivers.done(tx, row))
    return found


def charged(phone: Phone, pile: FakePile) -> None:
    phone.order()
    for state in ("Accepted", "Charging"):
        pile.order_status(phone.order_id, state)
    pile.settle(phone.message(pile))


def test_the_life_of_an_order_is_told_in_its_order(cloud: Cloud, phone: Phone, pile: FakePile):
    subscribe(cloud, kinds=["order", "settlement"])
    charged(phone, pile)
    phone.pay(phone.get()["settlement"]["total_minor"])
    told = drain(cloud)
    assert [each["kind"] for each in told] == [
        *("OrderPending", "OrderAccepted", "OrderCharging"),
        *("SettlementStored", "OrderSettled", "OrderPaid"),
    ]
    assert {each["order_id"] for each in told} == {phone.order_id}
    assert {each["device_id"] for each in told} == {pile.device_id}
    assert len({each["event_id"] for each in told}) == len(told)
    assert all(set(each) == {"event_id", "at", "device_id", "order_id", "kind", "detail"} for each in told)


def test_one_row_of_an_order_at_a_time_and_orders_do_not_wait_for_each_other(
    cloud: Cloud, phone: Phone, pile: FakePile
):
    subscribe(cloud)
    charged(phone, pile)
    first = phone.order_id
    phone.order(connector=2)
    rows = due(cloud)
    assert [(row.name, row.order_id) for row in rows] == [
        ("OrderPending", first),
        ("OrderPending", phone.order_id),
    ]
    now = now_s()
    do(cloud, lambda tx: receivers.failed(tx, rows[0], now + 60, "x" * 500))
    assert [row.order_id for row in due(cloud)] == [phone.order_id]
    again = due(cloud, at=now + 60)
    assert (again[-1].name, again[-1].attempts, again[-1].reason) == ("OrderPending", 1, "x" * 200)
    do(cloud, lambda tx: receivers.hurry(tx, "books", now))
    assert len(due(cloud)) == 2


def test_of_a_receiver_per_pile_the_rows_of_a_pile_go_one_after_the_other(
    cloud: Cloud, phone: Phone, pile: FakePile, add_pile: Any
):
    subscribe(cloud, per_pile=True)
    phone.order()
    phone.order(connector=2)
    add_pile("PILE-2")
    phone.order("PILE-2")
    assert [row.device_id for row in due(cloud)] == ["PILE-1", "PILE-2"]


def test_what_is_leased_is_nobody_elses_until_the_lease_ends(cloud: Cloud, phone: Phone, pile: FakePile):
    subscribe(cloud)
    phone.order()
    (row,) = due(cloud)
    until = now_s() + 30
    do(cloud, lambda tx: receivers.lease(tx, [row], now_s(), until))
    do(cloud, lambda tx: receivers.hurry(tx, "books", now_s()))
    assert due(cloud) == []
    assert [again.id for again in due(cloud, at=until)] == [row.id]
    do(cloud, lambda tx: receivers.failed(tx, row, until, "away"))
    do(cloud, lambda tx: receivers.hurry(tx, "books", now_s()))
    assert [again.id for again in due(cloud)] == [row.id]


def test_only_kinds_that_were_asked_for_are_told_and_each_receiver_gets_its_own(
    cloud: Cloud, phone: Phone, pile: FakePile
):
    subscribe(cloud, "faults", ["fault", "PileOffline"])
    subscribe(cloud, "books", ["OrderPending"])
    phone.order()
    pile.online(fault="GroundFailure", status="Faulted")
    pile.offline()
    assert [each["kind"] for each in drain(cloud, "faults")] == ["FaultReported", "PileOffline"]
    assert [each["kind"] for each in drain(cloud, "books")] == ["OrderPending"]


def test_rows_of_receivers_never_go_to_a_pile_and_nothing_of_a_pile_deletes_them(
    cloud: Cloud, phone: Phone, pile: FakePile, link: FakeLink, operator: Any
):
    subscribe(cloud, kinds=["order", "pile"])
    link.published.clear()
    charged(phone, pile)  # the end of the order withdraws its messages
    pile.hello()
    cloud.dispatch.send_unsent(leased=True)
    assert operator("DELETE", "/api/piles/PILE-1?force=true").status_code == 200
    names = {topic.rpartition("/")[2] for topic, *_ in link.published}
    assert not any(name.startswith(("Order", "Pile")) for name in names)
    kinds = [each["kind"] for each in drain(cloud)]
    assert kinds == ["OrderPending", "PileRemoved", "OrderAccepted", "OrderCharging", "OrderSettled"]


def test_a_receiver_that_is_gone_or_inactive_gets_nothing(cloud: Cloud, phone: Phone, pile: FakePile):
    subscribe(cloud, "gone")
    subscribe(cloud, "paused")
    phone.order()
    do(cloud, lambda tx: receivers.unsubscribe(tx, "gone"))
    do(cloud, lambda tx: receivers.set_active(tx, "paused", False))
    phone.order(connector=2)
    assert len(drain(cloud, "gone")) == 0
    assert len(drain(cloud, "paused")) == 1


def test_beyond_the_bound_the_oldest_are_dropped_counted_and_told(
    cloud: Cloud, phone: Phone, pile: FakePile, operator: Any
):
    subscribe(cloud, bound=2)
    charged(phone, pile)
    cloud.jobs.run_once(now_s(), sweep=True)
    assert [each["kind"] for each in drain(cloud)] == ["OrderCharging", "OrderSettled"]
    (told,) = (
        each for each in operator("GET", "/api/events").json()["items"] if each["kind"] == "EventsDropped"
    )
    assert (told["device_id"], told["detail"]) == ("PILE-1", "2 for books: more than 2 wait")
    with cloud.store.reading.connect() as conn:
        assert conn.exec_driver_sql("SELECT dropped FROM receivers").scalar_one() == 2


def test_what_another_process_wrote_for_a_receiver_that_is_gone_is_deleted(
    cloud: Cloud, phone: Phone, pile: FakePile
):
    subscribe(cloud)
    row = {"device_id": "PILE-1", "name": "OrderPaid", "payload": "{}", "created_at": 5, "leased_until": 5}
    do(cloud, lambda tx: tx.conn.execute(insert(outbox), row | {"receiver": "late", "lane": "x"}))
    phone.order()
    cloud.jobs.run_once(now_s(), sweep=True)
    assert (len(due(cloud, "late")), len(due(cloud))) == (0, 1)


def test_another_process_knows_a_new_receiver_a_second_later(
    cloud: Cloud, phone: Phone, pile: FakePile, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(events, "RECEIVERS_S", 3600)
    phone.order()  # it knows that there are none
    with cloud.store.writing.begin() as conn:
        row = "INSERT INTO receivers (name, kinds_json, per_pile, bound, created_at) VALUES"
        conn.exec_driver_sql(row + " ('books', '[\"order\"]', false, 9, 1)")
    phone.order(connector=2)
    assert due(cloud) == []
    monkeypatch.setattr(events, "RECEIVERS_S", -1)
    pile.order_status(phone.order_id, "Accepted", connector=2)
    assert [row.name for row in due(cloud)] == ["OrderAccepted"]


def test_without_receivers_an_order_writes_no_row_and_asks_once(
    cloud: Cloud, phone: Phone, pile: FakePile, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(events, "RECEIVERS_S", 3600)
    phone.order()
    reads = []
    monkeypatch.setattr(type(events._ACTIVE), "all", lambda *_: reads.append(1) or [])
    with cloud.store.grouping.connect() as conn:
        for _ in range(3):
            events.tell_receivers(conn, [{"kind": "OrderPending"}])
    assert reads == []
    assert due(cloud) == []
