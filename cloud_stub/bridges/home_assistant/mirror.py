"""The retained payloads of the bridge's topics at the broker, and how they differ from the wanted ones.

The bridge subscribes to its own topics. So it also sees what it published before a restart, its own last
will, and changes by others. A topic for which no message has come counts as missing, and is published.
"""

import threading

import orjson

from .entities import Topics

KEPT_MAX_BYTES = 64 << 20  # of all kept payloads; further topics are ignored
CONFIG_MAX_BYTES = 65_536  # of a configuration that may be this bridge's
VALUES_MAX_BYTES = 4096
_TOO_LONG = b"?"


class Mirror:
    """`note` is called on the link's thread, the rest on the bridge's."""

    def __init__(self, topics: Topics):
        self._topics = topics
        self._holds: dict[str, bytes] = {}
        self._kept_bytes = 0
        self._lock = threading.Lock()

    def subscriptions(self) -> list[tuple[str, int]]:
        """(topic, QoS) of the messages for `note`."""
        topics = self._topics
        any_pile = topics.state("+"), topics.connector_state("+", "+")
        return [(each, 0) for each in (topics.availability, f"{topics.prefix}/device/+/config", *any_pile)]

    def forget(self) -> None:
        """Treat every topic as missing."""
        with self._lock:
            self._holds.clear()
            self._kept_bytes = 0

    def note(self, topic: str, payload: bytes) -> None:
        """Note the topic's payload at the broker; an empty one means that the topic holds nothing."""
        if payload and topic.endswith("/config"):
            if not self._is_own(topic, payload):
                payload = b""
        elif len(payload) > VALUES_MAX_BYTES:
            payload = _TOO_LONG
        with self._lock:
            before = self._holds.pop(topic, None)
            if before is not None:
                self._kept_bytes -= len(topic) + len(before)
            size = len(topic) + len(payload)
            if payload and self._kept_bytes + size <= KEPT_MAX_BYTES:
                self._holds[topic] = payload
                self._kept_bytes += size

    def unchanged(self) -> dict[str, bytes]:
        """The noted payloads: as `wanted`, they make no difference."""
        with self._lock:
            return dict(self._holds)

    def differences(self, wanted: dict[str, bytes]) -> list[tuple[str, bytes]]:
        """The messages that make the broker hold exactly the wanted payloads; an empty payload clears a
        topic.

        A removed entity is first marked in its device's configuration, and left out in the next round.
        """
        holds = self.unchanged()
        changes = [
            (topic, _with_removals(holds.get(topic), payload) if topic.endswith("/config") else payload)
            for topic, payload in wanted.items()
            if holds.get(topic) != payload
        ]
        return changes + [(topic, b"") for topic in holds if topic not in wanted]

    def _is_own(self, topic: str, payload: bytes) -> bool:
        """Other programs publish configurations beside these; theirs name another availability topic."""
        own_configs = f"{self._topics.prefix}/device/{self._topics.base}_"
        if not topic.startswith(own_configs) or len(payload) > CONFIG_MAX_BYTES:
            return False
        return _parsed(payload).get("availability_topic") == self._topics.availability


def _with_removals(before: bytes | None, payload: bytes) -> bytes:
    """The configuration `payload`, with the entities that only `before` has marked as removed."""
    old = _parsed(before or b"").get("components")
    config = orjson.loads(payload)
    gone = {
        key: {"platform": each["platform"]}
        for key, each in (old if isinstance(old, dict) else {}).items()
        if key not in config["components"] and isinstance(each, dict) and len(each) > 1 and "platform" in each
    }
    return orjson.dumps(config | {"components": config["components"] | gone}) if gone else payload


def _parsed(payload: bytes) -> dict[str, object]:
    try:
        value = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}
