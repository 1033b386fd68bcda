"""The command line, as processes."""

import io
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from cloud_stub.cli import main
from cloud_stub.cli.serve import listening
from cloud_stub.cli.tools import alone
from cloud_stub.db import audit
from cloud_stub.db.engine import Store
from cloud_stub.settings import Settings
from tests.cloud.conftest import Phone
from tests.cloud.fakes import FLAT_RATE, WAIT_S, FakePile

ROOT = Path(__file__).resolve().parents[2]
ONE_DAY = timedelta(days=1)


@pytest.fixture
def environment(settings: Settings) -> dict[str, str]:
    return os.environ | {
        "RATELOCK_DATA": str(settings.data),
        "DATABASE_URL": settings.database,
        "RATELOCK_HTTP_PORT": "0",
        "RATELOCK_MQTT_PORT": "1",
    }


def run(environment: dict[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "cloud_stub", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=WAIT_S)


def test_a_pile_a_rate_and_the_orders(environment: dict[str, str], tmp_path: Path):
    added = run(environment, "pile", "add", "PILE-1", "--connectors", "2", "--name", "Gate")
    pile = json.loads(added.stdout)
    assert pile.keys() == {"device_id", "key", "connectors"}
    assert (pile["device_id"], len(pile["key"]), pile["connectors"]) == ("PILE-1", 64, 2)
    passwd = Path(environment["RATELOCK_DATA"], "broker", "passwd").read_text()
    assert [line.split(":")[0] for line in passwd.splitlines()] == ["cloud", "PILE-1"]

    file = tmp_path / "rate.json"
    file.write_text(json.dumps(FLAT_RATE))
    rate = json.loads(run(environment, "rate", "set", "PILE-1", str(file)).stdout)
    assert rate["periods"] == [[0, 800_000, 400_000, "flat"]]
    listed = run(environment, "orders")
    assert (listed.returncode, listed.stdout) == (0, "")


def test_a_pile_is_removed(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("RATELOCK_DATA", str(settings.data))
    monkeypatch.setenv("DATABASE_URL", settings.database)
    monkeypatch.setattr("cloud_stub.logs.configure", lambda: None)
    assert main(["pile", "add", "PILE-1"]) == main(["pile", "add", "PILE-2"]) == 0
    capsys.readouterr()
    assert main(["pile", "remove", "PILE-1"]) == 0
    assert json.loads(capsys.readouterr().out).keys() == {"device_id", "removed_at"}
    passwd = (settings.broker_folder / "passwd").read_text()
    assert [line.split(":")[0] for line in passwd.splitlines()] == ["cloud", "PILE-2"]
    for again in (["add", "PILE-1"], ["label", "PILE-1", "--svg", str(settings.data)]):
        assert main(["pile", *again]) == 1
        assert "was removed" in capsys.readouterr().err
    assert main(["pile", "remove", "PILE-9"]) == 1
    assert "There is no pile with that id" in capsys.readouterr().err


def test_what_a_connector_carries_is_set(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("RATELOCK_DATA", str(settings.data))
    monkeypatch.setenv("DATABASE_URL", settings.database)
    monkeypatch.setattr("cloud_stub.logs.configure", lambda: None)
    assert main(["pile", "add", "PILE-1"]) == 0
    for watts, set_to in (("7400", 7400), ("default", None)):
        capsys.readouterr()
        assert main(["pile", "power", "PILE-1", watts]) == 0
        assert json.loads(capsys.readouterr().out) == {"device_id": "PILE-1", "connector_power_w": set_to}
    for wrong in (["PILE-1", "7.4kW"], ["PILE-1", "0"], ["PILE-1", "9" * 5_000], ["PILE-9", "7400"]):
        assert main(["pile", "power", *wrong]) == 1


def test_an_order_whose_pile_is_gone_is_closed(
    client: TestClient,
    phone: Phone,
    pile: FakePile,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.setenv("RATELOCK_DATA", str(settings.data))
    monkeypatch.setenv("DATABASE_URL", settings.database)
    monkeypatch.setattr("cloud_stub.logs.configure", lambda: None)
    phone.order()
    close = ["order", "close", phone.order_id, "the pile was stolen"]
    capsys.readouterr()
    assert main(close) == 1
    assert "The pile is online" in capsys.readouterr().err
    pile.offline()
    capsys.readouterr()
    assert main(close) == 0
    closed = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (closed["state"], closed["reason"]) == ("Lost", "ClosedByOperator")
    assert phone.get()["state"] == "Lost"
    assert main(["order", "close", "none", "a test"]) == 1


def test_an_order_is_stopped_a_fault_cleared_and_a_flagged_settlement_decided_by_command(
    phone: Phone,
    pile: FakePile,
    operator: Any,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.setenv("RATELOCK_DATA", str(settings.data))
    monkeypatch.setenv("DATABASE_URL", settings.database)
    monkeypatch.setattr("cloud_stub.logs.configure", lambda: None)

    def said(*command: str) -> str:
        capsys.readouterr()
        assert main(list(command)) == 0
        return capsys.readouterr().out

    phone.order()
    pile.order_status(phone.order_id, "Charging")
    assert json.loads(said("order", "stop", phone.order_id))["stop_requested_at"] is not None
    pile.settle(phone.message(pile), 2_500_000, total_minor=1)
    assert json.loads(said("pile", "list"))["device_id"] == "PILE-1"
    assert said("pile", "list", "--site", "NONE") == ""
    said("pile", "reset", "PILE-1", "--connector", "2")
    assert main(["pile", "reset", "PILE-1", "--connector", "9"]) == 1
    assert operator("GET", "/api/audit?action=ResetRequested").json()["items"][0]["detail"] == "connector 2"
    flagged = json.loads(said("books", "flagged"))
    said("books", "review", str(flagged["id"]), "waive", "a test")
    assert said("books", "flagged") == ""
    assert main(["books", "review", str(flagged["id"]), "release", "again"]) == 1
    head, order = said("orders", "--csv").splitlines()
    assert head.startswith("\ufefforder_id") and order.startswith(phone.order_id) and "Waived" in order
    today = datetime.now(timezone.utc).date()
    narrow = ["--pile", "PILE-1", "--connector", "1", "--state", "Paid", "--from", str(today - ONE_DAY)]
    assert json.loads(said("orders", *narrow))["order_id"] == phone.order_id
    for other in (["--site", "NONE"], ["--rate", "r-0"], ["--to", str(today - 2 * ONE_DAY)]):
        assert said("orders", *narrow, *other) == ""
    assert main(["orders", "--from", "yesterday"]) == 1
    lines = operator("GET", f"/api/audit?order_id={phone.order_id}").json()["items"]
    found = [(each["action"], each["actor_kind"]) for each in lines]
    assert found == [("SettlementReviewed", audit.COMMAND_LINE), ("OrderStopped", audit.COMMAND_LINE)]


def test_a_pile_that_cannot_be_let_in_is_not_added(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Its id was taken for good, with a key that nobody had been told."""
    monkeypatch.setenv("RATELOCK_DATA", str(settings.data))
    monkeypatch.setenv("DATABASE_URL", settings.database)
    monkeypatch.setattr("cloud_stub.logs.configure", lambda: None)  # this process logs as it did
    settings.broker_folder.write_text("in the way")
    assert main(["pile", "add", "PILE-1"]) == 1
    assert str(settings.broker_folder) in capsys.readouterr().err
    settings.broker_folder.unlink()
    assert main(["pile", "add", "PILE-1"]) == 0
    assert len(json.loads(capsys.readouterr().out)["key"]) == 64


def nobody_types(_: str) -> str:
    raise EOFError


def test_what_is_wrong_is_one_sentence(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("RATELOCK_DATA", str(settings.data))
    monkeypatch.setenv("DATABASE_URL", settings.database)
    monkeypatch.setattr("cloud_stub.logs.configure", lambda: None)  # this process logs as it did
    file = tmp_path / "rate.json"
    file.write_text(json.dumps(FLAT_RATE | {"time_zone": "Mars"}))
    text = tmp_path / "text"
    text.write_text("not json")
    deep = tmp_path / "deep"
    deep.write_text("[" * 100_000)
    assert main(["pile", "add", "PILE-1"]) == 0
    wrong: list[tuple[list[str], str]] = [
        (["pile", "add", "PILE-1"], "There is a pile with that id already"),
        (["pile", "add", "a b"], "device_id"),
        (["pile", "add", "PILE-2", "--connectors", "9"], "connectors"),
        (["rate", "set", "PILE-9", str(file)], "time_zone"),
        (["rate", "set", "PILE-1", str(text)], "is not JSON"),
        (["rate", "set", "PILE-1", str(deep)], "is not JSON"),
        (["rate", "set", "PILE-1", str(tmp_path / "missing")], "there is no"),
        (["rollout", "start", "all", "--config", str(text)], "is not JSON"),
        (["rollout", "start", "all", "--config", str(deep)], "is not JSON"),
        (["user", "add", "anna", "--role", "owner", "--password-stdin"], "is not in UTF-8"),
        (["user", "add", "anna", "--role", "owner"], "was not typed"),
    ]
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\xff" * 12), encoding="utf-8"))
    monkeypatch.setattr("getpass.getpass", nobody_types)
    for arguments, expected in wrong:
        assert main(arguments) == 1, arguments
        said = capsys.readouterr().err
        assert expected in said and "Traceback" not in said
        assert len(said.strip().splitlines()) == 1


@pytest.mark.parametrize("limit", ["-1", "0", str(2**63), "many"])
def test_a_limit_that_is_none_is_told_so(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], limit: str
):
    monkeypatch.setenv("RATELOCK_DATA", str(settings.data))
    monkeypatch.setenv("DATABASE_URL", settings.database)
    monkeypatch.setattr("cloud_stub.logs.configure", lambda: None)  # this process logs as it did
    with pytest.raises(SystemExit) as ended:
        main(["orders", "--limit", limit])
    assert ended.value.code == 2
    assert "argument --limit" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["orders", "serve"])
def test_a_database_of_a_newer_version_is_one_sentence(
    environment: dict[str, str], settings: Settings, command: str
):
    store = Store(settings.database)
    with store.writing.begin() as conn:
        (known,) = conn.exec_driver_sql("SELECT version_num FROM alembic_version").scalars()
        conn.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    done = run(environment, command)
    with store.writing.begin() as conn:
        conn.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{known}'")
    store.close()
    assert done.returncode == 1
    assert "the database cannot be used" in done.stderr and "9999" in done.stderr
    assert len([line for line in done.stderr.splitlines() if line.startswith("cloud_stub: ")]) == 1
    assert "Traceback" not in done.stderr


def test_settings_that_are_wrong_are_named(environment: dict[str, str]):
    done = run(environment | {"RATELOCK_ORDER_LIFE_S": "soon"}, "orders")
    assert done.returncode == 1
    assert "order_life_s" in done.stderr.lower() and "Traceback" not in done.stderr


def test_a_taken_port_is_one_sentence(environment: dict[str, str]):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run(environment | {"RATELOCK_HTTP_PORT": port}, "serve")
    assert done.returncode == 1
    assert port in done.stderr and "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_second_cloud_on_one_data_folder_is_refused(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Each took the other's connection to the broker, in turn, and half of all orders were refused."""
    monkeypatch.setattr("cloud_stub.logs.configure", lambda: None)
    monkeypatch.setenv("RATELOCK_DATA", str(settings.data))
    with alone(settings.data / "cloud.lock", "a cloud"):
        assert main(["serve"]) == 1
    assert capsys.readouterr().err == "cloud_stub: a cloud runs on this data folder already\n"


def test_serve_says_where_it_listens_answers_and_ends_when_told(
    environment: dict[str, str], settings: Settings
):
    command = [sys.executable, "-m", "cloud_stub", "serve"]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None and process.stderr is not None
            address = json.loads(process.stdout.readline())["listening"]
            assert fetch(address + "/healthz") == {
                "status": "ok",
                "mqtt": False,
            }  # there is no broker at port 1
            process.send_signal(signal.SIGTERM)
            lines = process.stderr.read().splitlines()
            process.wait(WAIT_S)
        finally:
            process.kill()
    events = [json.loads(line)["event"] for line in lines]
    assert "cloud_started" in events and events[-1] == "cloud_stopped"
    password = settings.read_mqtt_password()
    assert not any(password in line for line in lines)


def fetch(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=WAIT_S) as response:
        return json.load(response)


def test_http_connections_do_not_wait_to_send():
    """An answer took 40 ms: asyncio sets TCP_NODELAY only where a socket names TCP as its protocol."""
    with listening("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
