"""Valid messages of one pile, to be changed by a test, and the bytes that cross the broker for them."""

from __future__ import annotations

import unicodedata
from typing import Any

from pile_protocol import messages, pricing, seal, topics
from tools.console.capture import LinkChange, Message
from tools.console.reading import Reading, read

DEVICE = "PILE-1"
KEY = bytes(range(32))
AT = 1_790_000_000
AT_MS = AT * 1000
MAC = "0" * 64
NONCE = "0123456789abcdef"
LOCKED: dict[str, Any] = {
    "rate_id": "r-1",
    "currency": "CNY",
    "minor_digits": 2,
    "session_fee_minor": 50,
    "steps": [[AT, 800_000, 400_000, "flat"]],
    "until_at": AT + 86_400,
}
VALID: dict[str, dict[str, Any]] = {
    topics.RATE: {
        "rate_id": "r-1",
        "currency": "CNY",
        "minor_digits": 2,
        "session_fee_minor": 50,
        "time_zone": "Asia/Shanghai",
        "periods": [[0, 400_000, 200_000, "valley"], [420, 800_000, 400_000, "flat"]],
        "published_at": AT,
    },
    topics.ORDER: {
        "kind": "order",
        "device_id": DEVICE,
        "connector": 1,
        "order_id": "o-1",
        "issued_at": AT,
        "expires_at": AT + 60,
        "limits": {"energy_mwh": 5_000_000, "cost_minor": 2_000, "duration_s": 3_600},
        "rate": LOCKED,
    },
    topics.COMMAND: {
        "kind": "command",
        "device_id": DEVICE,
        "action": "stop",
        "order_id": "o-1",
        "issued_at": AT,
        "expires_at": AT + 60,
    },
    topics.TIME: {"kind": "time", "device_id": DEVICE, "nonce": NONCE, "at": AT},
    topics.SETTLEMENT_ACK: {
        "kind": "ack",
        "device_id": DEVICE,
        "order_id": "o-1",
        "seq": 7,
        "settlement_mac": MAC,
        "status": "Stored",
    },
    topics.HELLO: {
        "device_id": DEVICE,
        "firmware": "0.1.0",
        "nonce": NONCE,
        "connectors": 2,
        "orders": [["o-1", "Charging"]],
        "last_seq": 6,
        "outbox": 0,
    },
    topics.ORDER_STATUS: {"order_id": "o-1", "connector": 1, "state": "Charging", "reason": None, "at": AT},
    topics.STATUS: {
        "online": True,
        "firmware": "0.1.0",
        "connectors": [
            {"connector": 1, "status": "Charging", "fault": None, "plugged": True, "order_id": "o-1"},
            {"connector": 2, "status": "Available", "fault": None, "plugged": False, "order_id": None},
        ],
        "heap_free_bytes": 43_210,
        "heap_min_free_bytes": 21_098,
        "clock": "Cloud",
        "outbox": 3,
        "outbox_full": False,
        "dropped": 11,
        "damaged": 12,
        "late_max_ms": 13,
        "at": AT,
    },
    topics.METER: {
        "order_id": "o-1",
        "connector": 1,
        "at": AT,
        "register_mwh": 9_876_543_210,
        "energy_mwh": 1_234_567,
        "power_mw": 7_010_000,
        "cost_minor": 198,
        "elapsed_s": 634,
        "remaining": {"energy_mwh": 3_765_433, "cost_minor": 1_802, "duration_s": 2_966},
    },
    topics.SETTLEMENT: {
        "kind": "settlement",
        "device_id": DEVICE,
        "connector": 1,
        "order_id": "o-1",
        "seq": 7,
        "prev_mac": None,
        "rate_id": "r-1",
        "rate_digest": pricing.digest(LOCKED),
        "start_register_mwh": 0,
        "end_register_mwh": 2_000_000,
        "energy_mwh": 2_000_000,
        "started_at": AT,
        "ended_at": AT + 1_000,
        "periods": [[AT, 800_000, 400_000, "flat", 2_000_000, 160, 80]],
        "session_fee_minor": 50,
        "currency": "CNY",
        "minor_digits": 2,
        "total_minor": 290,
        "stop_reason": "Remote",
        "firmware": "0.1.0",
        "recovered": False,
    },
    topics.UPDATE: {
        "kind": "update",
        "device_id": DEVICE,
        "issued_at": AT,
        "expires_at": AT + 3_600,
        "release": 12,
        "manifest": "{}",
        "signature": 2 * MAC,
    },
    topics.UPDATE_ASK: {"release": 12, "file": MAC, "offset": 1_536, "bytes": 1_536},
    topics.UPDATE_CHUNK: {"release": 12, "file": MAC, "offset": 1_536, "data": "c3VtIQ=="},
    topics.UPDATE_STATUS: {
        "release": 12,
        "state": "Downloading",
        "done_bytes": 3_072,
        "total_bytes": 65_536,
    },
    topics.CONFIG: {
        "kind": "config",
        "device_id": DEVICE,
        "issued_at": AT,
        "expires_at": AT + 3_600,
        "version": 3,
        "values": {"wifi2": {"ssid": "充电站", "password": ""}, "ntp": None},
    },
}
FAULT = {"connector": 2, "status": "Faulted", "fault": "GroundFailure", "plugged": False, "order_id": None}
SEALED = (
    *(topics.ORDER, topics.COMMAND, topics.TIME, topics.SETTLEMENT_ACK, topics.SETTLEMENT),
    *(topics.UPDATE, topics.CONFIG),
)


def is_harmless(text: str) -> bool:
    """Whether no character of it could steer a terminal, and every one can be written as UTF-8."""
    return not any(unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in text)


def payload(name: str, key: bytes = KEY, **changes: Any) -> bytes:
    """The bytes of a valid message of topic `name`, but for `changes`, sealed where that kind is."""
    text = messages.encode({**VALID[name], **changes})
    return seal.seal(text, key) if name in SEALED else text.encode()


def message(
    name: str,
    device_id: str = DEVICE,
    at_ms: int = AT_MS,
    key: bytes = KEY,
    raw: bytes | None = None,
    **changes: Any,
) -> Message:
    """raw: instead of a valid payload."""
    if "device_id" in VALID.get(name, {}):
        changes.setdefault("device_id", device_id)
    data = payload(name, key, **changes) if raw is None else raw
    return Message.arrived(at_ms, topics.topic(device_id, name), data, False)


def reading(name: str, **options: Any) -> Reading:
    """As the console reads it, with the key at hand."""
    return read(message(name, **options), lambda _device_id: KEY)


CHARGING = [LinkChange(AT_MS, True, "connected")] + [
    message(name) for name in (topics.RATE, topics.STATUS, topics.ORDER, topics.METER)
]
