"""Every write has a deadline from its request: past it the answer is 503, and nothing happens later."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import event, text

from cloud_stub.base.clock import now_s
from cloud_stub.base.problems import Problem
from cloud_stub.cloud import Cloud
from cloud_stub.db import writer as writer_module
from cloud_stub.db.writer import Transaction
from tests.cloud.conftest import AS_OPERATOR, Phone
from tests.cloud.fakes import WAIT_S, FakeLink, FakePile, new_key


@contextmanager
def database_locked(cloud: Cloud) -> Iterator[None]:
    """Another process holds what every confirmation at PILE-1 needs."""
    with cloud.store.writing.connect() as conn, conn.begin():
        conn.execute(text("UPDATE piles SET name = name WHERE device_id = 'PILE-1'"))
        yield


@contextmanager
def writer_blocked(cloud: Cloud) -> Iterator[None]:
    go, entered = threading.Event(), threading.Event()

    def unit(tx: Transaction) -> None:
        entered.set()
        assert go.wait(WAIT_S)

    future = cloud.writer.submit(unit)
    assert entered.wait(WAIT_S)
    try:
        yield
    finally:
        go.set()
        future.result(WAIT_S)


@contextmanager
def deadline_of(cloud: Cloud, seconds: int) -> Iterator[None]:
    """Only for the call that is to be late: on a busy machine others may take longer than that."""
    before, cloud.settings.write_s = cloud.settings.write_s, seconds
    yield
    cloud.settings.write_s = before


@pytest.mark.parametrize("obstacle", [database_locked, writer_blocked])
def test_a_confirmation_that_waits_too_long_is_refused_and_never_done(
    phone: Phone, pile: FakePile, cloud: Cloud, link: FakeLink, obstacle: Callable[..., Any]
):
    body, key = phone.body(), new_key()
    with obstacle(cloud), deadline_of(cloud, 1):
        began = time.monotonic()
        refused = phone.client.post("/api/orders", json=body, headers=key)
        took_s = time.monotonic() - began
    assert (refused.status_code, refused.json()["code"]) == (503, "DatabaseUnavailable")
    assert 1 <= took_s < WAIT_S  # that of all other calls
    cloud.writer.submit(lambda tx: None).result(WAIT_S)
    cloud.jobs.run_once(now_s())
    assert phone.client.get("/api/orders", headers=AS_OPERATOR).json()["items"] == []
    assert link.sent("PILE-1", "order") == []
    assert phone.client.post("/api/orders", json=body, headers=key).status_code == 201
    assert len(link.sent("PILE-1", "order")) == 1


def test_a_commit_that_began_in_time_is_answered_with_its_outcome(
    phone: Phone, pile: FakePile, cloud: Cloud, link: FakeLink
):
    committing, go = threading.Event(), threading.Event()

    def hold(_conn: Any) -> None:
        committing.set()
        assert go.wait(WAIT_S)

    body = phone.body()
    event.listen(cloud.store.grouping, "commit", hold)
    with deadline_of(cloud, 1), ThreadPoolExecutor(1) as pool:
        asked = pool.submit(phone.client.post, "/api/orders", json=body, headers=new_key())
        assert committing.wait(WAIT_S)
        assert not asked.done()
        time.sleep(1.2)  # past its deadline: what is held against is the clock
        go.set()
        assert asked.result(WAIT_S).status_code == 201


def test_others_of_the_group_are_done_when_one_is_late(cloud: Cloud, client: TestClient):
    done: list[str] = []
    with writer_blocked(cloud):
        late = cloud.writer.submit(lambda tx: done.append("late"), time.monotonic())
        other = cloud.writer.submit(lambda tx: done.append("other"), time.monotonic() + WAIT_S)
    other.result(WAIT_S)
    with pytest.raises(Problem, match="DatabaseUnavailable"):
        late.result(WAIT_S)
    assert done == ["other"]


def test_one_that_is_late_by_its_commit_changes_nothing(cloud: Cloud, client: TestClient):
    """It was taken in time, and something took long after that."""
    entered, go = threading.Event(), threading.Event()

    def slow(tx: Transaction) -> None:
        tx.conn.execute(text("INSERT INTO progress (name, place) VALUES ('slow', '')"))
        entered.set()
        assert go.wait(WAIT_S)

    future = cloud.writer.submit(slow, time.monotonic() + WAIT_S)
    assert entered.wait(WAIT_S)
    assert cloud.writer.give_up(future)
    go.set()
    with pytest.raises(Problem, match="DatabaseUnavailable"):
        future.result(WAIT_S)
    with cloud.store.reading.connect() as conn:
        assert conn.execute(text("SELECT count(*) FROM progress WHERE name = 'slow'")).scalar_one() == 0


@pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
@pytest.mark.parametrize("units", [1, 3])
def test_a_commit_whose_connection_breaks_is_answered_as_unknown_and_not_done_again(
    cloud: Cloud, client: TestClient, monkeypatch: pytest.MonkeyPatch, units: int
):
    """PostgreSQL has committed; the connection ends before its answer."""
    dialect = cloud.store.grouping.dialect
    do_commit = dialect.do_commit

    def commit_and_break(connection: Any) -> None:
        monkeypatch.setattr(dialect, "do_commit", do_commit)
        do_commit(connection)
        connection.dbapi_connection.close()
        raise psycopg.OperationalError("server closed the connection unexpectedly")

    done: list[int] = []

    def unit(tx: Transaction) -> None:
        done.append(1)
        tx.conn.execute(text(f"INSERT INTO progress (name, place) VALUES ('{len(done)}', '')"))

    with writer_blocked(cloud):
        futures = [cloud.writer.submit(unit, time.monotonic() + WAIT_S) for _ in range(units)]
        cloud.writer.submit(lambda tx: monkeypatch.setattr(dialect, "do_commit", commit_and_break))
    for future in futures:
        with pytest.raises(Problem, match="OutcomeUnknown"):
            future.result(WAIT_S)
    assert len(done) == units
    cloud.writer.submit(lambda tx: None).result(WAIT_S)  # on a new connection
    with cloud.store.reading.connect() as conn:
        assert conn.execute(text("SELECT count(*) FROM progress")).scalar_one() == units


def test_the_queue_is_bounded(phone: Phone, pile: FakePile, cloud: Cloud, monkeypatch: pytest.MonkeyPatch):
    phone.order()
    pile.order_status(phone.order_id, "Charging")
    body = phone.body(connector=2)
    monkeypatch.setattr(writer_module, "WAITING_MAX", 0)
    monkeypatch.setattr("cloud_stub.intake.receiver.WAITING_MAX", 0)
    refused = phone.client.post("/api/orders", json=body, headers=new_key())
    assert (refused.status_code, refused.json()["code"]) == (503, "DatabaseUnavailable")
    pile.meter(phone.order_id, 1)
    metrics = phone.client.get("/metrics", headers=AS_OPERATOR).text
    assert 'ratelock_dropped_total{why="writer_full"} 1.0' in metrics


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_what_a_pile_sends_while_the_database_is_locked_is_stored_afterwards(
    phone: Phone, pile: FakePile, cloud: Cloud, link: FakeLink
):
    phone.order()
    data = pile.sealed(pile.settlement(phone.message(pile), 1_000_000))
    with database_locked(cloud), deadline_of(cloud, 1):
        acknowledged = link.send("pile/v1/PILE-1/settlement", data)
        refused = phone.client.post("/api/orders", json=phone.body(), headers=new_key())
        assert refused.status_code == 503
        assert not acknowledged.is_set()
    assert acknowledged.wait(WAIT_S)
    assert phone.get()["state"] == "Settled"


def test_what_was_committed_too_late_is_not_published(pile: FakePile, cloud: Cloud, link: FakeLink):
    now = now_s()

    def unit(tx: Transaction) -> None:
        cloud.dispatch.put(tx, "PILE-1", "command", "{}", now, expires_at=now)

    cloud.writer.submit(unit).result(WAIT_S)
    link.on_connect()
    cloud.jobs.run_once(now)
    cloud.writer.submit(lambda tx: None).result(WAIT_S)
    assert link.sent("PILE-1", "command") == []


def test_what_the_broker_had_not_acknowledged_is_not_repeated_past_its_expiry(
    phone: Phone, pile: FakePile, cloud: Cloud, link: FakeLink
):
    """The connection ends after an order was handed over and before the broker had it."""
    phone.order()
    assert len(link.sent("PILE-1", "order")) == 1
    link.connected = False
    link.on_disconnect()
    with cloud.store.writing.begin() as conn:
        conn.execute(text("UPDATE outbox SET expires_at = 1700000000 WHERE name = 'order'"))
    link.connected = True
    link.on_connect()
    cloud.writer.submit(lambda tx: None).result(WAIT_S)
    assert len(link.sent("PILE-1", "order")) == 1


def test_what_the_broker_had_not_acknowledged_is_sent_at_the_next_connection(
    phone: Phone, pile: FakePile, cloud: Cloud, link: FakeLink
):
    phone.order()
    link.connected = False
    link.on_disconnect()
    link.connected = True
    link.on_connect()
    cloud.writer.submit(lambda tx: None).result(WAIT_S)
    assert len(link.sent("PILE-1", "order")) == 2
