"""What shows within a minute to whoever watches the cloud, and who may look."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from cloud_stub.base.clock import now_s
from cloud_stub.cloud import Cloud
from cloud_stub.reports import gauges
from cloud_stub.settings import Settings
from tests.cloud.conftest import AS_OPERATOR, Phone
from tests.cloud.fakes import WAIT_S, FakeLink, FakePile, new_key

OPERATION = Path(__file__).resolve().parents[2] / "docs" / "operation"

Scrape = Callable[..., float]


@pytest.fixture(autouse=True)
def always_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gauges, "FRESH_S", -1)


@pytest.fixture
def scrape(client: TestClient, cloud: Cloud) -> Scrape:
    """`scrape(name, label=value)`: one value that /metrics tells now."""

    def value(name: str, **labels: str) -> float:
        cloud.writer.submit(lambda tx: None).result(WAIT_S)
        answer = client.get("/metrics", headers=AS_OPERATOR)
        assert answer.status_code == 200, answer.text
        for family in text_string_to_metric_families(answer.text):
            for sample in family.samples:
                if sample.name == name and sample.labels == labels:
                    return sample.value
        raise AssertionError(f"no {name}{labels} in\n{answer.text}")

    return value


def test_only_who_has_a_token_reads_the_metrics(client: TestClient, settings: Settings):
    settings.metrics_token = "prometheus-own-token"
    for token, expected in (("", 401), ("wrong", 401), ("prometheus-own-token", 200)):
        answer = client.get("/metrics", headers={"Authorization": "Bearer " + token})
        assert answer.status_code == expected, token
    assert client.get("/metrics").status_code == 401
    assert (
        client.get("/api/piles", headers={"Authorization": "Bearer prometheus-own-token"}).status_code == 401
    )


def test_ready_is_who_reaches_broker_and_database(client: TestClient, cloud: Cloud, link: FakeLink):
    threads = dict.fromkeys(("jobs", "rereader", "writer", "chunks", "courier"), True)
    ready = {"status": "ready", "database": True, "mqtt": True, "threads": threads}
    assert client.get("/readyz").json() == ready
    link.connected = False
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["mqtt"], answer.json()["database"]) == (503, False, True)
    link.connected = True
    cloud.writer._disk_failed_at = time.monotonic()
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["mqtt"], answer.json()["database"]) == (503, True, False)
    assert client.get("/healthz").status_code == 200


def test_without_a_database_it_is_alive_and_not_ready_and_says_so(
    client: TestClient, cloud: Cloud, scrape: Scrape, monkeypatch: pytest.MonkeyPatch
):
    from sqlalchemy.exc import OperationalError

    def fails(*_: Any) -> Any:
        raise OperationalError("SELECT 1", {}, Exception("gone"))

    assert scrape("ratelock_database_up") == 1
    monkeypatch.setattr(cloud.store.quick, "connect", fails)
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").status_code == 503
    assert scrape("ratelock_database_up") == 0


def test_orders_by_state(phone: Phone, pile: FakePile, scrape: Scrape):
    assert scrape("ratelock_orders_open", state="Pending") == 0
    phone.order()
    assert scrape("ratelock_orders_open", state="Pending") == 1
    pile.order_status(phone.order_id, "Charging")
    assert scrape("ratelock_orders_open", state="Pending") == 0
    assert scrape("ratelock_orders_open", state="Charging") == 1
    pile.settle(phone.message(pile))
    assert scrape("ratelock_orders_open", state="Charging") == 0
    for state in ("Pending", "Charging", "Settled"):
        assert scrape("ratelock_order_moves_total", state=state) == 1, state
    assert scrape("ratelock_settlements_total", verdict="right") == 1


def test_a_flagged_settlement_shows(phone: Phone, pile: FakePile, scrape: Scrape):
    phone.order()
    pile.settle(phone.message(pile), total_minor=99_999)
    assert scrape("ratelock_settlements_flagged") == 1
    assert scrape("ratelock_settlements_total", verdict="flagged") == 1


def test_a_flagged_settlement_waits_for_its_decision_and_no_longer(
    phone: Phone, pile: FakePile, scrape: Scrape, operator: Callable[..., Any]
):
    phone.order()
    pile.settle(phone.message(pile), total_minor=99_999)
    assert scrape("ratelock_settlements_flagged") == 1
    (flagged,) = operator("GET", "/api/settlements?flagged=true").json()["items"]
    decision = {"decision": "waive", "note": "the meter was broken"}
    assert operator("POST", f"/api/settlements/{flagged['id']}/review", decision).status_code == 201
    assert scrape("ratelock_settlements_flagged") == 0


def test_a_pile_that_is_away_is_no_error_of_the_cloud(
    pile: FakePile, phone: Phone, client: TestClient, scrape: Scrape
):
    """The answer that the alert leaves out is that one, by its labels."""
    pile.offline()
    answer = client.post("/api/orders", json=phone.body(), headers=new_key())
    assert (answer.status_code, answer.json()["code"]) == (503, "PileOffline")
    rules = yaml.safe_load((OPERATION / "alerts.yml").read_text())["groups"][0]["rules"]
    (expression,) = (rule["expr"] for rule in rules if rule["alert"] == "HttpErrors")
    left_out = re.search(r"unless (\w+)\{([^}]*)\}", expression)
    assert left_out is not None
    labels = dict(re.findall(r'(\w+)="([^"]*)"', left_out[2]))
    assert scrape(left_out[1], **labels) == 1


def test_a_lost_pile_shows(pile: FakePile, scrape: Scrape, cloud: Cloud, settings: Settings):
    assert (scrape("ratelock_piles", state="online"), scrape("ratelock_piles", state="offline")) == (1, 0)
    pile.offline()
    assert (scrape("ratelock_piles", state="online"), scrape("ratelock_piles", state="offline")) == (0, 1)


def test_a_silent_pile_shows_before_it_is_given_up(pile: FakePile, scrape: Scrape, cloud: Cloud):
    """In half the time, and so within a minute by default."""
    assert Settings().pile_silent_s // 2 < 60
    for ago_s, silent in (
        (cloud.settings.pile_silent_s // 2 - 10, 0),
        (cloud.settings.pile_silent_s // 2 + 2, 1),
    ):
        with cloud.store.writing.begin() as conn:
            conn.exec_driver_sql(f"UPDATE piles SET last_seen_at = {now_s() - ago_s}")
        assert scrape("ratelock_piles_silent") == silent


def test_how_soon_a_silent_pile_shows_follows_the_setting(settings: Settings, link: FakeLink):
    settings.pile_silent_s = 900
    cloud = Cloud(settings, link)  # type: ignore[arg-type]
    cloud.start()
    try:
        assert b"said nothing for 450 s" in cloud.metrics.text()
    finally:
        cloud.stop()


def test_a_new_pile_is_not_a_lost_one(add_pile: Callable[..., FakePile], scrape: Scrape):
    add_pile("PILE-9", online=False)
    assert scrape("ratelock_piles", state="new") == 1
    assert scrape("ratelock_piles", state="offline") == 0


def test_a_faulted_pile_shows(pile: FakePile, scrape: Scrape):
    pile.online(status="Faulted", fault="PowerSwitchFailure")
    assert scrape("ratelock_piles_faulted") == 1


def test_a_growing_outbox_shows_with_its_age(pile: FakePile, scrape: Scrape, cloud: Cloud, operator: Any):
    before = scrape("ratelock_outbox_waiting")  # the fake broker acknowledges nothing
    for _ in range(3):
        operator("POST", "/api/piles/PILE-1/reset", {"connector": 1})
    assert scrape("ratelock_outbox_waiting") == before + 3
    with cloud.store.writing.begin() as conn:
        conn.exec_driver_sql("UPDATE outbox SET created_at = created_at - 40")
    assert 40 <= scrape("ratelock_outbox_oldest_seconds") < 60


def test_an_order_without_its_settlement_shows(phone: Phone, pile: FakePile, scrape: Scrape, cloud: Cloud):
    phone.order()
    pile.order_status(phone.order_id, "Charging")
    assert scrape("ratelock_orders_overdue") == 0
    with cloud.store.writing.begin() as conn:
        conn.exec_driver_sql("UPDATE orders SET window_end_at = 1700000000")
    assert scrape("ratelock_orders_overdue") == 1


def test_rejects_messages_lag_and_commits_are_counted(pile: FakePile, link: FakeLink, scrape: Scrape):
    link.deliver("pile/v1/PILE-1/status", b"rubbish")
    assert scrape("ratelock_rejects_total", reason="Malformed") == 1
    assert scrape("ratelock_messages_total", topic="status") == 2  # its greeting too
    assert scrape("ratelock_ingest_seconds_count", topic="status") == 2
    assert scrape("ratelock_commit_units_count") > 1
    assert scrape("ratelock_commit_seconds_count") > 1


def test_answers_are_timed_by_route_not_by_address(pile: FakePile, client: TestClient, scrape: Scrape):
    for path in ("PILE-1", "PILE-2", "PILE-3"):
        client.get(f"/api/piles/{path}")
    for path in range(20):
        client.get(f"/nowhere/{path}")
    route = "/api/piles/{device_id}"
    assert scrape("ratelock_http_seconds_count", method="GET", route=route, status="404") == 2
    assert scrape("ratelock_http_seconds_count", method="GET", route=route, status="200") == 1
    assert scrape("ratelock_http_seconds_count", method="any", route="none", status="404") == 20


def names_in(expression: str) -> set[str]:
    return set(re.findall(r"\b(?:ratelock|process)_[a-z_]+", expression))


def expressions() -> list[str]:
    rules = yaml.safe_load((OPERATION / "alerts.yml").read_text())
    found = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    dashboard = yaml.safe_load((OPERATION / "dashboard.json").read_text())  # JSON is YAML
    for panel in dashboard["panels"]:
        found += [target["expr"] for target in panel.get("targets", [])]
    return found


def test_alerts_and_dashboard_ask_for_what_there_is(client: TestClient, phone: Phone, pile: FakePile):
    phone.order()
    told = client.get("/metrics", headers=AS_OPERATOR).text
    there = {sample.name for family in text_string_to_metric_families(told) for sample in family.samples}
    asked = set().union(*(names_in(each) for each in expressions()))
    assert len(asked) > 10
    assert asked <= there, asked - there


def test_every_label_value_that_is_asked_for_exists(client: TestClient, phone: Phone, pile: FakePile):
    phone.order()
    told = client.get("/metrics", headers=AS_OPERATOR).text
    for expression in expressions():
        for name, label, value in re.findall(r'(ratelock_[a-z_]+)\{([a-z]+)="([^"]*)"', expression):
            assert re.search(rf'^{name}\{{[^}}]*{label}="{value}"', told, re.MULTILINE), expression
