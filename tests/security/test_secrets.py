"""After a whole order: no secret that was used stands in a log, in a process list, in a readable file, or in
the repository.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from pile_protocol import seal
from tests.sim import SimPile
from tools import ROOT, verify_ledger
from tools.harness.phone import Phone, PhoneOrder
from tools.harness.system import DEMO_RATE, System

pytestmark = [pytest.mark.system, pytest.mark.timeout(200)]


class Used:
    """A system in which a whole order has just been charged, settled and paid, and every secret of it."""

    def __init__(self, system: System, pile: SimPile, order: PhoneOrder, idempotency_key: str):
        self.system = system
        self.pile = pile
        self.secrets = {
            "device key": pile.identity.key,
            "MQTT password of the pile": seal.mqtt_password(pile.key),
            "MQTT password of the cloud": system.broker.cloud_password,
            "operator token": system.operator_token,
            "order token": order.placed["token"],
            "idempotency key": idempotency_key,
        }

    def in_text(self, text: str) -> list[str]:
        return [name for name, secret in self.secrets.items() if secret in text]


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory):
    with System(tmp_path_factory.mktemp("used system"), tls_port=0) as system:
        pile = SimPile.new(system, rate=DEMO_RATE, speed=600)
        phone = Phone(system.base_url)
        rate_id = phone.rate(pile.device_id)["rate_id"]
        idempotency_key = secrets.token_hex(16)
        answer = phone.confirm(
            pile.device_id,
            rate_id,
            limits={"energy_mwh": 1_000_000},
            idempotency_key=idempotency_key,
        )
        order = phone.placed(answer)
        view = order.wait_for_state("Settled")
        assert order.pay(view["total_minor"]).status == 200
        phone.client.get(f"/api/orders/{order.order_id}?token={order.placed['token']}x")
        found = Used(system, pile, order, idempotency_key)
        assert all(len(secret) > 30 for secret in found.secrets.values())
        yield found


def test_no_secret_is_in_a_log(used):
    logs = [path for path in used.system.data.rglob("*.log") if path.is_file()]
    assert {"cloud.log", "mosquitto.log", f"{used.pile.device_id}.log"} <= {path.name for path in logs}
    for path in logs:
        assert path.stat().st_size, f"{path.name} is empty: nothing was looked through"
        assert not used.in_text(path.read_text(errors="replace")), path.name


def test_no_secret_is_in_a_process_list(used):
    seen = 0
    for process in psutil.process_iter():
        try:
            argv = " ".join(process.cmdline())
        except psutil.Error:
            continue
        seen += used.pile.device_id in argv or "cloud_stub" in argv or "mosquitto" in argv
        assert not used.in_text(argv), argv.split()[0]
    assert seen >= 2, "the system's own processes were not found"


def test_every_file_with_a_secret_in_it_is_for_its_owner_alone(used):
    found = set()
    for path in used.system.data.rglob("*"):
        if path.is_file():
            names = used.in_text(path.read_bytes().decode("latin-1"))
            if names or b"PRIVATE KEY" in path.read_bytes():
                assert path.stat().st_mode & 0o077 == 0, (path.name, oct(path.stat().st_mode), names)
                found.add(path.name)
    assert {"config.json", "cloud.password", "operator.token", "ca.key", "server.key"} <= found
    assert any(name.startswith("cloud.db") for name in found)


def committed() -> list[Path]:
    """The repository's files; of a copy without git, all but what was built."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return [ROOT / name for name in done.stdout.split("\0") if name]
    built = {".venv", "build", "node_modules", "__pycache__", ".ratelock"}
    return [path for path in ROOT.rglob("*") if path.is_file() and not built & set(path.parts)]


def test_no_secret_is_in_the_repository(used):
    files = [path for path in committed() if path.is_file()]
    assert len(files) > 100
    marker = "-----BEGIN " + "PRIVATE KEY"
    for path in files:
        text = path.read_bytes().decode("latin-1")
        assert not used.in_text(text), path
        assert marker not in text and marker.replace(" PRIVATE", " RSA PRIVATE") not in text, path
        assert path.name not in ("config.json", "operator.token", "cloud.password", "passwd"), path


def test_the_exported_ledger_proves_itself_and_holds_no_key(used, tmp_path, capsys, monkeypatch):
    export = [sys.executable, "-m", "cloud_stub", "ledger", "export", used.pile.device_id]
    env = {**os.environ, **used.system.cloud_environment()}
    done = subprocess.run(export, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=True)
    assert not used.in_text(done.stdout)
    assert [json.loads(line)["kind"] for line in done.stdout.splitlines()] == ["settlement", "ledger end"]
    path = tmp_path / "ledger.jsonl"
    path.write_text(done.stdout)
    monkeypatch.setenv("RATELOCK_DEVICE_KEY", used.pile.identity.key)
    assert verify_ledger.main([str(path), "--last-seq", "1"]) == 0
    assert "complete and unaltered" in capsys.readouterr().out
