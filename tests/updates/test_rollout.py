"""Rollouts of the real cloud to real firmware in slots: a release and then a configuration."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pile_protocol import topics
from tests.sim import SimPile
from tests.tap import Tap
from tools.harness.releases import ReleaseKey, post, slot_options
from tools.harness.system import System

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

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
