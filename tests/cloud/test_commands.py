"""The commands release, rollout, pile and ledger, beside a running cloud; each writes its audit line."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from cloud_stub.base.clock import now_s
from cloud_stub.cloud import Cloud
from cloud_stub.piles import broker_passwords, monitors
from cloud_stub.piles.credentials import sync_credentials
from pile_protocol import topics
from tests.cloud import releases as made
from tests.cloud.conftest import Phone, settled
from tests.cloud.fakes import FakeLink, FakePile, open_sealed
from tests.cloud.releases import UpdatingPile

pytestmark = pytest.mark.parametrize("settings", ["sqlite"], indirect=True)


def audited(cloud: Cloud) -> list[str]:
    """The actions of the command line, oldest first."""
    with cloud.store.reading.connect() as conn:
        rows = conn.exec_driver_sql("SELECT action FROM audit WHERE actor_kind = 'cli' ORDER BY id")
        return list(rows.scalars())


def commands_to(pile: FakePile, link: FakeLink, count: int) -> list[str]:
    """The actions that were sent to the pile, once there are so many."""
    sent = link.wait_for(pile.device_id, topics.COMMAND, count)
    return [open_sealed(topics.COMMAND, data, pile.key)["action"] for data in sent]


def test_a_release_and_its_rollout(
    run: Any, tmp_path: Path, cloud: Cloud, add_pile: Callable[..., FakePile], link: FakeLink
):
    pile = UpdatingPile(add_pile(rate=None, online=False), link)
    pile.come()
    for number in (12, 13):
        (tmp_path / str(number)).write_bytes(made.archive(number))
        added = {"release": number, "version": "0.2.0", "added": True}
        assert run("release", "add", str(tmp_path / str(number))) == [added]
    assert run("release", "add", str(tmp_path / "12"))[0]["added"] is False
    assert [each["release"] for each in run("release", "list")] == [13, 12]
    assert run("release", "remove", "13") == [{"release": 13}]
    (tmp_path / "14").write_bytes(b"no archive")
    assert "BadRelease" in run("release", "add", str(tmp_path / "14"))

    (plan,) = run("rollout", "start", "--release", "12", "all", "--preview")
    assert (plan["piles"], run("rollout", "list")) == (1, [])
    (rollout,) = run(
        *("rollout", "start", "--release", "12", "pile:PILE-1", "--waves", "1,50%"),
        *("--lost-max", "2", "--deadline-hours", "3"),
    )
    assert (rollout["rollout_id"], rollout["state"], rollout["lost_max"]) == (1, "Running", 2)
    for change, state in (("pause", "Paused"), ("resume", "Running")):
        assert run("rollout", change, "1")[0]["state"] == state
    cloud.jobs.run_once(now_s())  # the running cloud goes on with it
    assert [each["release"] for each in pile.updates()] == [12]
    shown = run("rollout", "show", "1")
    assert [each.get("state") for each in shown] == ["Running", "Offered"]
    assert run("rollout", "cancel", "1")[0]["state"] == "Cancelled"
    cloud.jobs.run_once(now_s())
    assert [each["state"] for each in run("rollout", "list")] == ["Cancelled"]

    config = tmp_path / "config.json"
    config.write_text(json.dumps({"ntp": "time.example.org"}))
    assert run("rollout", "start", "--config", str(config), "all")[0]["config"] == {"ntp": "time.example.org"}
    config.write_text("{")
    assert "is not JSON" in run("rollout", "start", "--config", str(config), "all")
    assert "UnknownRelease" in run("rollout", "start", "--release", "15", "all")
    assert "UnknownRollout" in run("rollout", "pause", "7")
    assert audited(cloud) == [
        *("ReleaseAdded", "ReleaseAdded", "ReleaseRemoved"),
        *("RolloutStarted", "RolloutPaused", "RolloutResumed", "RolloutCancelled", "RolloutStarted"),
    ]


def test_a_pile_is_changed_restarted_and_asked_to_report(
    run: Any, cloud: Cloud, client: TestClient, pile: FakePile, link: FakeLink
):
    assert run("pile", "rename", "PILE-1", "Gate 3") == [{"device_id": "PILE-1", "name": "Gate 3"}]
    assert run("pile", "connectors", "PILE-1", "4") == [{"device_id": "PILE-1", "connectors": 4}]
    shown = client.get("/api/piles/PILE-1").json()
    assert (shown["name"], len(shown["connectors"])) == ("Gate 3", 4)
    assert "FirmwareTooOld" in run("pile", "restart", "PILE-1")
    pile.hello(commands=["restart", "service"])
    run("pile", "restart", "PILE-1")
    run("pile", "report", "PILE-1")
    run("pile", "reset", "PILE-1", "--connector", "2")
    cloud.dispatch.send_unsent(leased=True)  # as when the command's lease has ended
    assert commands_to(pile, link, 3) == ["restart", "report", "reset"]
    for wrong in (("rename", "PILE-1", "a\nb"), ("connectors", "PILE-1", "0"), ("report", "PILE-9")):
        assert run("pile", *wrong).startswith("cloud_stub: ")
    assert audited(cloud) == [
        *("PileRenamed", "ConnectorsChanged", "RestartRequested", "ReportRequested", "ResetRequested"),
    ]


def test_a_connector_is_taken_out_of_service_and_put_back(
    run: Any, cloud: Cloud, client: TestClient, pile: FakePile, phone: Phone
):
    (out,) = run("pile", "out", "PILE-1", "Maintenance", "--connector", "2", "--note", "cable worn")
    assert (out["connector"], out["reason"]) == (2, "Maintenance")
    connectors = client.get("/api/piles/PILE-1").json()["connectors"]
    assert [each["out_of_service"] for each in connectors] == [None, "Maintenance"]
    run("pile", "back", "PILE-1", "--connector", "2")
    assert phone.order(connector=2)["state"] == "Pending"
    assert audited(cloud) == ["TakenOutOfService", "PutBackIntoService"]


def test_a_new_key_ends_the_old_one_which_still_proves_its_settlements(
    run: Any, cloud: Cloud, pile: FakePile, phone: Phone
):
    settled(phone, pile, 1_000_000)
    (given,) = run("pile", "key", "PILE-1")
    assert run("ledger", "keys", "PILE-1", text=True) == [given["key"], pile.key.hex()]
    sealed, cloud_sealed = run("ledger", "export", "PILE-1")
    assert (sealed["order_id"], cloud_sealed["kind"]) == (phone.order_id, "ledger end")
    run("pile", "key", "PILE-1", "--new-board", "--force")
    assert len(run("ledger", "keys", "PILE-1", text=True)) == 3
    assert "UnknownPile" in run("ledger", "keys", "PILE-9")
    assert audited(cloud) == ["KeyRotated", "BoardReplaced"]


def test_a_bill_is_credited_and_paid_and_the_pile_shown(run: Any, cloud: Cloud, pile: FakePile, phone: Phone):
    settled(phone, pile, 2_500_000)
    (note,) = run("order", "credit", phone.order_id, "100", "The cable did not lock.")
    assert run("credit", "list", "--order", phone.order_id) == run("credit", "list") == [note]
    assert run("credit", "list", "--order", "another") == []
    assert "AmountMismatch" in run("order", "pay", phone.order_id, "350")
    (paid,) = run("order", "pay", phone.order_id, "250")
    assert (paid["state"], phone.get()["payment"]["amount_minor"]) == ("Paid", 250)
    (shown,) = run("pile", "show", "PILE-1")
    assert (shown["device_id"], shown["online"]) == ("PILE-1", True)
    assert [each["action"] for each in shown["audit"]][:2] == ["PaymentEntered", "BillCredited"]
    assert "UnknownPile" in run("pile", "show", "PILE-9")


def test_a_read_only_mqtt_login(run: Any, cloud: Cloud):
    (made,) = run("monitor", "add", "grafana")
    assert made["username"] == "monitor.grafana"
    assert "MonitorExists" in run("monitor", "add", "grafana")
    assert "small letters" in run("monitor", "add", "Grafana!")
    assert [each["username"] for each in run("monitor", "list")] == ["monitor.grafana"]
    passwords = cloud.settings.broker_folder / "passwd"
    before = passwords.read_text()
    sync_credentials(cloud.store, cloud.settings)  # as at a start: the login stays as it is
    assert passwords.read_text() == before
    lines = [line for line in before.splitlines() if line.startswith("monitor.")]
    assert [broker_passwords.matches(line, made["username"], made["password"]) for line in lines] == [True]
    with cloud.store.reading.connect() as conn:
        assert monitors.is_right(conn, made["username"], made["password"])
        assert not monitors.is_right(conn, made["username"], "other")
        assert not monitors.is_right(conn, "grafana", made["password"])
    assert run("monitor", "remove", "grafana") == [{"username": "monitor.grafana"}]
    assert "UnknownMonitor" in run("monitor", "remove", "grafana")
    assert "monitor.grafana" not in passwords.read_text()
    assert audited(cloud) == ["MonitorAdded", "MonitorRemoved"]
