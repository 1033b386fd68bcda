"""Rollouts: waves, halts, pauses, deadlines, and what each report of a pile makes of them."""

import base64
import time
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from cloud_stub.cloud import Cloud
from cloud_stub.releases import states
from cloud_stub.releases.planning import wave_sizes
from pile_protocol import topics
from tests.cloud import releases as made
from tests.cloud.conftest import AS_OPERATOR, Phone
from tests.cloud.fakes import FakeLink, FakePile
from tests.cloud.releases import UpdatingPile

HOUR_S = 3600


class Rollouts:
    """The operator's side, and the clock of the periodic jobs."""

    def __init__(
        self, operator: Callable[..., Any], cloud: Cloud, add_pile: Callable[..., FakePile], link: FakeLink
    ):
        self.operator = operator
        self.cloud = cloud
        self._add_pile = add_pile
        self._link = link

    def pile(self, device_id: str, online: bool = True, **firmware: Any) -> UpdatingPile:
        pile = UpdatingPile(self._add_pile(device_id, rate=None, online=False), self._link, **firmware)
        pile.come()
        if not online:
            pile.offline()
        return pile

    def piles(self, count: int, **firmware: Any) -> list[UpdatingPile]:
        return [self.pile(f"PILE-{number}", **firmware) for number in range(1, count + 1)]

    def start(self, release: int | None = 12, selection: str = "all", **other: Any) -> dict[str, Any]:
        body = {"selection": selection, **other} | ({"release": release} if release else {})
        answer = self.operator("POST", "/api/rollouts", body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def refused(self, **body: Any) -> dict[str, Any]:
        answer = self.operator("POST", "/api/rollouts", body)
        assert answer.status_code >= 400
        return answer.json()

    def do(self, what: str, rollout_id: int = 1) -> Any:
        return self.operator("POST", f"/api/rollouts/{rollout_id}/{what}")

    def step(self, after_s: int = 0, times: int = 1) -> None:
        for _ in range(times):
            self.cloud.jobs.run_once(int(time.time()) + after_s)

    def view(self, rollout_id: int = 1) -> dict[str, Any]:
        return self.operator("GET", f"/api/rollouts/{rollout_id}").json()

    def states(self, rollout_id: int = 1) -> dict[str, str]:
        items = self.operator("GET", f"/api/rollouts/{rollout_id}/piles?limit=500").json()["items"]
        return {each["device_id"]: each["state"] for each in items}

    def audit(self) -> list[str]:
        with self.cloud.store.reading.connect() as conn:
            actions = conn.exec_driver_sql("SELECT action FROM audit ORDER BY id").scalars().all()
        return [action for action in actions if action.startswith("Rollout")]


@pytest.fixture
def rollouts(
    client: TestClient,
    operator: Callable[..., Any],
    cloud: Cloud,
    add_pile: Callable[..., FakePile],
    link: FakeLink,
) -> Rollouts:
    """With release 12 for the board sim; as many piles at once as like."""
    cloud.settings.updates_at_once = 100
    made_it = client.post("/api/releases", content=made.archive(12), headers=AS_OPERATOR)
    assert made_it.status_code == 201, made_it.text
    return Rollouts(operator, cloud, add_pile, link)


def test_a_pile_is_updated_and_the_rollout_ends(rollouts: Rollouts):
    pile = rollouts.pile("PILE-1")
    rollouts.start()
    rollouts.step()
    (offer,) = pile.updates()
    assert (offer["kind"], offer["release"]) == ("update", 12)
    manifest = made.manifest(12).encode()
    assert (offer["manifest_bytes"], offer["signature"]) == (len(manifest), made.SIGNATURE)
    pile.ask(offer["manifest_sha256"])
    (chunk,) = pile.chunks(1)
    assert base64.b64decode(chunk["data"]) == manifest
    assert "again" not in offer and "manifest" not in offer
    assert rollouts.states() == {"PILE-1": "Offered"}
    pile.say_update("Downloading", done_bytes=1536, total_bytes=4000)
    (item,) = rollouts.operator("GET", "/api/rollouts/1/piles").json()["items"]
    assert (item["state"], item["done_bytes"], item["total_bytes"]) == ("Downloading", 1536, 4000)
    pile.update()
    rollouts.step()
    view = rollouts.view()
    assert (view["state"], view["states"], view["waves"]) == (
        "Finished",
        {"Confirmed": 1},
        [{"Confirmed": 1}],
    )
    history = rollouts.operator("GET", "/api/piles/PILE-1/updates").json()
    assert history["firmware"]["release"] == 12
    assert [(each["release"], each["state"]) for each in history["items"]] == [(12, "Confirmed")]
    (release,) = rollouts.operator("GET", "/api/releases").json()["items"]
    assert release["piles"] == 1
    kinds = [
        each["kind"] for each in rollouts.operator("GET", "/api/events?device_id=PILE-1").json()["items"]
    ]
    assert [kind for kind in kinds if kind.startswith("Update")] == ["UpdateConfirmed", "UpdateOnTrial"]
    assert rollouts.refused(release=12, selection="all")["code"] == "NothingToUpdate"


def test_a_pile_that_does_not_fetch_the_manifest_gets_it_in_the_offer(rollouts: Rollouts):
    pile = rollouts.pile("PILE-1")
    pile.come(fetches_manifest=False)
    rollouts.start()
    rollouts.step()
    (offer,) = pile.updates()
    assert (offer["manifest"], offer["signature"]) == (made.manifest(12), made.SIGNATURE)
    assert "manifest_sha256" not in offer


def test_reports_that_come_twice_or_late_change_nothing(rollouts: Rollouts):
    pile = rollouts.pile("PILE-1")
    rollouts.start()
    rollouts.step()
    for _ in range(2):
        pile.update()
    for late in ("Downloading", "Verifying", "Trial", "FellBack"):
        pile.say_update(late)
    pile.say_update("Confirmed", release=13)  # which nobody has offered
    assert rollouts.states() == {"PILE-1": "Confirmed"}


def test_each_wave_begins_when_the_one_before_is_through(rollouts: Rollouts):
    piles = rollouts.piles(6)
    rollouts.start(waves=["1", "2"])
    for number, wave in enumerate((piles[:1], piles[1:3], piles[3:]), 1):
        rollouts.step(times=2)
        assert [each for each in piles if each.updates()] == piles[: piles.index(wave[-1]) + 1]
        assert rollouts.view()["wave"] == number
        for pile in wave:
            pile.update()
    rollouts.step()
    assert rollouts.view()["state"] == "Finished"


def test_a_wave_that_loses_too_many_piles_halts_and_says_so(rollouts: Rollouts):
    piles = rollouts.piles(6)
    rollouts.start(waves=["4"], lost_max=2)
    rollouts.step()
    piles[0].say_update("Refused", reason="BadSignature")
    rollouts.step()
    assert rollouts.view()["state"] == "Running"
    piles[1].say_update("Trial")
    piles[1].say_update("FellBack", reason="Crashed")
    piles[2].say_update("Downloading")
    piles[3].say_update("Trial")
    rollouts.step(times=2)
    view = rollouts.view()
    assert (view["state"], view["halted_why"]) == ("Halted", "lost piles in wave 1: 2")
    assert rollouts.audit() == ["RolloutStarted", "RolloutHalted"]
    # What downloads is stopped; what is on trial has its outcome; nothing is offered.
    assert piles[2].updates()[-1]["kind"] == "cancel"
    piles[3].say_update("Confirmed")
    rollouts.step(times=2)
    assert rollouts.states() == {
        "PILE-1": "Refused",
        "PILE-2": "FellBack",
        "PILE-3": "Queued",
        "PILE-4": "Confirmed",
        "PILE-5": "Queued",
        "PILE-6": "Queued",
    }
    rollouts.do("resume")
    rollouts.step()
    assert rollouts.view()["state"] == "Running"  # those it had lost count no more
    assert piles[2].updates()[-1]["kind"] == "update"
    piles[2].update()
    rollouts.step(times=2)
    piles[4].update()
    piles[5].update()
    rollouts.step()
    assert rollouts.view()["state"] == "Finished"


def test_a_pile_with_an_order_or_an_unsent_settlement_is_offered_nothing(rollouts: Rollouts, phone: Phone):
    pile = rollouts.pile("PILE-1")
    rate = {"currency": "CNY", "time_zone": "UTC", "session_fee_minor": 0, "periods": [
        {"start": "00:00", "label": "flat", "electricity_price": 1, "service_price": 1}
    ]}  # fmt: skip
    rollouts.operator("PUT", "/api/piles/PILE-1/rate", rate)
    pile.online()
    phone.order()
    pile.come()
    rollouts.start()
    rollouts.step()
    assert pile.updates() == []  # the cloud holds an order
    pile.order_status(phone.order_id, "Accepted")
    pile.settle(phone.message(pile))
    pile.report(outbox=1)
    rollouts.step()
    assert pile.updates() == []
    pile.report(order_id="another")
    rollouts.step()
    assert pile.updates() == []
    pile.report()
    rollouts.step()
    assert len(pile.updates()) == 1


@pytest.mark.parametrize(
    "reason, firmware",
    [
        ("WrongBoard", {"board": "esp32-devkitc"}),
        ("WrongMpy", {"mpy": (6, 2)}),
        ("RunsIt", {"release": 12}),
        ("RunsNewer", {"release": 13}),
    ],
)
@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_a_pile_that_the_release_is_not_for_is_left_out(
    rollouts: Rollouts, reason: str, firmware: dict[str, Any]
):
    pile = rollouts.pile("PILE-1", **firmware)
    body = {"release": 12, "selection": "all"}
    assert reason in rollouts.refused(**body)["detail"]
    rollouts.pile("PILE-2")
    plan = rollouts.operator("POST", "/api/rollout-preview", body).json()
    assert (plan["piles"], plan["waves"], plan["left_out"]) == (1, [1], {reason: 1})
    rollouts.start()
    rollouts.step(times=2)
    assert pile.updates() == []
    assert rollouts.states() == {"PILE-1": "LeftOut", "PILE-2": "Offered"}


def test_a_pile_whose_hello_tells_no_release_is_never_offered_anything(rollouts: Rollouts):
    pile = rollouts.pile("PILE-1")
    rollouts.start()
    pile.hello()  # it was given older firmware by cable meanwhile
    pile.report()
    rollouts.step()
    assert pile.updates() == []
    assert rollouts.operator("GET", "/api/firmware").json()["items"][0]["release"] is None
    assert "TellsNoRelease" in rollouts.refused(config={"ntp": "pool.ntp.org"}, selection="all")["detail"]


@pytest.mark.parametrize("state", ["Queued", "Offered", "Trial"])
def test_a_pile_that_is_removed_holds_up_no_rollout_and_is_not_lost(rollouts: Rollouts, state: str):
    gone, other = rollouts.piles(2)
    if state == "Queued":
        gone.report(outbox=1)  # it cannot take an offer at the moment
    rollouts.start(waves=["1"])
    rollouts.step()
    if state == "Trial":
        gone.say_update("Trial")
    assert rollouts.states()[gone.device_id] == state
    assert rollouts.operator("DELETE", "/api/piles/PILE-1?force=true").status_code == 200
    rollouts.step(times=2)
    assert rollouts.states() == {"PILE-1": "Cancelled", "PILE-2": "Offered"}
    other.update()
    rollouts.step(after_s=HOUR_S * 3)
    assert rollouts.view()["state"] == "Finished"


@pytest.mark.parametrize(("release", "reason"), [(12, "RunsIt"), (13, "RunsNewer")])
def test_a_pile_that_got_the_release_by_cable_holds_up_no_rollout(
    rollouts: Rollouts, release: int, reason: str
):
    cabled, other = rollouts.piles(2)
    cabled.report(outbox=1)
    rollouts.start(waves=["1"])
    rollouts.step()
    cabled.come(release=release, on_trial=True)  # what is on trial may fall back
    rollouts.step(times=2)
    assert rollouts.states() == {"PILE-1": "Queued", "PILE-2": "Queued"}
    cabled.come(release=release, on_trial=False)
    rollouts.step(times=2)
    assert rollouts.states() == {"PILE-1": "LeftOut", "PILE-2": "Offered"}
    [first, _] = rollouts.operator("GET", "/api/rollouts/1/piles").json()["items"]
    assert (first["reason"], cabled.updates()) == (reason, [])
    other.update()
    rollouts.step()
    assert rollouts.view()["state"] == "Finished"


def test_a_pile_that_went_back_gets_that_release_again_only_if_a_person_says_so(rollouts: Rollouts):
    pile = rollouts.pile("PILE-1")
    rollouts.start()
    rollouts.step()
    pile.say_update("Trial")
    pile.come(fell_back=[12, "Crashed"])  # the report itself was lost
    rollouts.step(times=2)
    assert (rollouts.states(), rollouts.view()["state"]) == ({"PILE-1": "FellBack"}, "Finished")
    assert "FellBackBefore" in rollouts.refused(release=12, selection="all")["detail"]
    rollouts.start(again=True)
    rollouts.step()
    assert pile.updates()[-1]["again"] is True
    pile.come()  # it still tells of the first attempt
    pile.say_update("Downloading")
    pile.come()
    assert rollouts.states(2) == {"PILE-1": "Downloading"}


def test_piles_that_are_offline_come_last_and_are_awaited_until_the_deadline(rollouts: Rollouts):
    away = rollouts.pile("PILE-1", online=False)
    later = rollouts.pile("PILE-2", online=False)
    here = rollouts.pile("PILE-3")
    view = rollouts.start(waves=["1"], deadline_s=2 * HOUR_S)
    assert view["waves"] == [{"Queued": 1}, {"Queued": 2}]
    rollouts.step()
    here.update()
    rollouts.step(times=2)
    assert rollouts.view()["wave"] == 2
    assert away.updates() == later.updates() == []
    later.come()
    rollouts.step(HOUR_S // 2)
    later.update()
    rollouts.step(3 * HOUR_S)
    assert rollouts.states() == {"PILE-1": "Missed", "PILE-2": "Confirmed", "PILE-3": "Confirmed"}
    assert rollouts.view()["state"] == "Finished"
    away.come()
    rollouts.step(3 * HOUR_S)
    assert away.updates() == []


def test_a_pile_that_is_away_does_not_hold_up_its_wave(rollouts: Rollouts):
    piles = rollouts.piles(4)
    rollouts.start(waves=["2"])
    piles[0].offline()
    rollouts.step(times=3)
    assert [len(each.updates()) for each in piles] == [0, 1, 0, 0]  # half of a wave must have come through
    piles[1].update()
    rollouts.step(times=2)
    assert [len(each.updates()) for each in piles] == [0, 1, 1, 1]
    piles[0].come()
    rollouts.step()
    assert len(piles[0].updates()) == 1


def test_an_offer_without_an_answer_is_made_again_and_then_counts_as_lost(rollouts: Rollouts):
    pile = rollouts.pile("PILE-1")
    rollouts.start()
    rollouts.step()
    for attempt in range(1, 6):
        assert len(pile.updates()) == attempt
        rollouts.step(100 * attempt, times=2)
    assert rollouts.states() == {"PILE-1": "Lost"}
    pile.say_update("Trial")  # after all
    pile.say_update("Confirmed")
    assert rollouts.states() == {"PILE-1": "Confirmed"}


@pytest.mark.parametrize("state", states.AT_IT)
def test_a_pile_that_greets_and_is_not_at_it_any_more_is_offered_it_again(rollouts: Rollouts, state: str):
    """Its flash was erased, say: it stayed in that state until it counted as lost, or until the deadline."""
    pile = rollouts.pile("PILE-1")
    rollouts.start()
    rollouts.step()
    pile.say_update(state)
    pile.come()
    rollouts.step()
    assert len(pile.updates()) == 1  # it may go on by itself
    rollouts.step(100, times=2)
    assert len(pile.updates()) == 2
    pile.update()
    rollouts.step()
    assert rollouts.view()["state"] == "Finished"


def test_a_pile_that_greets_and_goes_on_is_not_offered_it_again(rollouts: Rollouts):
    pile = rollouts.pile("PILE-1")
    rollouts.start()
    rollouts.step()
    for _ in range(10):  # more often than offers are made
        pile.say_update("Downloading", done_bytes=768, total_bytes=4000)
        pile.come()
    pile.say_update("Downloading", done_bytes=1536, total_bytes=4000)
    rollouts.step(100, times=2)
    assert (len(pile.updates()), rollouts.states()) == (1, {"PILE-1": "Downloading"})


def test_a_release_that_crashes_before_it_is_heard_of_is_told_by_the_next_start(rollouts: Rollouts):
    pile = rollouts.pile("PILE-1")
    rollouts.start()
    rollouts.step()
    pile.say_update("Verifying")
    pile.come(fell_back=[12, "NotConfirmed"])
    pile.say_update("FellBack", reason="NotConfirmed")
    assert rollouts.states() == {"PILE-1": "FellBack"}


def test_a_pile_that_falls_silent_during_an_update_counts_as_lost(rollouts: Rollouts):
    piles = rollouts.piles(2)
    rollouts.start(waves=[])
    rollouts.step()
    piles[0].say_update("Trial")
    piles[1].say_update("Waiting", reason="OrderRuns")  # may take as long as an order
    rollouts.step(HOUR_S)
    assert rollouts.states() == {"PILE-1": "Trial", "PILE-2": "Waiting"}
    rollouts.step(3 * HOUR_S, times=2)
    assert rollouts.states() == {"PILE-1": "Lost", "PILE-2": "Queued"}
    assert rollouts.view()["halted_why"] == "lost piles in wave 1: 1"


def test_pause_and_cancel_end_downloads_and_leave_trials(rollouts: Rollouts):
    piles = rollouts.piles(3)
    rollouts.start(waves=[])
    rollouts.step()
    piles[0].say_update("Downloading")
    piles[1].say_update("Trial")
    assert rollouts.do("pause").json()["state"] == "Paused"
    rollouts.step(times=2)
    assert rollouts.states() == {"PILE-1": "Queued", "PILE-2": "Trial", "PILE-3": "Queued"}
    assert [each.updates()[-1]["kind"] for each in piles] == ["cancel", "update", "cancel"]
    assert rollouts.do("resume").json()["state"] == "Running"
    rollouts.step()
    assert [each.updates()[-1]["kind"] for each in piles] == ["update"] * 3
    rollouts.do("cancel")
    rollouts.step(times=2)
    assert rollouts.states() == {"PILE-1": "Cancelled", "PILE-2": "Trial", "PILE-3": "Cancelled"}
    assert rollouts.view()["ended_at"] is None
    piles[1].say_update("Confirmed")
    rollouts.step()
    assert (rollouts.view()["state"], rollouts.view()["ended_at"] is None) == ("Cancelled", False)
    assert rollouts.do("resume").json()["code"] == "RolloutEnded"
    assert rollouts.do("pause", 7).json()["code"] == "UnknownRollout"
    assert rollouts.audit() == ["RolloutStarted", "RolloutPaused", "RolloutResumed", "RolloutCancelled"]


def test_a_cancelled_offer_is_not_sent_after_the_next_one(rollouts: Rollouts):
    """A pile that greets gets what waits for it: the newest word alone."""
    pile = rollouts.pile("PILE-1")
    rollouts.start()
    for what in ("step", "pause", "step", "resume", "step"):
        rollouts.step() if what == "step" else rollouts.do(what)
    before = len(pile.updates())
    pile.come()
    assert [each["kind"] for each in pile.updates()[before:]] == ["update"]


def test_one_pile_at_a_time_downloads(rollouts: Rollouts):
    rollouts.cloud.settings.updates_at_once = 1
    piles = rollouts.piles(3)
    rollouts.start(waves=[], selection="pile:PILE-1")
    rollouts.start(waves=[], selection="pile:PILE-2")
    rollouts.start(waves=[], selection="pile:PILE-3")
    rollouts.step(times=2)
    assert [len(each.updates()) for each in piles] == [1, 0, 0]
    piles[0].say_update("Waiting", reason="OrderRuns")
    rollouts.step(times=2)
    assert [len(each.updates()) for each in piles] == [1, 1, 0]
    piles[1].say_update("Downloading")
    rollouts.step(times=2)
    piles[1].say_update("Trial")
    rollouts.step(times=2)
    assert [len(each.updates()) for each in piles] == [1, 1, 1]


def test_a_pile_is_in_one_rollout_at_a_time(rollouts: Rollouts):
    rollouts.piles(2)
    rollouts.start(selection="pile:PILE-1")
    plan = rollouts.operator("POST", "/api/rollout-preview", {"release": 12, "selection": "all"}).json()
    assert (plan["piles"], plan["left_out"]) == (1, {"InRollout": 1})
    assert rollouts.operator("DELETE", "/api/releases/12").json()["code"] == "ReleaseInUse"


def test_a_rollout_goes_on_after_a_restart_of_the_cloud(rollouts: Rollouts, cloud: Cloud, link: FakeLink):
    piles = rollouts.piles(2)
    rollouts.start(waves=["1"])
    rollouts.step()
    piles[0].say_update("Downloading")
    second = Cloud(cloud.settings, link)  # type: ignore[arg-type]
    second.start()
    try:
        piles[0].update()
        second.jobs.run_once(int(time.time()))
        assert len(piles[1].updates()) == 1
    finally:
        second.stop()


# -- configuration


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
