"""Rollouts of the real cloud to real firmware in slots: a release and then a configuration."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cloud_stub.piles import broker_passwords
from pile_protocol import seal, topics
from tests.sim import SimPile
from tests.tap import Tap
from tools.harness.broker import Broker
from tools.harness.processes import HOST
from tools.harness.releases import ReleaseKey, post, slot_options
from tools.harness.system import System

pytestmark = pytest.mark.system

FIRST = 11
OUTCOME_S = 60


def wait_until_finished(
    system: System, tap: Tap, pile: SimPile, rollout_id: int, what: dict[str, int]
) -> Any:
    """The rollout, once the cloud has seen that the pile confirmed."""

    def confirmed(message: dict[str, Any]) -> bool:
        return message["state"] == "Confirmed" and what.items() <= message.items()

    tap.wait_for(pile.device_id, topics.UPDATE_STATUS, confirmed, OUTCOME_S)
    deadline = time.monotonic() + OUTCOME_S
    while (view := system.operator.get(f"/api/rollouts/{rollout_id}").json())["state"] == "Running":
        assert time.monotonic() < deadline, view
        time.sleep(0.1)  # the periodic jobs see it within a second
    return view


@pytest.mark.long
def test_a_release_and_a_configuration_reach_a_pile_by_rollouts(
    system: System, pile: Callable[..., SimPile], tap: Tap, tmp_path: Path
):
    key = ReleaseKey(tmp_path)
    updated = pile(extra=slot_options(key, FIRST, (500, 60_000)))
    selection = {"selection": f"pile:{updated.device_id}"}
    number = 900_000_000 + int(time.time()) % 90_000_000  # the cloud is shared, and a number is used once
    post(system.operator, "/api/releases", key.archive(number))
    rollout = post(system.operator, "/api/rollouts", {"release": number, **selection})
    view = wait_until_finished(system, tap, updated, rollout["rollout_id"], {"release": number})
    assert (view["state"], view["states"]) == ("Finished", {"Confirmed": 1})
    found = system.operator.get(f"/api/piles/{updated.device_id}/updates").json()
    assert (found["firmware"]["release"], found["firmware"]["on_trial"]) == (number, False)

    rollout = post(system.operator, "/api/rollouts", {"config": {"ntp": "time.example.org"}, **selection})
    version = rollout["rollout_id"]
    view = wait_until_finished(system, tap, updated, version, {"config_version": version})
    assert view["states"] == {"Confirmed": 1}
    assert not updated.count(lambda line: line.get("event") == "relay closed")


@pytest.mark.long
def test_a_pile_moves_to_another_broker_and_authority_and_comes_back_from_one_without_the_cloud(
    tmp_path: Path, open_tap: Callable[[Broker], Tap]
):
    """From the first broker without TLS to its TLS listener with a new authority; then to a second mosquitto
    that lets the pile in, but where no cloud is.
    """
    key = ReleaseKey(tmp_path)
    with System(tmp_path / "first", tls_port=0) as system, Broker(tmp_path / "second", tls_port=0) as second:
        tap = open_tap(system.broker)
        pile = SimPile.new(system, rate=None, extra=slot_options(key, FIRST, (500, 6_000)))
        password = seal.mqtt_password(pile.key)
        broker_passwords.write(second.folder / "passwd", {pile.device_id: password}, keep_others=True)
        visitor = open_tap(second)

        def move(broker: Broker) -> Any:
            config = {
                "broker": {"host": HOST, "port": broker.tls_port},
                "ca": (broker.certs / "ca.pem").read_text(),
            }
            body = {"config": config, "selection": f"pile:{pile.device_id}"}
            return post(system.operator, "/api/rollouts", body)["rollout_id"]

        def told(version: int, *states: str) -> Any:
            return tap.wait_for(
                pile.device_id,
                topics.UPDATE_STATUS,
                lambda found: found.get("config_version") == version and found["state"] in states,
                OUTCOME_S,
            )

        try:
            first = move(system.broker)
            assert told(first, "Confirmed", "FellBack", "Refused")["state"] == "Confirmed"
            away = move(second)
            visitor.wait_for(
                pile.device_id, topics.HELLO, lambda found: found["config_version"] == away, OUTCOME_S
            )
            assert told(away, "Confirmed", "FellBack")["reason"] == "NoCloud"
            hello = [seen.json() for seen in tap.of(pile.device_id, topics.HELLO)][-1]
            assert hello["config_version"] == first
            assert not pile.count(lambda line: line.get("event") == "relay closed")
        finally:
            pile.stop()
