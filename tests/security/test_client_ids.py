"""With a pile's credentials nobody ends the cloud's connection, takes its session or its messages.

A broker ends the older of two connections of one client id, whoever makes the new one, and deals out a shared
group's messages to everybody who names the group, before it looks at who may read them.
"""

from __future__ import annotations

import queue
import secrets
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from cloud_stub.messaging.mqtt import Incoming, Link
from cloud_stub.piles import broker_passwords
from pile_protocol import seal, topics
from tests.cloud.fakes import WAIT_S
from tests.sim import SimPile
from tools.harness.broker import Broker
from tools.harness.phone import Phone
from tools.harness.processes import HOST
from tools.harness.system import System

pytestmark = pytest.mark.system
KEY = bytes(range(32))


class Watched:
    """A link that subscribed; what comes in, and how often the broker ended its connection."""

    def __init__(self, broker: Broker, share: str | None = None, received: queue.Queue[bytes] | None = None):
        self.link = Link(HOST, broker.port, "cloud", broker.cloud_password, "cloud", share)
        self.received: queue.Queue[bytes] = queue.Queue() if received is None else received
        self.ends = 0
        connected = threading.Event()
        self.link.on_connect = connected.set
        self.link.on_disconnect = self._ended
        self.link.on_message = self._take
        self.link.start()
        assert connected.wait(WAIT_S)

    def _take(self, incoming: Incoming) -> None:
        self.received.put(incoming.payload)
        self.link.ack(incoming)

    def _ended(self) -> None:
        self.ends += 1


def connected(
    username: str, password: str, client_id: str, port: int, ca: Path | None = None
) -> tuple[paho.Client, bool]:
    """A paho client after the broker's answer, and whether it was let in."""
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=client_id, reconnect_on_failure=False)
    client.username_pw_set(username, password)
    if ca is not None:
        client.tls_set(str(ca), tls_version=ssl.PROTOCOL_TLS_CLIENT)
    answers: queue.Queue[bool] = queue.Queue()
    client.on_connect = lambda _c, _u, _f, reason, _p: answers.put(not reason.is_failure)
    client.connect(HOST, port)
    client.loop_start()
    return client, answers.get(timeout=WAIT_S)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A broker without a cloud: `Watched` has the client id that a cloud would have, and would end its
    connection.
    """
    with Broker(tmp_path, tls_port=0) as broker:
        yield broker


@pytest.fixture
def piles(broker: Broker) -> dict[str, str]:
    """Passwords of an attacker and a victim that the broker lets in."""
    passwords = {name: seal.mqtt_password(KEY) for name in ("ATTACKER", "VICTIM")}
    broker_passwords.write(broker.folder / "passwd", passwords, keep_others=True)
    broker.restart()
    return passwords


def publish_as(victim: paho.Client) -> bytes:
    """Publish a payload that nobody else has; returns it once the broker has acknowledged it."""
    sign = secrets.token_hex(8).encode()
    victim.publish(topics.topic("VICTIM", topics.SETTLEMENT), sign, qos=1).wait_for_publish(WAIT_S)
    return sign


def test_a_pile_that_names_the_clouds_client_id_does_not_end_its_connection(
    broker: Broker, piles: dict[str, str]
):
    cloud = Watched(broker)
    victim, _ = connected("VICTIM", piles["VICTIM"], "victim", broker.port)
    thieves = []
    for client_id in ("cloud", "cloud.", "cloud-1", "CLOUD", "cloud.0000000000000000"):
        thief, _ = connected("ATTACKER", piles["ATTACKER"], client_id, broker.port)
        thieves.append(thief)
        sign = publish_as(victim)
        assert cloud.received.get(timeout=WAIT_S) == sign
    assert cloud.ends == 0
    assert cloud.link.client_id not in ("cloud", "cloud.")
    for each in (*thieves, victim):
        each.disconnect()
        each.loop_stop()
    cloud.link.stop()


@pytest.mark.parametrize("group", ["cloud", "cloud-", "$share"])
def test_a_pile_that_joins_the_workers_group_has_no_share_of_its_messages(
    broker: Broker, piles: dict[str, str], group: str
):
    received: queue.Queue[bytes] = queue.Queue()
    workers = [Watched(broker, "cloud", received), Watched(broker, "cloud", received)]
    thief, _ = connected("ATTACKER", piles["ATTACKER"], "", broker.port)
    subscribed = threading.Event()
    thief.on_subscribe = lambda *_: subscribed.set()
    thief.subscribe([(f"$share/{group}/pile/v1/+/{name}", 1) for name in topics.UPWARD])
    assert subscribed.wait(WAIT_S)
    victim, _ = connected("VICTIM", piles["VICTIM"], "", broker.port)
    signs = {publish_as(victim) for _ in range(12)}
    came: set[bytes] = set()
    while came != signs:
        came.add(received.get(timeout=WAIT_S))
        assert came <= signs
    for each in (thief, victim):
        each.disconnect()
        each.loop_stop()
    for worker in workers:
        worker.link.stop()
        assert worker.ends <= 1  # its own end


def test_on_a_listener_for_piles_the_client_id_is_the_user_name(broker: Broker, piles: dict[str, str]):
    """Even who knows another's client id gets only its own there; piles of the last release still get in."""
    ca = broker.certs / "ca.pem"
    assert broker.tls_port is not None
    cloud = Watched(broker)
    own = seal.mqtt_client_id("VICTIM", KEY)
    victim, let_in = connected("VICTIM", piles["VICTIM"], own, broker.tls_port, ca)
    assert let_in
    ended = threading.Event()
    victim.on_disconnect = lambda *_: ended.set()
    for client_id in (cloud.link.client_id, own, "VICTIM"):
        thief, let_in = connected("ATTACKER", piles["ATTACKER"], client_id, broker.tls_port, ca)
        assert let_in
        sign = publish_as(victim)
        assert cloud.received.get(timeout=WAIT_S) == sign
        thief.disconnect()
        thief.loop_stop()
    assert (cloud.ends, ended.is_set()) == (0, False)
    victim.disconnect()
    victim.loop_stop()
    cloud.link.stop()


def test_the_running_cloud_and_its_orders_are_not_disturbed(system: System, sim_pile: Callable[..., SimPile]):
    charging = sim_pile(system, speed=600)
    assert system.cloud is not None
    before = system.cloud.line_count
    password = seal.mqtt_password(charging.key)
    thief, _ = connected(charging.device_id, password, "cloud", system.broker.port)
    order = Phone(system.base_url).order(charging.device_id, limits={"energy_mwh": 100_000})
    assert order.wait_for_state("Settled", timeout_s=60)["energy_mwh"] >= 100_000
    assert not [line for line in system.cloud.lines[before:] if "mqtt_disconnected" in line]
    assert system.phone.get("/readyz").status == 200
    thief.disconnect()
    thief.loop_stop()
