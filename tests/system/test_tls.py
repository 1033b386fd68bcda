"""MQTT over TLS: the pile trusts one CA and one name, and says in one line why it refuses another broker."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from tests.sim import SimPile
from tools.harness.certs import LOCAL_NAMES, Ca
from tools.harness.phone import Phone
from tools.harness.system import DEMO_RATE, System

pytestmark = pytest.mark.system


@pytest.fixture
def tls_system(tmp_path):
    with System(tmp_path / "tls system", tls_port=0) as system:
        yield system


def trusting(system, ca=None):
    return {
        "mqtt_url": system.broker.tls_url,
        "extra": ("--ca", str(ca or system.broker.certs / "ca.pem"), "--backoff-max-ms", "1000"),
    }


def says(text):
    return lambda line: line["event"] == "log" and text in line["text"]


def test_a_whole_order_over_tls(tls_system, sim_pile):
    p = sim_pile(tls_system, speed=600, **trusting(tls_system))
    order = Phone(tls_system.base_url).order(p.device_id, limits={"energy_mwh": 1_000_000})
    assert order.wait_for_state("Settled")["reason"] == "EnergyLimitReached"


def refused(system, sim_pile, **certificate):
    """A pile in front of a broker whose certificate was made with `certificate`; it says one clear line."""
    system.broker.stop()
    Ca(system.broker.certs).issue("server", **certificate)
    system.broker.start()
    p: SimPile = sim_pile(system, rate=DEMO_RATE, online=False, **trusting(system))
    p.wait_for(says("certificate"))
    p.wait_for(says("certificate"), after=p.line_count)  # and it goes on trying
    assert p.status()["online"] is False
    return p


def test_a_broker_of_another_name_is_refused(tls_system, sim_pile):
    refused(tls_system, sim_pile, names=("somewhere-else.example",))


def test_an_expired_certificate_is_refused(tls_system, sim_pile):
    long_ago = datetime.now(timezone.utc) - timedelta(days=30)
    refused(tls_system, sim_pile, names=LOCAL_NAMES, not_before=long_ago, days=10)


def test_a_broker_of_another_ca_is_refused(tls_system, sim_pile, tmp_path):
    other = Ca(tmp_path / "other ca")
    p = sim_pile(tls_system, online=False, **trusting(tls_system, other.certificate_path))
    p.wait_for(says("certificate"))
    assert p.status()["online"] is False


def test_plain_mqtt_on_the_tls_port_gets_nothing(tls_system, sim_pile):
    p = sim_pile(tls_system, online=False, mqtt_url=tls_system.broker.tls_url.replace("mqtts", "mqtt"))
    p.wait_for(says("tried again by itself"), timeout_s=40)
    assert p.status()["online"] is False


def test_the_cloud_reaches_its_broker_over_tls(tls_system, sim_pile):
    """As it must where the broker is another machine: its password may write to every pile."""
    tls_system.stop_cloud()
    tls_system._env["RATELOCK_MQTT_PORT"] = str(tls_system.broker.tls_port)
    tls_system._env["RATELOCK_MQTT_CA"] = str(tls_system.broker.certs / "ca.pem")
    tls_system.start_cloud()
    p = sim_pile(tls_system, speed=600)
    order = Phone(tls_system.base_url).order(p.device_id, limits={"energy_mwh": 1_000_000})
    assert order.wait_for_state("Settled")["reason"] == "EnergyLimitReached"


def test_keys_are_for_their_owner_only(tls_system):
    for path in (
        tls_system.broker.certs / "ca.key",
        tls_system.broker.certs / "server.key",
        tls_system.broker.folder / "server.key",
        tls_system.broker.folder / "passwd",
        tls_system.broker.folder / "cloud.password",
        tls_system.data / "operator.token",
        tls_system.data / "cloud.db",
    ):
        assert path.stat().st_mode & 0o077 == 0, f"{path.name} can be read by others"
