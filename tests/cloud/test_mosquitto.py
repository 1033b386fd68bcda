"""The cloud over a real mosquitto: greetings, orders, settlements, restarts of either."""

import json
import queue
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from cloud_stub.base.clock import now_s
from cloud_stub.base.problems import Problem
from cloud_stub.cloud import Cloud
from cloud_stub.orders import commands, create
from cloud_stub.orders.transitions import lose_with_pile
from cloud_stub.piles import registry, removal
from cloud_stub.piles.credentials import admit, revoke
from cloud_stub.rates import model, versions
from cloud_stub.settings import Settings
from pile_protocol import seal, topics
from tests.cloud.fakes import ACTOR, FLAT_RATE, WAIT_S, FakePile, open_sealed
from tools.harness.broker import Broker


@pytest.fixture
def broker(settings: Settings) -> Iterator[Broker]:
    with Broker(settings.data) as running:
        settings.mqtt_port = running.port
        yield running


def started(settings: Settings) -> Cloud:
    """A cloud that has subscribed."""
    cloud = Cloud(settings)
    connected = threading.Event()
    send_unsent = cloud.link.on_connect

    def on_connect() -> None:
        send_unsent()
        connected.set()

    cloud.link.on_connect = on_connect
    cloud.start()
    assert connected.wait(WAIT_S)
    return cloud


@pytest.fixture
def cloud(settings: Settings, broker: Broker) -> Iterator[Cloud]:
    cloud = started(settings)
    yield cloud
    cloud.stop()


class RemotePile(FakePile):
    """A FakePile with a connection of its own; what reaches it is in `received`."""

    def __init__(self, settings: Settings, device_id: str, key: bytes):
        super().__init__(device_id, key, self._publish)
        self.received: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self._subscribed = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id=device_id, clean_session=False)
        self._client.username_pw_set(device_id, seal.mqtt_password(key))
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = self._connected
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = lambda _c, _u, message: self.received.put(
            (topics.parse(message.topic)[1], bytes(message.payload))
        )
        self._client.connect("127.0.0.1", settings.mqtt_port)
        self._client.loop_start()
        assert self._subscribed.wait(WAIT_S)

    def stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def greet_again_after(self, action: Callable[[], object]) -> None:
        """As a pile does at every connection: a broker that was killed may have forgotten who subscribed."""
        self._subscribed.clear()
        action()
        assert self._subscribed.wait(WAIT_S)
        self.hello()

    def next(self, name: str) -> dict[str, Any]:
        """The next message on that topic; others are passed over."""
        while True:
            got, data = self.received.get(timeout=WAIT_S)
            if got == name:
                return json.loads(data) if name == topics.RATE else open_sealed(name, data, self.key)

    def _connected(self, *_: Any) -> None:
        self._client.subscribe([(topics.topic(self.device_id, name), 1) for name in topics.DOWNWARD])

    def _publish(self, name: str, data: bytes) -> None:
        info = self._client.publish(topics.topic(self.device_id, name), data, qos=1)
        info.wait_for_publish(WAIT_S)


def registered(cloud: Cloud, device_id: str) -> bytes:
    key = cloud.writer.submit(
        lambda tx: registry.add(tx, ACTOR, [registry.NewPile(device_id, device_id, 2)], now_s())[device_id]
    ).result(WAIT_S)
    body = model.parse(FLAT_RATE)
    publish = cloud.writer.submit(
        lambda tx: versions.publish_for_pile(tx, ACTOR, cloud.dispatch, device_id, body, now_s())
    )
    publish.result(WAIT_S)
    admit(cloud.settings, device_id, key)
    return key


@pytest.fixture
def pile(cloud: Cloud, broker: Broker, settings: Settings) -> Iterator[RemotePile]:
    key = registered(cloud, "PILE-1")
    broker.restart()  # surely with the new password; reading it while running is the broker's own test
    pile = RemotePile(settings, "PILE-1", key)
    pile.online()
    pile.hello()
    pile.next("time")  # the status before it is committed too: one connection's messages stay in order
    yield pile
    pile.stop()


def order(cloud: Cloud, connector: int = 1) -> str:
    """A new order, made as the HTTP interface does."""

    def unit(tx: Any) -> str:
        rate = cloud.context.rates.at(tx.conn, "PILE-1", connector, now_s())
        assert rate is not None
        body = create.OrderBody(device_id="PILE-1", connector=connector, rate_id=rate["rate_id"])
        terms = create.agree(tx, cloud.context, body, f"key-of-connector-{connector}", now_s())
        assert isinstance(terms, create.Terms)
        return create.make(tx, cloud.context, terms, now_s()).order_id

    return cloud.writer.submit(unit).result(WAIT_S)


def state(cloud: Cloud, order_id: str) -> str:
    """The order's state, once all that was submitted before is committed."""
    cloud.writer.submit(lambda tx: None).result(WAIT_S)
    with cloud.store.reading.connect() as conn:
        query = "SELECT state FROM orders WHERE order_id = '" + order_id + "'"
        return conn.exec_driver_sql(query).scalar_one()


def test_hello_order_settlement_acknowledgement(cloud: Cloud, pile: RemotePile):
    pile.hello(nonce="feedfacefeedface")
    assert pile.next("time")["nonce"] == "feedfacefeedface"
    assert pile.next("rate")["currency"] == "CNY"
    order_id = order(cloud)
    message = pile.next("order")
    assert message["order_id"] == order_id
    pile.order_status(order_id, "Accepted")
    pile.settle(message)
    ack = pile.next("settlement/ack")
    assert (ack["order_id"], ack["settlement_mac"]) == (order_id, pile.last_mac)
    assert state(cloud, order_id) == "Settled"


def test_what_a_pile_says_while_the_cloud_is_away_is_stored_when_it_is_back(
    settings: Settings, cloud: Cloud, pile: RemotePile
):
    order_id = order(cloud)
    message = pile.next("order")
    cloud.link.stop()
    pile.order_status(order_id, "Accepted")
    pile.settle(message)
    successor = started(settings)
    try:
        assert pile.next("settlement/ack")["order_id"] == order_id
        assert state(successor, order_id) == "Settled"
    finally:
        successor.stop()


def test_messages_not_acknowledged_are_delivered_again(settings: Settings, cloud: Cloud, pile: RemotePile):
    """Killed between receiving and committing: nothing may be lost."""
    order_id = order(cloud)
    message = pile.next("order")
    arrived = threading.Event()
    cloud.link.on_message = lambda incoming: arrived.set()
    pile.settle(message)
    assert arrived.wait(WAIT_S)
    cloud.link.stop()
    successor = started(settings)
    try:
        assert pile.next("settlement/ack")["order_id"] == order_id
    finally:
        successor.stop()


def test_a_burst_of_settlements_is_stored_once_each_in_few_commits(cloud: Cloud, pile: RemotePile):
    order(cloud)
    message = pile.next("order")
    commits = cloud.writer.commits
    count = 300
    client = pile._client
    for n in range(count):
        said = pile.settlement(message, order_id=f"unknown-{n}")
        client.publish(topics.topic("PILE-1", "settlement"), pile.sealed(said), qos=1)
    macs = [pile.next("settlement/ack")["settlement_mac"] for _ in range(count)]
    assert len(set(macs)) == count
    with cloud.store.reading.connect() as conn:
        assert conn.exec_driver_sql("SELECT count(*) FROM settlements").scalar_one() == count
    assert cloud.writer.commits - commits < count


def test_an_order_made_while_the_broker_is_down_goes_out_when_it_is_back(
    cloud: Cloud, pile: RemotePile, broker: Broker
):
    lost = threading.Event()
    cloud.link._client.on_disconnect = lambda *_: lost.set()
    broker.kill()
    assert lost.wait(WAIT_S)
    with pytest.raises(Problem, match="PileOffline"):
        order(cloud)
    reset = cloud.writer.submit(lambda tx: reset_pile(tx, cloud))
    reset.result(WAIT_S)
    pile.greet_again_after(broker.start)
    assert pile.next("command")["action"] == "reset"


def reset_pile(tx: Any, cloud: Cloud) -> None:
    commands.request_reset(tx, ACTOR, cloud.context, "PILE-1", 1, now_s())


def test_the_last_will_makes_a_pile_offline(cloud: Cloud, broker: Broker, settings: Settings, tmp_path: Path):
    key = registered(cloud, "PILE-7")
    broker.restart()
    offline = threading.Event()
    take = cloud.link.on_message

    def watching(incoming: Any) -> None:
        take(incoming)
        if b"false" in incoming.payload:
            offline.set()

    cloud.link.on_message = watching
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="PILE-7")
    client.username_pw_set("PILE-7", seal.mqtt_password(key))
    client.will_set(topics.topic("PILE-7", "status"), b'{"online":false}', qos=1, retain=True)
    greeted = threading.Event()
    client.on_publish = lambda *_: greeted.set()

    def on_connect(*_: Any) -> None:
        client.publish(topics.topic("PILE-7", "status"), b'{"online":true}', 1, True)

    client.on_connect = on_connect
    client.connect("127.0.0.1", settings.mqtt_port)
    client.loop_start()
    assert greeted.wait(WAIT_S)
    sock = client.socket()
    assert sock is not None
    client.loop_stop()
    sock.close()  # without a DISCONNECT
    assert offline.wait(WAIT_S)
    cloud.writer.submit(lambda tx: None).result(WAIT_S)
    with cloud.store.reading.connect() as conn:
        kinds = conn.exec_driver_sql(
            "SELECT kind FROM events WHERE device_id = 'PILE-7' ORDER BY id"
        ).scalars()
        assert list(kinds)[-2:] == ["PileOnline", "PileOffline"]


def test_a_removed_pile_loses_its_connection_and_leaves_nothing_at_the_broker(
    cloud: Cloud, broker: Broker, settings: Settings
):
    key = registered(cloud, "PILE-8")
    broker.restart()
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="PILE-8")
    client.username_pw_set("PILE-8", seal.mqtt_password(key))
    client.will_set(topics.topic("PILE-8", "status"), b'{"online":false}', qos=1, retain=True)
    answers: queue.Queue[bool] = queue.Queue()  # whether the broker let it in, at each attempt
    lost = threading.Event()
    client.on_connect = lambda _c, _u, _f, reason, _p: answers.put(not reason.is_failure)
    client.on_disconnect = lambda *_: lost.set()
    client.reconnect_delay_set(1, 1)
    client.connect("127.0.0.1", settings.mqtt_port)
    client.loop_start()
    watcher = paho.Client(CallbackAPIVersion.VERSION2)
    try:
        assert answers.get(timeout=WAIT_S)
        client.publish(topics.topic("PILE-8", "status"), b'{"online":true}', 1, True).wait_for_publish(WAIT_S)
        cleared = threading.Semaphore(0)
        take = cloud.link.on_message

        def watching(incoming: Any) -> None:
            take(incoming)
            if incoming.topic == topics.topic("PILE-8", "status") and not incoming.payload:
                cleared.release()

        cloud.link.on_message = watching
        outbox = cloud.dispatch
        cloud.writer.submit(
            lambda tx: removal.remove(
                tx, ACTOR, outbox, lose_with_pile(cloud.context), "PILE-8", False, now_s()
            )
        ).result(WAIT_S)
        assert cleared.acquire(timeout=WAIT_S)
        revoke(settings, "PILE-8")
        assert lost.wait(WAIT_S)
        assert cleared.acquire(timeout=WAIT_S)  # its last will
        assert not answers.get(timeout=WAIT_S)
        # All that the broker retains of any pile comes before the answer to the second subscription.
        kept: list[str] = []
        told = threading.Event()
        watcher.username_pw_set("cloud", broker.cloud_password)
        watcher.on_message = lambda _c, _u, message: kept.append(message.topic)
        watcher.on_subscribe = lambda *_: told.set()
        watcher.connect("127.0.0.1", settings.mqtt_port)
        watcher.loop_start()
        for each in (topics.PREFIX + "#", "nothing"):
            told.clear()
            watcher.subscribe(each)
            assert told.wait(WAIT_S)
        assert [topic for topic in kept if "PILE-8" in topic] == []
    finally:
        client.loop_stop()
        watcher.loop_stop()
