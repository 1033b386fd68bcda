"""The whole order over a broker of another make (amqtt, in Python): nothing of ours is mosquitto's own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.harness.phone import Phone
from tools.harness.ports import free_port
from tools.harness.processes import HOST, Children
from tools.harness.system import System

pytestmark = pytest.mark.system

SCRIPT = Path(__file__).with_name("amqtt_broker.py")


@pytest.fixture
def amqtt_port() -> Iterator[int]:
    port = free_port()
    with Children() as children:
        child = children.start("amqtt", [sys.executable, str(SCRIPT), str(port)])
        child.wait_for_line("amqtt is up")
        yield port


@pytest.fixture
def over_amqtt(own_system: System, amqtt_port: int) -> System:
    own_system.stop_cloud()
    own_system._env["RATELOCK_MQTT_PORT"] = str(amqtt_port)
    own_system.start_cloud()
    return own_system


def test_a_whole_order_over_amqtt(over_amqtt, sim_pile, amqtt_port):
    pile = sim_pile(over_amqtt, speed=600, mqtt_url=f"mqtt://{HOST}:{amqtt_port}")
    order = Phone(over_amqtt.base_url).order(pile.device_id)
    order.wait_for_event(lambda e: e.name == "meter" and e.data["energy_mwh"] > 500_000)
    order.stop()
    view = order.wait_for_state("Settled")
    assert view["reason"] == "Remote" and not view["settlement"]["flagged"]
    assert order.pay(view["total_minor"]).status == 200
    assert pile.count(lambda line: line["event"] == "relay closed") == 1


def test_its_last_will_reaches_the_cloud_and_the_pile_comes_back(over_amqtt, sim_pile, amqtt_port):
    pile = sim_pile(over_amqtt, mqtt_url=f"mqtt://{HOST}:{amqtt_port}")
    pile.kill()
    pile.wait_until(lambda view: not view["online"])
    pile.start()
