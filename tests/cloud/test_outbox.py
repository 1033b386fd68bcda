"""The outbox: nothing committed is forgotten, nothing expired goes out."""

from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from cloud_stub.app import create_app
from cloud_stub.base.clock import now_s
from cloud_stub.cloud import Cloud
from cloud_stub.db.tables import outbox
from cloud_stub.db.writer import Transaction
from cloud_stub.messaging.outbox import withdraw_all
from cloud_stub.settings import Settings
from tests.cloud.conftest import Phone
from tests.cloud.fakes import FLAT_RATE, WAIT_S, FakeLink, FakePile


def settle_down(cloud: Cloud) -> None:
    """Wait until the writer has done what is queued."""
    cloud.writer.submit(lambda tx: None).result(WAIT_S)


def rows(cloud: Cloud) -> list[tuple[str, bool]]:
    """(topic name, whether it is marked as sent) of each row."""
    settle_down(cloud)
    with cloud.store.reading.connect() as conn:
        found = conn.exec_driver_sql("SELECT name, sent_at IS NOT NULL FROM outbox ORDER BY id").all()
    return [(name, bool(sent)) for name, sent in found]


def acknowledge_all(cloud: Cloud, link: FakeLink) -> None:
    for mid in range(1, link.last_mid + 1):
        link.on_puback(mid)
    cloud.dispatch.mark_sent()  # as a round of the periodic jobs does
    settle_down(cloud)


def test_a_row_is_marked_when_the_broker_has_it_and_deleted_when_the_pile_answers(
    phone: Phone, pile: FakePile, link: FakeLink, cloud: Cloud
):
    phone.order()
    assert rows(cloud) == [("rate", False), ("order", False)]
    acknowledge_all(cloud, link)
    assert rows(cloud) == [("order", True)]  # the broker retains the rate
    pile.order_status(phone.order_id, "Accepted")
    assert rows(cloud) == []


def test_what_the_database_could_not_mark_is_marked_later(
    phone: Phone, link: FakeLink, pile: FakePile, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
):
    def fail(*_: Any) -> None:
        raise OperationalError("UPDATE", {}, Exception("disk I/O error"))

    phone.order()
    with monkeypatch.context() as broken:
        broken.setattr("cloud_stub.messaging.outbox.now_s", fail)
        acknowledge_all(cloud, link)
    assert ("order", False) in rows(cloud)
    cloud.jobs.run_once(now_s())
    assert rows(cloud) == [("order", True)]


@pytest.mark.parametrize("at", ["the next connection", "the next round of duties"])
def test_a_clock_that_is_set_back_keeps_nothing_from_leaving(
    pile: FakePile, link: FakeLink, cloud: Cloud, operator: Any, monkeypatch: pytest.MonkeyPatch, at: str
):
    """It stayed on lease until the clock came past there again."""
    acknowledge_all(cloud, link)
    link.connected = False
    operator("POST", "/api/piles/PILE-1/reset", {"connector": 1})
    settle_down(cloud)
    before = now_s() - 3600
    monkeypatch.setattr("cloud_stub.messaging.outbox.now_s", lambda: before)
    link.connected = True
    if at == "the next connection":
        link.on_connect()
    else:
        cloud.jobs.run_once(before)
    settle_down(cloud)
    assert len(link.sent("PILE-1", "command")) == 1


def test_without_a_connection_it_waits_and_goes_out_at_the_next(
    pile: FakePile, link: FakeLink, cloud: Cloud, operator: Any
):
    acknowledge_all(cloud, link)
    link.published.clear()
    link.connected = False
    operator("POST", "/api/piles/PILE-1/reset", {"connector": 1})
    settle_down(cloud)
    assert link.published == []
    link.connected = True
    link.on_connect()
    settle_down(cloud)
    assert len(link.sent("PILE-1", "command")) == 1


def test_what_is_in_flight_is_not_sent_twice_at_a_reconnect(
    phone: Phone, pile: FakePile, link: FakeLink, cloud: Cloud
):
    phone.order()
    link.on_connect()
    settle_down(cloud)
    assert len(link.sent("PILE-1", "order")) == 1


def test_what_is_expired_never_goes_out(phone: Phone, pile: FakePile, link: FakeLink, cloud: Cloud):
    phone.order()
    link.published.clear()
    cloud.dispatch._in_flight.clear()  # as after a restart
    with cloud.store.writing.begin() as conn:
        conn.exec_driver_sql("UPDATE outbox SET expires_at = 1700000000 WHERE name = 'order'")
    link.on_connect()
    pile.hello()
    cloud.jobs.run_once(now_s())
    settle_down(cloud)
    assert link.sent("PILE-1", "order") == []
    assert rows(cloud) == [("rate", False)]


def test_only_the_newest_rate_is_left_to_send(pile: FakePile, link: FakeLink, cloud: Cloud, operator: Any):
    link.connected = False
    for _ in range(3):
        operator("PUT", "/api/piles/PILE-1/rate", FLAT_RATE)
    assert rows(cloud) == [("rate", False)]


def test_a_row_of_another_process_goes_out_with_the_duties(
    pile: FakePile, link: FakeLink, cloud: Cloud, operator: Any
):
    """A command line or a worker that died has committed it; nobody here was told."""
    link.connected = False
    operator("POST", "/api/piles/PILE-1/reset", {"connector": 1})
    link.connected = True
    cloud.jobs.run_once(now_s())
    settle_down(cloud)
    assert link.sent("PILE-1", "command") == []  # too young: its own process may be about to send it
    with cloud.store.writing.begin() as conn:
        conn.exec_driver_sql("UPDATE outbox SET leased_until = leased_until - 10")
    cloud.jobs.run_once(now_s())
    settle_down(cloud)
    assert len(link.sent("PILE-1", "command")) == 1


def test_an_order_committed_but_not_sent_goes_out_after_a_restart(
    settings: Settings, add_pile: Any, phone: Phone
):
    pile = add_pile()
    phone.order()  # the fake broker never acknowledges it
    link = FakeLink()
    restarted = Cloud(settings, link)  # type: ignore[arg-type]
    with TestClient(create_app(restarted)):
        link.on_connect()
        settle_down(restarted)
        assert phone.order_id.encode() in link.sent(pile.device_id, "order")[0]


def test_no_message_gets_the_id_of_one_that_was_deleted(cloud: Cloud, pile: FakePile):
    """The broker's late acknowledgement of the deleted one counted for the other, which was never sent."""

    def put(tx: Transaction) -> int:
        cloud.dispatch.put(tx, pile.device_id, "order", "{}", 1, None, "an order")
        return tx.conn.execute(select(func.max(outbox.c.id))).scalar_one()

    first = cloud.writer.submit(put).result(WAIT_S)
    cloud.writer.submit(lambda tx: withdraw_all(tx, ["an order"])).result(WAIT_S)
    assert cloud.writer.submit(put).result(WAIT_S) > first
