"""A hostile network, between pile and broker and between cloud and broker. The long form: make netstorm."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.sim import SimPile
from tools.harness import netstorm
from tools.harness.phone import Phone
from tools.harness.proxy import Proxy, publish_topic, whole_packets
from tools.harness.system import System
from tools.harness.tap import Tap

pytestmark = [pytest.mark.system, pytest.mark.timeout(400)]

QUICK = ("--backoff-max-ms", "500", "--keepalive-s", "2")
PERIOD_MS = 100


@pytest.mark.long
def test_no_limit_is_missed_and_no_cycle_is_late_because_of_the_network(tmp_path):
    """Every trouble at once, each on a pile of its own; then two hundred connections lost and found again."""
    seed = random.randrange(10**6)
    random.seed(seed)
    said: list[str] = []
    with System(tmp_path / "storm") as system:
        tap = Tap(system.broker)
        try:
            results = netstorm.single_troubles(system, tap, list(netstorm.TROUBLES))
            results += netstorm.storm(system, tap, 200, said.append)
            said += netstorm.report(results)
            missed = [one for one in results if one.missed()]
            assert not missed, "\n".join([f"seed {seed}", *said])
            for late in late_ones(results):
                # A busy machine stops a process now and then; the network would do it again.
                again = netstorm.single_troubles(
                    system, tap, ["none", late] if late in netstorm.TROUBLES else []
                )
                assert not late_ones(again), "\n".join([f"seed {seed}", *said, *netstorm.report(again)])
        finally:
            tap.close()
    print("\n".join(said))


def late_ones(results: list[netstorm.Result]) -> list[str]:
    """Troubles with a cycle that was later, by more than a period, than any of the piles without trouble."""
    calm_ms = max((one.loop_late_ms for one in results if one.trouble in netstorm.CALM), default=0)
    return [one.trouble for one in results if one.loop_late_ms > calm_ms + PERIOD_MS]


# -- between the cloud and its broker ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[System, Proxy]]:
    """A system whose cloud reaches the broker through a proxy."""
    with System(tmp_path_factory.mktemp("split system")) as system, Proxy(system.broker.port) as proxy:
        system.stop_cloud()
        system._env["RATELOCK_MQTT_PORT"] = str(proxy.port)
        system.start_cloud()
        yield system, proxy


def settles(order: Any, energy_mwh: int) -> dict[str, Any]:
    """The order once it is settled: at its limit, once, and with nothing to hold against it."""
    view = order.wait_for_state("Settled", timeout_s=60)
    assert view["reason"] == "EnergyLimitReached"
    assert view["settlement"]["energy_mwh"] >= energy_mwh
    assert not view["settlement"]["flagged"], view["settlement"]["flags"]
    return view


CLOUD_TROUBLES: dict[str, Callable[[Proxy], None]] = {
    "latency": netstorm._slow,
    "gprs": netstorm._gprs,
    "half-open": lambda proxy: proxy.stall(),
    "nothing up": lambda proxy: proxy.stall("up"),
    "nothing down": lambda proxy: proxy.stall("down"),
    "cut": lambda proxy: proxy.cut(),
    "inside a packet": lambda proxy: proxy.cut_after(7),
}


@pytest.mark.parametrize("trouble", CLOUD_TROUBLES)
def test_trouble_between_cloud_and_broker_neither_stops_an_order_nor_loses_its_settlement(
    split, sim_pile, trouble
):
    system, proxy = split
    pile = sim_pile(system, speed=600, extra=QUICK)
    order = Phone(system.base_url).order(pile.device_id, limits={"energy_mwh": 2_000_000})
    pile.wait_for(lambda line: line["event"] == "relay closed")
    CLOUD_TROUBLES[trouble](proxy)
    try:
        pile.wait_for(lambda line: line["event"] == "relay opened")
    finally:
        proxy.latency_s = 0
        proxy.bytes_per_s = 0
        proxy.drop()  # what the cloud would find out by its keepalive
        proxy.mend()
    settles(order, 2_000_000)


def test_messages_out_of_order_lead_nothing_back(split, sim_pile):
    """Whatever the broker has for the cloud arrives in pairs, the later one first."""
    system, proxy = split
    held: list[bytes] = []

    def swapped(direction: str, packet: bytes) -> list[bytes]:
        if direction == "up" or publish_topic(packet) is None:
            return [packet]
        held.append(packet)
        if len(held) < 2:
            return []
        first, second = held
        held.clear()
        return [second, first]

    pile = sim_pile(system, speed=600, extra=QUICK)
    order = Phone(system.base_url).order(pile.device_id, limits={"energy_mwh": 4_000_000})
    proxy.rewrite = swapped
    try:
        settles(order, 4_000_000)
    finally:
        proxy.rewrite = None
        proxy.drop()


# -- between the pile and its broker -------------------------------------------------------------------------


@pytest.fixture
def bad_line(system: System) -> Iterator[Proxy]:
    with Proxy(system.broker.port) as proxy:
        yield proxy


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.01)


def is_topic(packet: bytes, name: str) -> bool:
    topic = publish_topic(packet)
    return topic is not None and topic.endswith("/" + name)


def test_every_qos_1_message_twice_with_the_dup_flag_changes_nothing(pile, phone, bad_line):
    """What MQTT allows both sides to do after a reconnect, done to everything in both directions."""

    def doubled(_direction: str, packet: bytes) -> list[bytes]:
        if publish_topic(packet) is None or not packet[0] & 0x02:
            return [packet]
        return [packet, bytes([packet[0] | 0x08]) + packet[1:]]

    bad_line.rewrite = doubled
    p = pile(speed=600, mqtt_url=bad_line.url, extra=QUICK)
    first = settles(phone.order(p.device_id, limits={"energy_mwh": 1_000_000}), 1_000_000)
    p.wait_until(lambda view: not view["connectors"][0]["busy"])
    second = settles(phone.order(p.device_id, limits={"energy_mwh": 1_000_000}), 1_000_000)
    assert second["settlement"]["seq"] == first["settlement"]["seq"] + 1
    assert p.count(lambda line: line["event"] == "relay closed") == 2


@pytest.mark.long
def test_a_settlement_whose_acknowledgement_is_lost_ten_times_is_stored_once(
    pile, phone, bad_line, tap, system
):
    lost = []
    sent = []

    def without_acks(direction: str, packet: bytes) -> list[bytes]:
        if direction == "up" and is_topic(packet, "settlement"):
            sent.append(packet)
        if direction == "down" and is_topic(packet, "settlement/ack") and len(lost) < 10:
            lost.append(packet)
            return []
        return [packet]

    def latest() -> dict[str, Any]:
        online = [m.json() for m in tap.of(p.device_id, "status") if m.json()["online"]]
        return online[-1]

    bad_line.rewrite = without_acks
    p = pile(speed=600, mqtt_url=bad_line.url, extra=QUICK)
    order = phone.order(p.device_id, limits={"energy_mwh": 1_000_000})
    view = settles(order, 1_000_000)
    for count in range(1, 11):
        wait_until(lambda count=count: len(lost) >= count)
        bad_line.drop()  # a pile sends again at once on a new connection, else only after a while
    wait_until(lambda: netstorm.is_after(latest(), view["settlement"]["ended_at"]))
    assert len(lost) == 10 and len(sent) >= 11
    stored = system.operator.get(f"/api/settlements?device_id={p.device_id}").json()["items"]
    assert [s["seq"] for s in stored] == [view["settlement"]["seq"]]
    assert order.view()["total_minor"] == view["total_minor"]


@pytest.mark.parametrize("persistence", ["with its persistence", "without its persistence"])
def test_a_broker_restarted_in_the_middle_of_an_order(own_system, sim_pile, persistence):
    """Killed while the pile charges, and started again with what it had saved, or with nothing at all."""
    pile: SimPile = sim_pile(own_system, speed=600, extra=QUICK)
    order = Phone(own_system.base_url).order(pile.device_id, limits={"energy_mwh": 3_000_000})
    pile.wait_for(lambda line: line["event"] == "relay closed")
    if persistence == "with its persistence":
        own_system.broker.stop()
    else:
        own_system.broker.kill()
        for file in own_system.broker.folder.glob("mosquitto.db*"):
            file.unlink()
    pile.wait_for(lambda line: line["event"] == "relay opened")
    own_system.broker.start()
    settles(order, 3_000_000)
    # The next order needs the rate on the display and a pile that is seen online: nothing was left behind.
    pile.wait_until(lambda view: view["online"] and view["clock_set"] and not view["connectors"][0]["busy"])
    settles(Phone(own_system.base_url).order(pile.device_id, limits={"energy_mwh": 1_000_000}), 1_000_000)


def test_packets_are_found_in_any_pieces():
    """The proxy's own eyes: a filter that overlooks packets would let every test here pass."""
    stream = b"\xd0\x00" + b"\x32\x0a\x00\x03a/b\x00\x01xyz" + b"\x30\x85\x01" + b"\x00\x01t" + b"p" * 130
    for size in (1, 2, 7, len(stream)):
        found, rest = [], b""
        for at in range(0, len(stream), size):
            packets, rest = whole_packets(rest + stream[at : at + size])
            found += packets
        assert (b"".join(found), rest) == (stream, b"")
        assert [publish_topic(packet) for packet in found] == [None, "a/b", "t"]
