"""A second device, with good credentials of its own, tries everything on a broker: nothing of another pile's
is read, and nothing reaches anybody in its name.
"""

from __future__ import annotations

import itertools
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from cloud_stub.piles import broker_acl, broker_passwords
from pile_protocol import topics
from tools.harness.broker import Broker
from tools.harness.processes import HOST

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

WAIT_S = 60
VICTIM, ATTACKER = "VICTIM-1", "ATTACKER-1"
PASSWORDS = {VICTIM: "11" * 32, ATTACKER: "22" * 32}
_numbers = itertools.count()


class Party:
    """One connection; whatever it receives is kept."""

    def __init__(
        self, broker: Broker, username: str, password: str, client_id: str = "", will: str | None = None
    ):
        self.received: list[tuple[str, bytes]] = []
        self.reason: str | None = None
        self._answered = threading.Event()
        self._changed = threading.Condition()
        self._subscribed = threading.Event()
        self._ended = threading.Event()
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=client_id, reconnect_on_failure=False
        )
        self._client.username_pw_set(username, password)
        if will:
            self._client.will_set(will, b"from the grave", qos=1, retain=True)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._on_message
        self._client.on_disconnect = lambda *_: self._ended.set()
        self._client.connect(HOST, broker.port)
        self._client.loop_start()
        assert self._answered.wait(WAIT_S)

    def _on_connect(self, _client, _userdata, _flags, reason, _properties) -> None:
        self.reason = str(reason)
        self._answered.set()

    def _on_message(self, _client, _userdata, message) -> None:
        with self._changed:
            self.received.append((message.topic, bytes(message.payload)))
            self._changed.notify_all()

    def subscribe(self, topic: str) -> None:
        self._subscribed.clear()
        self._client.subscribe(topic, qos=1)
        assert self._subscribed.wait(WAIT_S)

    def publish(self, topic: str, payload: bytes = b"{}", qos: int = 1, retain: bool = False) -> None:
        """Returns once the broker has answered."""
        info = self._client.publish(topic, payload, qos=qos, retain=retain)
        info.wait_for_publish(WAIT_S)

    def attempt(self, topic: str, payload: bytes, qos: int, retain: bool) -> None:
        """Publishes what is forbidden. Returns once the broker has answered it: as if it were good, or by
        ending the connection; mosquitto does the one or the other, by its version.
        """
        self._client.publish(topic, payload, qos=qos, retain=retain)
        own = self._client.publish(topics.topic(ATTACKER, topics.HELLO), b"after it", qos=1)
        deadline = time.monotonic() + WAIT_S
        while own.rc == paho.MQTT_ERR_SUCCESS and not own.is_published() and not self._ended.wait(0.005):
            assert time.monotonic() < deadline

    def wait_for(self, payload: bytes) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: any(p == payload for _, p in self.received), WAIT_S), (
                payload
            )

    def vanish(self) -> None:
        """As a crash would: no DISCONNECT, so the broker publishes the will."""
        sock = self._client.socket()
        if isinstance(sock, socket.socket):
            sock.shutdown(socket.SHUT_RDWR)
        self._client.loop_stop()

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with Broker(tmp_path_factory.mktemp("acl")) as one:
        one.stop()
        broker_passwords.write(one.folder / "passwd", PASSWORDS, keep_others=True)
        one.start()
        yield one


@pytest.fixture
def parties(broker: Broker) -> Iterator[tuple[Party, Party, Party]]:
    """(the cloud, the victim, the attacker), each listening to all that is its own."""
    cloud = Party(broker, "cloud", broker.cloud_password)
    victim = Party(broker, VICTIM, PASSWORDS[VICTIM])
    attacker = Party(broker, ATTACKER, PASSWORDS[ATTACKER])
    cloud.subscribe(topics.PREFIX + "#")
    for name in topics.DOWNWARD:
        victim.subscribe(topics.topic(VICTIM, name))
    yield cloud, victim, attacker
    for party in (cloud, victim, attacker):
        party.close()


def mark() -> bytes:
    """A payload that is like no other."""
    return b"mark-%d-%s" % (next(_numbers), secrets.token_hex(4).encode())


def everything_is_through(cloud: Party, victim: Party, attacker: Party) -> None:
    """Messages keep their order on a connection: once these are there, whatever was before them is, too."""
    for name, sender, receivers in ((ATTACKER, attacker, [cloud]), (VICTIM, cloud, [victim])):
        sign = mark()
        sender.publish(topics.topic(name, topics.HELLO if sender is attacker else topics.COMMAND), sign)
        for receiver in receivers:
            receiver.wait_for(sign)


def test_the_permitted_directions_work(parties):
    """A test of refusals alone would pass on a broker that refuses all."""
    cloud, victim, _ = parties
    for name in topics.UPWARD:
        sign = mark()
        victim.publish(topics.topic(VICTIM, name), sign)
        cloud.wait_for(sign)
    for name in topics.DOWNWARD:
        sign = mark()
        cloud.publish(topics.topic(VICTIM, name), sign)
        victim.wait_for(sign)


@pytest.mark.parametrize("retain", [False, True], ids=["live", "retained"])
@pytest.mark.parametrize("qos", [0, 1])
def test_nothing_is_written_in_anothers_name_nor_downwards_in_ones_own(parties, broker, qos, retain):
    cloud, victim, attacker = parties
    forbidden = [topics.topic(VICTIM, name) for name in topics.UPWARD + topics.DOWNWARD]
    forbidden += [topics.topic(ATTACKER, name) for name in topics.DOWNWARD]
    forbidden += [
        "pile/v1/" + VICTIM,
        topics.topic(VICTIM, "order/status/more"),
        topics.topic("cloud", "order"),
        topics.topic("", "order"),
        "pile/v2/x/order",
        "$SYS/broker/x",
        "anything",
    ]
    signs = []
    for topic in forbidden:
        signs.append(mark())
        intruder = Party(broker, ATTACKER, PASSWORDS[ATTACKER])
        intruder.attempt(topic, signs[-1], qos, retain)
        intruder.close()
    everything_is_through(cloud, victim, attacker)
    arrived = {payload for _, payload in cloud.received + victim.received}
    assert not arrived & set(signs)


def test_nothing_retained_is_left_by_a_forbidden_publication(parties, broker):
    cloud, victim, attacker = parties
    for name in topics.UPWARD + topics.DOWNWARD:
        intruder = Party(broker, ATTACKER, PASSWORDS[ATTACKER])
        intruder.attempt(topics.topic(VICTIM, name), b"left behind", 1, True)
        intruder.close()
    everything_is_through(cloud, victim, attacker)
    late = Party(broker, "cloud", broker.cloud_password)
    late.subscribe(topics.PREFIX + "#")
    sign = mark()
    cloud.publish(topics.topic(VICTIM, topics.COMMAND), sign)
    late.wait_for(sign)
    assert b"left behind" not in [payload for _, payload in late.received]
    late.close()


@pytest.mark.parametrize(
    "pattern",
    [
        "#",
        "pile/#",
        "pile/v1/#",
        "pile/v1/+/order",
        "pile/v1/+/+",
        "pile/v1/+/settlement/ack",
        "+/+/+/+",
        f"pile/v1/{VICTIM}/#",
        f"pile/v1/{VICTIM}/+",
        *[topics.topic(VICTIM, name) for name in topics.UPWARD + topics.DOWNWARD],
        *[topics.topic(ATTACKER, name) for name in topics.UPWARD],
        "$share/cloud/pile/v1/+/settlement",
        "$share/cloud/#",
        "$SYS/#",
    ],
)
def test_nothing_of_anothers_is_read(parties, pattern):
    cloud, victim, attacker = parties
    attacker.subscribe(pattern)
    attacker.subscribe(topics.topic(ATTACKER, topics.COMMAND))
    for name in topics.UPWARD:
        victim.publish(topics.topic(VICTIM, name), b"private")
        attacker.publish(topics.topic(ATTACKER, name), b"own, upward")
    for name in topics.DOWNWARD:
        cloud.publish(topics.topic(VICTIM, name), b"private", retain=name == topics.RATE)
    sign = mark()
    cloud.publish(topics.topic(ATTACKER, topics.COMMAND), sign)
    attacker.wait_for(sign)
    allowed = {topics.topic(ATTACKER, name) for name in topics.DOWNWARD}
    assert {topic for topic, _ in attacker.received} <= allowed


@pytest.mark.parametrize("name", topics.UPWARD + topics.DOWNWARD)
def test_no_last_will_speaks_for_another(parties, broker, name):
    cloud, victim, attacker = parties
    ghost = Party(broker, ATTACKER, PASSWORDS[ATTACKER], will=topics.topic(VICTIM, name))
    ghost.vanish()
    # Its own will, of a connection that ends after it, is there: so the other's would be.
    witness = Party(broker, ATTACKER, PASSWORDS[ATTACKER], will=topics.topic(ATTACKER, topics.STATUS))
    witness.vanish()
    cloud.wait_for(b"from the grave")
    everything_is_through(cloud, victim, attacker)
    graves = {topic for topic, payload in cloud.received + victim.received if payload == b"from the grave"}
    assert graves == {topics.topic(ATTACKER, topics.STATUS)}


@pytest.mark.parametrize(
    ("username", "password"),
    [
        (VICTIM, PASSWORDS[ATTACKER]),
        (VICTIM, ""),
        (ATTACKER, PASSWORDS[VICTIM]),
        ("cloud", PASSWORDS[ATTACKER]),
        ("nobody", "x"),
        ("", ""),
    ],
)
def test_who_is_not_known_does_not_get_in(broker, username, password):
    party = Party(broker, username, password)
    assert party.reason != "Success"
    party.close()


def test_another_client_id_gives_no_other_rights(parties, broker):
    """Whoever takes the victim's client id can interrupt its connection, no more: rights go by the password.
    The victim comes back by itself; an order runs on meanwhile, and a settlement waits in flash.
    """
    cloud, victim, attacker = parties
    thief = Party(broker, ATTACKER, PASSWORDS[ATTACKER], client_id=VICTIM)
    thief.subscribe(topics.topic(VICTIM, topics.ORDER))
    thief.subscribe(topics.topic(ATTACKER, topics.COMMAND))
    cloud.publish(topics.topic(VICTIM, topics.ORDER), b"private")
    sign = mark()
    cloud.publish(topics.topic(ATTACKER, topics.COMMAND), sign)
    thief.wait_for(sign)
    thief.attempt(topics.topic(VICTIM, topics.STATUS), b"a lie", 1, False)
    everything_is_through(cloud, victim, attacker)
    assert [payload for _, payload in thief.received] == [sign]
    assert b"a lie" not in [payload for _, payload in cloud.received]
    thief.close()


def test_what_waits_for_the_cloud_is_not_handed_to_a_thief_of_its_client_id(broker):
    """The cloud's session outlives its connection; its queue must not go to another user's connection."""
    session = paho.Client(CallbackAPIVersion.VERSION2, client_id="cloud", clean_session=False)
    session.username_pw_set("cloud", broker.cloud_password)
    subscribed = threading.Event()

    def all_piles(client: paho.Client, *_: object) -> None:
        client.subscribe(topics.PREFIX + "#", qos=1)

    session.on_connect = all_piles
    session.on_subscribe = lambda *_: subscribed.set()
    session.connect(HOST, broker.port)
    session.loop_start()
    assert subscribed.wait(WAIT_S)
    session.disconnect()
    session.loop_stop()
    victim = Party(broker, VICTIM, PASSWORDS[VICTIM])
    victim.publish(topics.topic(VICTIM, topics.SETTLEMENT), b"private")
    received = []
    ready = threading.Event()
    thief = paho.Client(CallbackAPIVersion.VERSION2, client_id="cloud", clean_session=False)
    thief.username_pw_set(ATTACKER, PASSWORDS[ATTACKER])
    thief.on_message = lambda _c, _u, message: received.append(bytes(message.payload))

    def its_own(client: paho.Client, *_: object) -> None:
        client.subscribe(topics.topic(ATTACKER, topics.COMMAND), qos=1)

    thief.on_connect = its_own
    thief.on_subscribe = lambda *_: ready.set()
    thief.connect(HOST, broker.port)
    thief.loop_start()
    assert ready.wait(WAIT_S)
    victim.publish(topics.topic(VICTIM, topics.SETTLEMENT), b"private too")
    thief.disconnect()
    thief.loop_stop()
    victim.close()
    assert not [payload for payload in received if payload.startswith(b"private")]


def test_the_brokers_files_are_for_their_owner(broker):
    for name in ("passwd", "cloud.password", "acl", "mosquitto.conf", "passwd.lock"):
        mode = os.stat(broker.folder / name).st_mode
        assert mode & 0o077 == 0, (name, oct(mode))


MONITOR = broker_acl.MONITOR_PREFIX + "grafana"


def test_a_read_only_login_reads_what_is_told_and_nothing_secret_and_writes_nothing(parties, broker):
    cloud, victim, attacker = parties
    password = "33" * 32
    broker_passwords.write_line(
        broker.folder / "passwd", broker_passwords.password_line(MONITOR, password)
    )  # the broker runs: it has to read users and access list anew
    deadline = time.monotonic() + WAIT_S
    while (monitor := Party(broker, MONITOR, password)).reason != "Success":
        monitor.close()
        assert time.monotonic() < deadline, monitor.reason
    monitor.subscribe(topics.PREFIX + "#")
    told = {}
    for name in (*topics.DOWNWARD, *topics.UPWARD):
        told[name] = mark()
        (cloud if name in topics.DOWNWARD else victim).publish(topics.topic(VICTIM, name), told[name])
    last_down, last_up = mark(), mark()
    cloud.publish(topics.topic(VICTIM, topics.COMMAND), last_down)
    victim.publish(topics.topic(VICTIM, topics.HELLO), last_up)
    monitor.wait_for(last_down)
    monitor.wait_for(last_up)
    read = {payload for _, payload in monitor.received}
    assert {name for name in told if told[name] in read} == set(broker_acl.MONITORED)
    assert topics.CONFIG not in broker_acl.MONITORED  # it may hold the password of a Wi-Fi network
    forbidden = mark()
    for name in (*topics.DOWNWARD, *topics.UPWARD):
        for device in (VICTIM, MONITOR):
            monitor.publish(topics.topic(device, name), forbidden)
    everything_is_through(cloud, victim, attacker)
    sign = mark()
    monitor.close()
    cloud.publish(topics.topic(VICTIM, topics.COMMAND), sign)
    victim.wait_for(sign)
    assert forbidden not in {payload for party in (cloud, victim, attacker) for _, payload in party.received}

    broker_passwords.remove(broker.folder / "passwd", MONITOR)
    while (again := Party(broker, MONITOR, password)).reason == "Success":
        again.close()
        assert time.monotonic() < deadline
    again.close()
    assert MONITOR not in (broker.folder / "acl").read_text()
