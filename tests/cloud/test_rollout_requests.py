"""What a rollout may be: its configuration, what is refused, its waves, and the states of its piles."""

from typing import Any

import pytest

from cloud_stub.releases import states
from cloud_stub.releases.planning import wave_sizes
from pile_protocol import topics
from tests.cloud.releases import Rollouts


def test_a_configuration_is_rolled_out_and_its_password_is_shown_to_nobody(rollouts: Rollouts):
    pile = rollouts.pile("PILE-1")
    values = {"wifi2": {"ssid": "Yard", "password": "a secret"}, "ntp": "time.example.org", "broker": None}
    shown = values | {"wifi2": {"ssid": "Yard", "password": "***"}}
    view = rollouts.start(release=None, config=values)
    assert (view["release"], view["config"]) == (None, shown)
    rollouts.step()
    (message,) = pile.updates(topics.CONFIG)
    assert (message["version"], message["values"]) == (1, values)
    pile.say_update("Trial", release=None, config_version=1)
    pile.say_update("Confirmed", release=None, config_version=1)
    rollouts.step()
    assert rollouts.view()["state"] == "Finished"
    assert rollouts.view()["config"] == shown
    with rollouts.cloud.store.reading.connect() as conn:
        kept = conn.exec_driver_sql("SELECT values_json FROM rollouts").scalar_one()
        detail = conn.exec_driver_sql("SELECT detail FROM audit WHERE action = 'RolloutStarted'").scalar_one()
    assert "a secret" not in kept + detail
    assert "wifi2" in detail


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "field, config",
    [
        ("config", {}),
        ("config.wifi2", {"wifi2": {"ssid": "x"}}),
        ("config.wifi2.ssid", {"wifi2": {"ssid": "", "password": ""}}),
        ("config.wifi2.password", {"wifi2": {"ssid": "Yard", "password": "seven!!"}}),
        ("config.broker.port", {"broker": {"host": "x", "port": 0}}),
        ("config.broker.host", {"broker": {"host": "mqtts://broker.example.org", "port": 8883}}),
        ("config.ntp", {"ntp": "time.example.org "}),
        ("config.ca", {"ca": "-----BEGIN CERTIFICATE-----\nno certificate" + 64 * " "}),
        ("config.limits.max_current_ma", {"limits": {"max_current_ma": 10**6}}),
        ("config", {"key": "00" * 32}),
    ],
)
def test_a_value_that_no_pile_would_take_is_refused(rollouts: Rollouts, field: str, config: dict[str, Any]):
    rollouts.pile("PILE-1")
    (error,) = rollouts.refused(config=config, selection="all")["errors"]
    assert error["field"].startswith(field), error


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "code, body",
    [
        ("InvalidRequest", {"selection": "all"}),
        ("InvalidRequest", {"selection": "all", "release": 12, "config": {"ntp": "x"}}),
        ("InvalidRequest", {"selection": "some", "release": 12}),
        ("InvalidRequest", {"selection": "all", "release": 12, "waves": ["0"]}),
        ("InvalidRequest", {"selection": "all", "release": 12, "waves": ["101%"]}),
        ("InvalidRequest", {"selection": "all", "release": 12, "waves": ["-1"]}),
        ("UnknownRelease", {"selection": "all", "release": 13}),
        ("UnknownPile", {"selection": "pile:NOBODY", "release": 12}),
        ("NothingToUpdate", {"selection": "tag:nobody", "release": 12}),
    ],
)
def test_a_rollout_that_makes_no_sense_is_refused(rollouts: Rollouts, code: str, body: dict[str, Any]):
    assert rollouts.refused(**body)["code"] == code


# -- without a database


@pytest.mark.parametrize(
    "waves, total, sizes",
    [
        ([], 5, [5]),
        (["1", "10%"], 1, [1]),
        (["1", "10%"], 200, [1, 20, 179]),
        (["1%"], 5, [1, 4]),
        (["50%", "50%"], 3, [2, 1]),
        (["7"], 3, [3]),
        (["100%"], 0, []),
    ],
)
def test_the_sizes_of_waves(waves: list[str], total: int, sizes: list[int]):
    assert wave_sizes(waves, total) == sizes


REPORTED = (*states.WITHDRAWABLE[1:], "Trial", "Confirmed", "Refused", "FellBack", "Cancelled")


@pytest.mark.parametrize("state", states.PILE_STATES)
def test_a_report_never_takes_a_pile_out_of_its_outcome(state: str):
    for reported in REPORTED:
        after = states.after_report(state, True, reported, None)
        if state in ("Confirmed", "Refused", "FellBack"):
            assert after is None
        elif reported in ("Trial", "Confirmed"):
            assert after == reported
        assert states.after_report(state, False, reported, None) is None
