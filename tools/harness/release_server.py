"""A release server without a cloud: offers a signed release over a broker, and answers what piles ask."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from cryptography.hazmat.primitives.asymmetric import ec
from paho.mqtt.enums import CallbackAPIVersion

from pile_protocol import messages, seal, topics
from tools.harness.broker import Broker
from tools.harness.processes import HOST
from tools.image import slot
from tools.image.release import public_text, sign

_KEY = ec.generate_private_key(ec.SECP256R1())
PUBLIC_KEY = public_text(_KEY)


class Release:
    """A release for one board, signed with a key of this process. content: the files of a slot."""

    def __init__(self, number: int, board: Path, content: dict[str, bytes]):
        self.number = number
        self.manifest = slot.manifest(board, content, number)
        fetched = [*content.values(), self.manifest.encode()]
        self.by_digest = {hashlib.sha256(data).hexdigest(): data for data in fetched}
        self.bytes = sum(map(len, content.values()))

    def offer(self, device_id: str, key: bytes, **changes: Any) -> bytes:
        now = int(time.time())
        message = {
            "kind": "update", "device_id": device_id, "issued_at": now, "expires_at": now + 600,
            "release": self.number, "signature": sign(_KEY, self.manifest),
            "manifest_sha256": hashlib.sha256(self.manifest.encode()).hexdigest(),
            "manifest_bytes": len(self.manifest),
        } | changes  # fmt: skip
        return seal.seal(messages.encode(message), key)


class ReleaseServer:
    """Answers each question about its releases. `may_answer` may hold an answer back; `wire_bytes` counts
    questions and answers.
    """

    def __init__(self, broker: Broker):
        self.may_answer: Callable[[str, dict[str, Any]], bool] = lambda _device_id, _question: True
        self.wire_bytes = 0
        self.questions: list[tuple[str, dict[str, Any]]] = []
        self._releases: dict[str, Release] = {}
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.username_pw_set("cloud", broker.cloud_password)
        self._client.on_connect = self._on_connect
        self._client.on_message = self._on_message
        self._client.connect(HOST, broker.port)
        self._client.loop_start()

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def offer(self, device_id: str, key: bytes, release: Release, **changes: Any) -> None:
        self._releases[device_id] = release
        self.send(device_id, topics.UPDATE, release.offer(device_id, key, **changes))

    def send(self, device_id: str, name: str, payload: bytes, qos: int = 1) -> None:
        self.wire_bytes += len(payload)
        self._client.publish(topics.topic(device_id, name), payload, qos=qos)

    def answer(self, device_id: str, question: dict[str, Any]) -> None:
        data = self._releases[device_id].by_digest[question["file"]]
        part = data[question["offset"] : question["offset"] + question["bytes"]]
        chunk = {name: question[name] for name in ("release", "file", "offset")}
        chunk["data"] = base64.b64encode(part).decode()
        self.send(device_id, topics.UPDATE_CHUNK, messages.encode(chunk).encode(), qos=0)

    def _on_connect(self, client: paho.Client, *_: Any) -> None:
        client.subscribe(topics.topic("+", topics.UPDATE_ASK))

    def _on_message(self, _client: paho.Client, _userdata: Any, message: paho.MQTTMessage) -> None:
        device_id, _ = topics.parse(message.topic)
        question = json.loads(message.payload)
        self.wire_bytes += len(message.payload)
        self.questions.append((device_id, question))
        if self.may_answer(device_id, question):
            self.answer(device_id, question)
