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


def process(environment: dict[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "cloud_stub", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


def test_a_python_without_the_packages_names_the_one_that_has_them() -> None:
    done = subprocess.run(
        [sys.executable, "-S", "-m", "cloud_stub"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "use .venv/bin/python" in done.stderr


def test_a_pile_a_rate_and_the_orders(environment: dict[str, str], tmp_path: Path):
    added = process(environment, "pile", "add", "PILE-1", "--connectors", "2", "--name", "Gate")
    pile = json.loads(added.stdout)
    assert pile.keys() == {"device_id", "key", "connectors"}
    assert (pile["device_id"], len(pile["key"]), pile["connectors"]) == ("PILE-1", 64, 2)
    passwd = Path(environment["RATELOCK_DATA"], "broker", "passwd").read_text()
    assert [line.split(":")[0] for line in passwd.splitlines()] == ["cloud", "PILE-1"]

    file = tmp_path / "rate.json"
    file.write_text(json.dumps(FLAT_RATE))
    rate = json.loads(process(environment, "rate", "set", "PILE-1", str(file)).stdout)
    assert rate["periods"] == [[0, 800_000, 400_000, "flat"]]
    listed = process(environment, "orders")
    assert (listed.returncode, listed.stdout) == (0, "")


def test_a_pile_is_removed(run: Any, settings: Settings):
    run("pile", "add", "PILE-1")
    run("pile", "add", "PILE-2")
    (removed,) = run("pile", "remove", "PILE-1")
    assert removed.keys() == {"device_id", "removed_at"}
    passwd = (settings.broker_folder / "passwd").read_text()
    assert [line.split(":")[0] for line in passwd.splitlines()] == ["cloud", "PILE-2"]
    for again in (["add", "PILE-1"], ["label", "PILE-1", "--svg", str(settings.data)]):
        assert "was removed" in run("pile", *again)
    assert "There is no pile with that id" in run("pile", "remove", "PILE-9")


def test_what_a_connector_carries_is_set(run: Any):
    run("pile", "add", "PILE-1")
    for watts, set_to in (("7400", 7400), ("default", None)):
        assert run("pile", "power", "PILE-1", watts) == [{"device_id": "PILE-1", "connector_power_w": set_to}]
    for wrong in (["PILE-1", "7.4kW"], ["PILE-1", "0"], ["PILE-1", "9" * 5_000], ["PILE-9", "7400"]):
        assert isinstance(run("pile", "power", *wrong), str)


def test_an_order_whose_pile_is_gone_is_closed(run: Any, phone: Phone, pile: FakePile):
    phone.order()
    close = ["order", "close", phone.order_id, "the pile was stolen"]
    assert "The pile is online" in run(*close)
    pile.offline()
    closed = run(*close)[-1]
    assert (closed["state"], closed["reason"]) == ("Lost", "ClosedByOperator")
    assert phone.get()["state"] == "Lost"
    assert "There is no such order" in run("order", "close", "none", "a test")


def test_an_order_is_stopped_a_fault_cleared_and_a_flagged_settlement_decided_by_command(
    run: Any, phone: Phone, pile: FakePile, operator: Any
):
    phone.order()
    pile.order_status(phone.order_id, "Charging")
    assert run("order", "stop", phone.order_id)[0]["stop_requested_at"] is not None
    pile.settle(phone.message(pile), 2_500_000, total_minor=1)
    assert run("pile", "list")[0]["device_id"] == "PILE-1"
    assert run("pile", "list", "--site", "NONE") == []
    run("pile", "reset", "PILE-1", "--connector", "2")
    assert "connector" in run("pile", "reset", "PILE-1", "--connector", "9")
    assert operator("GET", "/api/audit?action=ResetRequested").json()["items"][0]["detail"] == "connector 2"
    (flagged,) = run("books", "flagged")
    run("books", "review", str(flagged["id"]), "waive", "a test")
    assert run("books", "flagged") == []
    assert isinstance(run("books", "review", str(flagged["id"]), "release", "again"), str)
    head, order = run("orders", "--csv", text=True)
    assert head.startswith("\ufefforder_id") and order.startswith(phone.order_id) and "Waived" in order
    today = datetime.now(timezone.utc).date()
    narrow = ["--pile", "PILE-1", "--connector", "1", "--state", "Paid", "--from", str(today - ONE_DAY)]
    assert run("orders", *narrow)[0]["order_id"] == phone.order_id
    for other in (["--site", "NONE"], ["--rate", "r-0"], ["--to", str(today - 2 * ONE_DAY)]):
        assert run("orders", *narrow, *other) == []
    assert isinstance(run("orders", "--from", "yesterday"), str)
    lines = operator("GET", f"/api/audit?order_id={phone.order_id}").json()["items"]
    found = [(each["action"], each["actor_kind"]) for each in lines]
    assert found == [("SettlementReviewed", audit.COMMAND_LINE), ("OrderStopped", audit.COMMAND_LINE)]


def test_a_pile_that_cannot_be_let_in_is_not_added(run: Any, settings: Settings):
    """Its id was taken for good, with a key that nobody had been told."""
    settings.broker_folder.write_text("in the way")
    assert str(settings.broker_folder) in run("pile", "add", "PILE-1")
    settings.broker_folder.unlink()
    assert len(run("pile", "add", "PILE-1")[0]["key"]) == 64


def nobody_types(_: str) -> str:
    raise EOFError


def test_what_is_wrong_is_one_sentence(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = tmp_path / "rate.json"
    file.write_text(json.dumps(FLAT_RATE | {"time_zone": "Mars"}))
    text = tmp_path / "text"
    text.write_text("not json")
    deep = tmp_path / "deep"
    deep.write_text("[" * 100_000)
    run("pile", "add", "PILE-1")
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
        assert expected in run(*arguments), arguments


@pytest.mark.parametrize("limit", ["-1", "0", str(2**63), "many"])
def test_a_limit_that_is_none_is_told_so(run: Any, capsys: pytest.CaptureFixture[str], limit: str):
    with pytest.raises(SystemExit) as ended:
        run("orders", "--limit", limit)
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
    done = process(environment, command)
    with store.writing.begin() as conn:
        conn.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{known}'")
    store.close()
    assert done.returncode == 1
    assert "the database cannot be used" in done.stderr and "9999" in done.stderr
    assert len([line for line in done.stderr.splitlines() if line.startswith("cloud_stub: ")]) == 1
    assert "Traceback" not in done.stderr


def test_settings_that_are_wrong_are_named(environment: dict[str, str]):
    done = process(environment | {"RATELOCK_ORDER_LIFE_S": "soon"}, "orders")
    assert done.returncode == 1
    assert "order_life_s" in done.stderr.lower() and "Traceback" not in done.stderr


def test_a_taken_port_is_one_sentence(environment: dict[str, str]):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = process(environment | {"RATELOCK_HTTP_PORT": port}, "serve")
    assert done.returncode == 1
    assert port in done.stderr and "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_second_cloud_on_one_data_folder_is_refused(run: Any, settings: Settings):
    """Each took the other's connection to the broker, in turn, and half of all orders were refused."""
    with alone(settings.data / "cloud.lock", "a cloud"):
        assert run("serve") == "cloud_stub: a cloud runs on this data folder already\n"


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
