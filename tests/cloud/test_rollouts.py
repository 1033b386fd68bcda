"""Rollouts: waves, halts, pauses, and which piles are left out."""

import base64
import time
from typing import Any

import pytest

from cloud_stub.cloud import Cloud
from tests.cloud import releases as made
from tests.cloud.conftest import Phone
from tests.cloud.fakes import FakeLink
from tests.cloud.releases import Rollouts

HOUR_S = 3600


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
