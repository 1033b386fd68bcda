"""The twenty traps that caught others, each as the story of how it would go here.

 1 a start reading of 0 as a placeholder        11 a link stuck "connecting", or half-open and shown as up
 2 lifetime and session registers mixed         12 reconnect storms
 3 a repeated stop counted twice                13 unacknowledged messages piling up until memory ends
 4 two persisted queues that both resend        14 timestamps of 1970, two clock sources fighting
 5 a stop accepted for any transaction          15 a file system corrupt after a blackout
 6 an error to an unknown id, repeated for ever 16 an energy total lost, or higher, after a cut
 7 a stop whose start was lost is an orphan     17 free heap looked fine while its minimum did not
 8 a cut leaves the session open, or reads 0    18 pulses lost or invented
 9 a stale transaction blocks the next start    19 the last reading before the contactor opened; a weld
10 a limit enforced by the cloud fails offline  20 two price engines, an hour's edge, energy carried over

All twenty can apply here. Of 12 and 15 the whole story is elsewhere: test_network.py loses two hundred
connections at once, tests/powercut cuts the power at every flash operation. Of 18, what a counter in silicon
does is seen on hardware only; the arithmetic behind it is here, the drivers are in tests/drivers.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi.testclient import TestClient

from cloud_stub.app import create_app
from cloud_stub.base.clock import now_s
from cloud_stub.cloud import Cloud
from cloud_stub.intake.handlers import HELLO_LAG_S
from cloud_stub.settings import Settings
from drivers.sim import hardware
from drivers.sim.plant import Plant
from net import mqtt
from pile.mailbox import ORDER_STATUSES_MAX
from pile_protocol import messages, pricing, topics, wire
from tests.cloud.conftest import FAST_POWER_W, Phone
from tests.cloud.fakes import FLAT_RATE, FakeLink, FakePile
from tests.portable.kit import AT, DEVICE_ID, REGISTER_MWH, Pile, rate
from tools.harness.proxy import Proxy

OPERATOR = {"Authorization": "Bearer an-operators-token"}


class Office:
    """The cloud in this process, with one pile online that says what a test wants."""

    def __init__(self, client: TestClient, cloud: Cloud, link: FakeLink):
        self.client = client
        self.cloud = cloud
        self.link = link
        self.phone = Phone(client, link)
        made = client.post("/api/piles", json={"device_id": "PILE-1", "connectors": 2}, headers=OPERATOR)
        self.pile = FakePile(
            "PILE-1",
            bytes.fromhex(made.json()["key"]),
            lambda name, data: link.deliver(f"pile/v1/PILE-1/{name}", data),
        )
        assert client.put("/api/piles/PILE-1/rate", json=FLAT_RATE, headers=OPERATOR).status_code == 201
        self.pile.online()

    def settlements(self) -> list[dict[str, Any]]:
        return self.client.get("/api/settlements", headers=OPERATOR).json()["items"]


@pytest.fixture
def office(tmp_path: Path, migrated: Path) -> Iterator[Office]:
    shutil.copy(migrated, tmp_path / "cloud.db")
    link = FakeLink()
    settings = Settings(
        data=tmp_path,
        operator_token=OPERATOR["Authorization"][7:],
        duty_period_s=60,
        connector_power_w=FAST_POWER_W,
    )
    cloud = Cloud(settings, link)  # type: ignore[arg-type]
    with TestClient(create_app(cloud)) as client:
        yield Office(client, cloud, link)


def only(settlements: list[dict[str, Any]]) -> dict[str, Any]:
    assert len(settlements) == 1, settlements
    return settlements[0]


def test_trap_01_no_valid_reading_no_start_and_never_a_placeholder():
    pile = Pile()
    pile.silence_meter()
    pile.order("blind")
    pile.cycle()
    assert pile.said() == [("blind", "Rejected", "NoMeter")] and not pile.relays[1]
    pile.meters[1].silent = False
    pile.cycle()
    pile.charge("seeing")
    pile.stop("seeing")
    settlement = only(pile.settlements())
    assert settlement["start_register_mwh"] == REGISTER_MWH, "the meter's own reading, not 0"
    assert settlement["energy_mwh"] == 20 * 200


def test_trap_02_a_register_that_falls_back_never_makes_negative_energy():
    pile = Pile()
    pile.charge(cycles=10)
    pile.set_register(3)  # as if a session's counter had been read for the lifetime's
    pile.cycle(10)
    pile.stop()
    settlement = only(pile.settlements())
    assert (
        settlement["energy_mwh"]
        == settlement["end_register_mwh"] - settlement["start_register_mwh"]
        == 10 * 200
    )
    messages.validate(wire.SETTLEMENT, settlement)


def test_trap_03_a_stop_said_twice_counts_once_and_a_settlement_with_other_values_changes_nothing(office):
    pile = Pile()
    pile.charge()
    for _ in range(3):
        pile.command("stop", order_id="o1")
        pile.cycle(10)
    assert len(pile.settlements()) == 1
    office.phone.order()
    order = office.phone.message(office.pile)
    first = office.pile.settle(order, 2_500_000)
    total_minor = office.phone.get()["total_minor"]
    office.link.deliver(f"pile/v1/PILE-1/{topics.SETTLEMENT}", first)
    office.pile.settle(order, 9_000_000)  # the same order, other values, a new number
    assert office.phone.get()["total_minor"] == total_minor
    assert [s["flags"] for s in office.settlements()] == [["AlreadySettled"], []]


def test_trap_04_one_queue_resends_after_a_boot():
    pile = Pile()
    pile.charge()
    pile.stop()
    pile.boot(AT + 60)
    pile.cycle(20)
    assert pile.said() == [], "an old status of the order came back beside its settlement"
    outbox = pile.controller.outbox
    assert outbox.depth == 1 and pile.controller.hello("0" * 16)["orders"] == []
    pile.acknowledge(only(pile.settlements()))
    pile.boot(AT + 120)
    assert pile.controller.outbox.depth == 0 and pile.controller.outbox.head() is None


def test_trap_05_a_stop_ends_the_order_that_it_names():
    pile = Pile(connectors=2)
    pile.charge("one", cycles=3)
    pile.charge("two", cycles=3, connector=2)
    for stranger in ("three", "on", "ONE"):
        pile.command("stop", order_id=stranger)
        pile.cycle(2)
    assert pile.relays == {1: True, 2: True}
    pile.command("stop", order_id="two")
    pile.cycle(2)
    assert pile.relays == {1: True, 2: False}


def test_trap_06_a_settlement_of_an_unknown_order_is_parked_and_acknowledged(office):
    office.phone.order()
    order = office.phone.message(office.pile)
    office.pile.settle(order | {"order_id": "nobody-knows"})
    acks = [json.loads(data) for data in office.link.sent("PILE-1", topics.SETTLEMENT_ACK)]
    assert [ack["status"] for ack in acks] == ["Stored"], "without it the pile would send it for ever"
    assert only(office.settlements())["flags"] == ["UnknownOrder"]


def test_trap_07_a_settlement_whose_every_earlier_word_was_lost_settles_its_order(office):
    office.phone.order()
    office.pile.settle(office.phone.message(office.pile))
    view = office.phone.get()
    assert view["state"] == "Settled" and not view["settlement"]["flagged"]


def test_trap_08_after_a_cut_the_order_ends_at_the_last_reading_though_the_meter_is_not_ready():
    pile = Pile()
    pile.charge(cycles=30)
    pile.boot()
    pile.silence_meter()  # not ready, and no clock either
    pile.cycle(130, 1_000)
    settlement = only(pile.settlements())
    assert settlement["recovered"] and settlement["stop_reason"] == "PowerLoss"
    assert 0 < settlement["energy_mwh"] <= 30 * 200
    assert settlement["end_register_mwh"] > REGISTER_MWH, "a reading of 0 ended it"


def test_trap_09_an_order_that_a_cut_ended_keeps_nobody_out(office, monkeypatch):
    pile = Pile()
    pile.charge("cut-off")
    pile.plugged[1] = False
    pile.boot(AT + 30)
    pile.plugged[1] = False
    pile.cycle(5)
    pile.plugged[1] = True
    pile.charge("next", issued_at=AT + 30, expires_at=AT + 90)
    assert pile.relays[1]
    office.phone.order()
    office.pile.order_status(office.phone.order_id, "Accepted")
    later = now_s() + HELLO_LAG_S + 1
    monkeypatch.setattr("cloud_stub.intake.receiver.now_s", lambda: later)
    office.pile.hello(orders=[], outbox=0)  # it has lost the order, and nothing waits
    office.pile.online()
    assert office.client.get("/api/piles/PILE-1").json()["connectors"][0]["busy"] is False


def test_trap_10_each_limit_is_reached_by_the_pile_alone():
    for limits, reason in (
        ({"energy_mwh": 5_000}, "EnergyLimitReached"),
        ({"cost_minor": 2}, "CostLimitReached"),
        ({"duration_s": 7}, "TimeLimitReached"),
    ):
        pile = Pile()
        pile.order(limits={"duration_s": 3_600, **limits})
        pile.cycle(200)  # not one message after the order
        settlement = only(pile.settlements())
        assert settlement["stop_reason"] == reason and not pile.relays[1]
        assert settlement["total_minor"] <= limits.get("cost_minor", 10**9)


@pytest.mark.system
def test_trap_11_a_half_open_link_is_seen_as_offline_and_comes_back_by_itself(system, pile):
    with Proxy(system.broker.port) as proxy:
        p = pile(mqtt_url=proxy.url, extra=("--keepalive-s", "1", "--backoff-max-ms", "500"))
        connections = proxy.connections
        proxy.stall()  # no FIN, no RST: both sides must find out
        p.wait_until(lambda view: not view["online"])
        proxy.mend()
        p.wait_until(lambda view: view["online"])
        assert proxy.connections > connections


def test_trap_12_no_two_piles_come_back_at_the_same_moment():
    waits = [mqtt._random_below(10_000) for _ in range(200)]
    assert len(set(waits)) > 150 and max(waits) - min(waits) > 8_000
    options = mqtt.Options("a", "a", "b", ("t", "p"))
    assert options.backoff_max_ms >= 30_000 and options.steady_ms > 0


def test_trap_13_what_waits_for_the_network_is_bounded():
    pile = Pile()
    waiting = pile.controller.mailbox
    for n in range(300):
        at = pile.clock.at() or AT
        pile.charge(f"o{n}", cycles=2, issued_at=at, expires_at=at + 60)
        pile.stop(f"o{n}")
    assert len(waiting._order_statuses) == ORDER_STATUSES_MAX and len(waiting._newest) <= 1
    assert pile.controller.outbox.depth == 300, "the settlements are in flash, all of them"
    assert mqtt.SEND_QUEUE_MAX <= 64


def test_trap_14_no_clock_no_order_and_the_clouds_clock_is_the_one_that_counts():
    pile = Pile()
    pile.boot()  # a cut: the clock is gone
    pile.order("early")
    assert pile.said() == [("early", "Rejected", "NoClock")]
    pile.clock.tell(AT + 9_000, "Calendar")
    pile.clock.tell(AT, "Cloud")
    pile.clock.tell(AT + 9_000, "Calendar")
    pile.charge("now")
    pile.stop("now")
    settlement = only(pile.settlements())
    assert AT <= settlement["started_at"] <= settlement["ended_at"] <= AT + 10


def test_trap_15_a_pile_boots_and_says_so_whatever_a_blackout_left_of_its_files():
    for junk in (b"", b"\x00" * 64, b"\xff" * 4_096, b"{", b"not ours\n"):
        pile = Pile()
        pile.charge()
        for name in pile.store.names():
            pile.store.files[name] = junk
        pile.boot(AT + 10)
        pile.cycle(10)
        assert not pile.relays[1]
        status = pile.controller.status({})
        messages.validate(wire.STATUS, status)
        assert status["damaged"] or not junk


def test_trap_16_a_cut_neither_loses_the_total_nor_raises_it():
    pile = Pile()
    pile.charge(cycles=47)
    delivered_mwh = pile.delivered_mwh()
    before_mwh = pile.kept_register_mwh()
    pile.boot(AT + 90_000, ready=False)  # beyond its window: settled where it stands
    assert pile.kept_register_mwh() == before_mwh
    pile.cycle(5)
    billed_mwh = only(pile.settlements())["energy_mwh"]
    assert delivered_mwh - 10 * 200 <= billed_mwh <= delivered_mwh
    pile.boot(AT + 90_100)
    assert pile.kept_register_mwh() >= REGISTER_MWH + billed_mwh


def test_trap_17_the_least_free_heap_is_told_beside_the_present_one(office):
    status = Pile().controller.status({"heap_free_bytes": 60_000, "heap_min_free_bytes": 1_600})
    assert (status["heap_free_bytes"], status["heap_min_free_bytes"]) == (60_000, 1_600)
    office.pile._say(topics.STATUS, status)
    shown = office.client.get("/api/piles/PILE-1/report", headers=OPERATOR).json()
    assert "1600" in json.dumps(shown), "an operator cannot see it"


def test_trap_18_rounding_of_pulses_never_adds_up(monkeypatch):
    class Still:
        def catch_up(self):
            return 0

    ticks = SimpleNamespace(ticks_ms=lambda: 0, ticks_diff=lambda end, start: end - start)
    monkeypatch.setattr(hardware, "time", ticks)
    for imp_per_kwh in (800, 1_000, 1_600, 3_200, 6_400, 7):
        plant = Plant(7_000, 1, 60_000)
        meter = hardware.SimMeter(Still(), plant, imp_per_kwh)
        before = total = 0
        for pulses in range(1, 5 * imp_per_kwh + 1):
            plant.recall(-(-pulses * 1_000_000 // imp_per_kwh))
            assert meter.poll()
            now = meter.register_mwh
            total += now - before
            before = now
        assert total == before == 5_000_000, imp_per_kwh


def test_trap_19_what_flows_until_the_contact_opens_is_read_and_a_weld_is_told():
    pile = Pile()
    pile.charge(cycles=10)
    pile.command("stop", order_id="o1")
    pile.welded.add(1)  # it lets go late
    pile.cycle(5)
    pile.welded.discard(1)
    pile.cycle(10)
    settlement = only(pile.settlements())
    assert settlement["energy_mwh"] == pile.delivered_mwh(), "the last reading came too early"
    assert pile.connector().fault is None
    pile.charge("o2")
    pile.welded.add(1)
    pile.stop("o2")
    pile.cycle(30)
    assert pile.connector().fault == "PowerSwitchFailure"


def test_trap_20_one_price_engine_each_second_its_own_price_and_each_order_its_own_energy():
    edge = AT + 5
    steps = [[AT - 60, 1_000_000, 0, "flat"], [edge, 3_000_000, 0, "peak"]]
    locked = rate(steps=steps, until_at=AT + 10_000)
    assert [pricing.step_index(steps, at) for at in (edge - 1, edge, edge + 1)] == [0, 1, 1]
    pile = Pile()
    pile.power_mw[1] = 7_200_000_000
    pile.charge("o1", cycles=100, rate=locked)
    pile.stop("o1")
    pile.charge("o2", cycles=10, rate=locked)
    pile.stop("o2")
    first, second = pile.settlements()
    for settlement in (first, second):
        energies = [([step[0] for step in steps].index(row[0]), row[4]) for row in settlement["periods"]]
        total_minor, fee_minor, periods = pricing.bill(locked, energies)  # the cloud's call, of the same file
        assert (settlement["total_minor"], settlement["session_fee_minor"]) == (total_minor, fee_minor)
        assert settlement["periods"] == periods
    assert [row[3] for row in first["periods"]] == ["flat", "peak"]
    assert second["start_register_mwh"] == first["end_register_mwh"], (
        "nothing of the last order is carried over"
    )
    assert first["device_id"] == DEVICE_ID and second["energy_mwh"] < first["energy_mwh"]
