"""A mosquitto as people have it beside their home automation: with a login, without RateLock's own rules."""

from __future__ import annotations

import os
import queue
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from cloud_stub.piles import broker_passwords
from tests.cloud.fakes import WAIT_S
from tools.harness import mosquitto
from tools.harness.ports import free_port
from tools.harness.processes import HOST, Child, Children

USER, PASSWORD = "ratelock", "the password of the bridge"
HOME = "home", "the password of Home Assistant"
SUBSCRIBED = "subscribed"


class UsersBroker:
    """On 127.0.0.1, from `start` to `stop`; its port stays the same."""

    def __init__(self, folder: Path, tls: tuple[Path, Path] | None = None):
        """tls: the files of its certificate and key."""
        self.folder = folder
        self.port = free_port()
        self._children = Children()
        self._child: Child | None = None
        folder.mkdir(parents=True, exist_ok=True)
        broker_passwords.write(folder / "passwd", {USER: PASSWORD, HOME[0]: HOME[1]})
        lines = [f"listener {self.port} {HOST}", "allow_anonymous false", "password_file passwd"]
        lines += ["set_tcp_nodelay true", "log_dest stderr", "log_type all"]
        lines += [f"certfile {tls[0]}", f"keyfile {tls[1]}"] if tls else []
        lines += ["user root"] if os.getuid() == 0 else []
        (folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")

    def start(self) -> None:
        found = mosquitto.find(lambda text: None)
        log = self.folder / "log"
        self._child = self._children.start(
            "users broker", [found.program, "-c", "mosquitto.conf"], env=found.env, cwd=self.folder, log=log
        )
        self._child.wait_for_line(lambda line: "running" in line, WAIT_S)

    def stop(self) -> None:
        """What it retained is gone."""
        self._children.stop()


class Home:
    """A client of that broker that sees every message, as Home Assistant does; `topics`: what it retains."""

    def __init__(self, port: int, ca: Path | None = None):
        self.topics: dict[str, bytes] = {}
        self.seen: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.username_pw_set(*HOME)
        if ca is not None:
            self._client.tls_set(str(ca))
        self._client.on_connect = self._connected
        self._client.on_subscribe = lambda *_: self.seen.put((SUBSCRIBED, b""))
        self._client.on_message = self._message
        self._client.reconnect_delay_set(1, 1)
        self._client.connect(HOST, port)
        self._client.loop_start()
        self.wait(lambda topic, _: topic == SUBSCRIBED)

    def __enter__(self) -> Home:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, topic: str, payload: bytes | str, retain: bool = False) -> None:
        self._client.publish(topic, payload, 1, retain).wait_for_publish(WAIT_S)

    def wait(self, is_it: Any) -> tuple[str, bytes]:
        """The next message for which `is_it(topic, payload)`. Fails after WAIT_S without any message."""
        while True:
            topic, payload = self.seen.get(timeout=WAIT_S)
            if is_it(topic, payload):
                return topic, payload

    def drain(self) -> list[tuple[str, bytes]]:
        """What came and was not waited for."""
        return [self.seen.get_nowait() for _ in range(self.seen.qsize())]

    def _connected(self, client: paho.Client, *_: Any) -> None:
        client.subscribe("#", 1)

    def _message(self, _client: Any, _userdata: Any, message: paho.MQTTMessage) -> None:
        payload = bytes(message.payload)
        if payload:
            self.topics[message.topic] = payload
        else:
            self.topics.pop(message.topic, None)
        self.seen.put((message.topic, payload))
