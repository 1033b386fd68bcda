"""The release server of a test: offers a signed release over the real broker, and answers what piles ask."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Callable
from typing import Any

import paho.mqtt.client as paho
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from paho.mqtt.enums import CallbackAPIVersion

from pile_protocol import messages, seal, topics
from tools.harness.broker import Broker
from tools.harness.processes import HOST
from tools.image import files, slot

ORDER_OF_P256 = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
SECRET = ec.generate_private_key(ec.SECP256R1())


def public_key() -> str:
    numbers = SECRET.public_key().public_numbers()
    return f"{numbers.x:064x}{numbers.y:064x}"


def sign(text: str) -> str:
    r, s = decode_dss_signature(SECRET.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{r:064x}{min(s, ORDER_OF_P256 - s):064x}"


class Release:
    """content: the files of a slot."""

    def __init__(self, number: int, content: dict[str, bytes]):
        self.number = number
        self.content = content
        self.manifest = slot.manifest(files.board_folder("sim"), content, number)
        self.by_digest = {hashlib.sha256(data).hexdigest(): data for data in content.values()}
        self.bytes = sum(map(len, content.values()))

    def offer(self, device_id: str, key: bytes, **changes: Any) -> bytes:
        now = int(time.time())
        message = {
            "kind": "update", "device_id": device_id, "issued_at": now, "expires_at": now + 600,
            "release": self.number, "manifest": self.manifest, "signature": sign(self.manifest), **changes,
        }  # fmt: skip
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
        self._client.on_connect = lambda client, *_: client.subscribe(topics.topic("+", topics.UPDATE_ASK))
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

    def _on_message(self, _client: paho.Client, _userdata: Any, message: paho.MQTTMessage) -> None:
        device_id, _ = topics.parse(message.topic)
        question = json.loads(message.payload)
        self.wire_bytes += len(message.payload)
        self.questions.append((device_id, question))
        if self.may_answer(device_id, question):
            self.answer(device_id, question)
