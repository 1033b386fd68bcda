"""The system of demo and tests is its own, whatever the shell that starts it has exported."""

from __future__ import annotations

import pytest

from tools.harness.system import System

RUBBISH = {
    "RATELOCK_OPERATOR_TOKEN": "somebody else's token",
    "RATELOCK_MQTT_PASSWORD": "not this broker's",
    "RATELOCK_DURATION_S": "for ever",
    "RATELOCK_LISTEN": "192.0.2.1",
    "RATELOCK_HTTP_HOST": "192.0.2.1",
}


@pytest.mark.system
def test_the_settings_of_the_shell_stay_outside(tmp_path, monkeypatch) -> None:
    foreign = tmp_path / "foreign.db"
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{foreign}")
    for name, value in RUBBISH.items():
        monkeypatch.setenv(name, value)
    with System(tmp_path / "data", tls_port=0) as system:
        assert system.operator.get("/api/orders").status == 200
        assert "127.0.0.1" in system.broker.tls_url
        pile = system.add_pile()
        system.wait_until_online(pile.device_id, system.start_pile(pile))
    assert (tmp_path / "data" / "cloud.db").exists()
    assert not foreign.exists()


@pytest.mark.system
def test_a_run_that_is_to_inherit_them_does(tmp_path, monkeypatch) -> None:
    chosen = tmp_path / "chosen.db"
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{chosen}")
    with System(tmp_path / "data", inherit=True):
        assert chosen.exists()
    assert not (tmp_path / "data" / "cloud.db").exists()
