"""The broker admits the cloud and its piles, each to its own topics, and comes back after a power cut."""

import os
import queue
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from cloud_stub.piles import broker_passwords
from pile_protocol import topics
from tools import ROOT
from tools.harness import mosquitto
from tools.harness.broker import Broker
from tools.harness.ports import free_port
from tools.harness.processes import ProcessError

TIMEOUT_S = 60


class Peer:
    """One MQTT client; what happens to it comes out of queues."""

    def __init__(self, broker: Broker, username: str | None, password: str | None):
        self.connected: queue.Queue[ReasonCode] = queue.Queue()
        self.granted: queue.Queue[list[ReasonCode]] = queue.Queue()
        self.dealt_with: queue.Queue[str] = queue.Queue()  # "acknowledged" a message, or "disconnected"
        self.received: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self.client = paho.Client(CallbackAPIVersion.VERSION2, reconnect_on_failure=False)
        if username is not None:
            self.client.username_pw_set(username, password)
        self.client.on_connect = lambda _c, _u, _f, reason, _p: self.connected.put(reason)
        self.client.on_subscribe = lambda _c, _u, _m, reasons, _p: self.granted.put(reasons)
        self.client.on_message = lambda _c, _u, m: self.received.put((m.topic, bytes(m.payload)))
        self.client.on_publish = lambda *_: self.dealt_with.put("acknowledged")
        self.client.on_disconnect = lambda *_: self.dealt_with.put("disconnected")
        self.client.connect("127.0.0.1", broker.port)
        self.client.loop_start()

    @property
    def is_admitted(self) -> bool:
        return not self.connected.get(timeout=TIMEOUT_S).is_failure

    def subscribe(self, topic: str) -> bool:
        """Whether the broker granted it (mosquitto's ACL answers a refusal only by silence later)."""
        self.client.subscribe(topic, qos=1)
        return not self.granted.get(timeout=TIMEOUT_S)[0].is_failure

    def publish(self, topic: str, payload: bytes) -> None:
        """Returns once the broker has dealt with it: it may acknowledge a refused one, or disconnect."""
        self.client.publish(topic, payload, qos=1)
        self.dealt_with.get(timeout=TIMEOUT_S)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with Broker(tmp_path_factory.mktemp("a folder with spaces")) as broker:
        admit(broker, "PILE-1", "PILE-2")
        yield broker


@pytest.fixture
def connect(broker: Broker) -> Iterator:
    peers: list[Peer] = []

    def connect_one(username: str | None, password: str | None = None) -> Peer:
        if username == "cloud" and password is None:
            password = broker.cloud_password
        peers.append(Peer(broker, username, password or f"password of {username}"))
        return peers[-1]

    yield connect_one
    for peer in peers:
        peer.close()


def admit(broker: Broker, *devices: str) -> None:
    """Rewrites passwd as the cloud does, and waits until the broker knows the last of the devices."""
    passwords = {name: f"password of {name}" for name in devices}
    broker_passwords.write(broker.folder / "passwd", {"cloud": broker.cloud_password, **passwords})
    for _ in range(500):
        peer = Peer(broker, devices[-1], passwords[devices[-1]])
        admitted = peer.is_admitted
        peer.close()
        if admitted:
            return
    pytest.fail("the broker did not read passwd again")


def test_a_client_stays_connected_when_a_pile_is_added(broker: Broker, connect) -> None:
    cloud = connect("cloud")
    assert cloud.is_admitted
    admit(broker, "PILE-1", "PILE-2", "PILE-3")
    cloud.subscribe(topics.topic("PILE-3", topics.HELLO))
    new = connect("PILE-3")
    new.publish(topics.topic("PILE-3", topics.HELLO), b"hello")
    assert cloud.received.get(timeout=TIMEOUT_S)[1] == b"hello"


def test_an_oversized_message_is_not_passed_on(connect) -> None:
    cloud, pile = connect("cloud"), connect("PILE-1")
    assert cloud.is_admitted and pile.is_admitted
    topic = topics.topic("PILE-1", topics.ORDER)
    pile.subscribe(topic)
    cloud.client.publish(topic, bytes(200_000), qos=0)
    second = connect("cloud")
    second.publish(topic, b"small")
    assert pile.received.get(timeout=TIMEOUT_S)[1] == b"small"


def test_a_broker_killed_comes_back_on_its_port_with_the_same_passwords(tmp_path: Path) -> None:
    with Broker(tmp_path) as broker:
        admit(broker, "PILE-1")
        url, password = broker.url, broker.cloud_password
        broker.kill()
        with pytest.raises(OSError):
            Peer(broker, "cloud", password)
        broker.start()
        assert (broker.url, broker.cloud_password) == (url, password)
        for name, secret in (("cloud", password), ("PILE-1", "password of PILE-1")):
            peer = Peer(broker, name, secret)
            assert peer.is_admitted
            peer.close()


def test_a_retained_message_survives_an_orderly_restart(tmp_path: Path) -> None:
    topic = topics.topic("PILE-1", topics.RATE)
    with Broker(tmp_path) as broker:
        peer = Peer(broker, "cloud", broker.cloud_password)
        peer.client.publish(topic, b"kept", qos=1, retain=True).wait_for_publish(TIMEOUT_S)
        peer.close()
        broker.restart()
        peer = Peer(broker, "cloud", broker.cloud_password)
        peer.subscribe(topic)
        assert peer.received.get(timeout=TIMEOUT_S) == (topic, b"kept")
        peer.close()


def test_more_waits_for_an_absent_cloud_than_mosquitto_keeps_by_itself(broker: Broker, connect) -> None:
    """Mosquitto's own default drops what is beyond 1,000 queued messages, though it acknowledged them."""
    count = 1_500
    absent = paho.Client(CallbackAPIVersion.VERSION2, client_id="absent cloud", clean_session=False)
    absent.username_pw_set("cloud", broker.cloud_password)
    got: queue.Queue[bytes] = queue.Queue()
    subscribed: queue.Queue[bool] = queue.Queue()
    absent.on_subscribe = lambda *_: subscribed.put(True)
    absent.on_message = lambda _c, _u, m: got.put(bytes(m.payload))
    absent.connect("127.0.0.1", broker.port)
    absent.loop_start()
    absent.subscribe(topics.topic("PILE-2", topics.SETTLEMENT), qos=1)
    assert subscribed.get(timeout=TIMEOUT_S)
    absent.disconnect()
    absent.loop_stop()

    pile = connect("PILE-2")
    assert pile.is_admitted
    topic = topics.topic("PILE-2", topics.SETTLEMENT)
    sent = [pile.client.publish(topic, str(i).encode(), qos=1) for i in range(count)]
    for info in sent:
        info.wait_for_publish(TIMEOUT_S)

    absent.connect("127.0.0.1", broker.port)
    absent.loop_start()
    assert {int(got.get(timeout=TIMEOUT_S)) for _ in range(count)} == set(range(count))
    absent.disconnect()
    absent.loop_stop()


def test_the_command_ends_its_broker_on_sigterm(tmp_path: Path) -> None:
    port = free_port()
    argv = [sys.executable, "-m", "tools.broker", "--data", str(tmp_path), "--port", str(port)]
    runner = subprocess.Popen(argv, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    assert runner.stderr is not None
    assert f"mqtt://127.0.0.1:{port}" in runner.stderr.readline()
    runner.send_signal(signal.SIGTERM)
    runner.communicate()
    with Broker(tmp_path, port):  # the port is free again
        pass


def test_an_unknown_way_to_run_the_broker_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RATELOCK_BROKER", "mosqitto")
    with pytest.raises(mosquitto.NoBroker, match="RATELOCK_BROKER"):
        mosquitto.find(print)


def test_without_any_broker_one_sentence_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("RATELOCK_BROKER", "")
    monkeypatch.setattr(mosquitto, "PLACES", ())
    monkeypatch.setattr(mosquitto, "FETCHED", tmp_path / "fetched")
    with pytest.raises(mosquitto.NoBroker) as told:
        mosquitto.find(print)
    assert "Install mosquitto 2" in str(told.value)
    assert "\n" not in str(told.value)


def test_a_docker_engine_that_answers_is_preferred(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A stand-in for the docker command: no engine is at hand in every place where this runs."""
    docker = tmp_path / "docker"
    docker.write_text("#!/bin/sh\nexit 0\n")
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("RATELOCK_BROKER", "")
    assert isinstance(mosquitto.find(print), mosquitto.Docker)
    docker.write_text("#!/bin/sh\nexit 1\n")
    assert not isinstance(mosquitto.find(print), mosquitto.Docker)


@pytest.mark.parametrize(
    ("arguments", "port"), [(["--port", "99999"], "1883"), (["--port", "²"], "1883"), ([], "abc"), ([], "²")]
)
def test_a_port_that_is_none_is_one_sentence(tmp_path: Path, arguments: list[str], port: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools.broker", "--data", str(tmp_path), *arguments],
        cwd=ROOT,
        env={**os.environ, "RATELOCK_MQTT_PORT": port},
        capture_output=True,
        text=True,
    )
    assert done.returncode
    assert "1 to 65535" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_two_brokers_over_one_folder_would_write_over_each_other(tmp_path: Path) -> None:
    with Broker(tmp_path) as broker:
        config = (broker.folder / "mosquitto.conf").read_text()
        with pytest.raises(ProcessError, match="in use by another broker"), Broker(tmp_path, free_port()):
            pass
        assert (broker.folder / "mosquitto.conf").read_text() == config
        broker.kill()
        broker.start()  # its own folder still
    with Broker(tmp_path):
        pass
