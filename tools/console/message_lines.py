"""`--plain` and `--json`: one line for each message. A line holds no control characters."""

from __future__ import annotations

import base64
import json
from typing import Any

from tools.console import reading as readings
from tools.console.capture import LinkChange
from tools.console.formatting import clean, utc
from tools.console.reading import Reading
from tools.console.summary import UNKNOWN_MONEY, Money, summary

_MARKS = {
    readings.GOOD: "seal:good",
    readings.BAD: "seal:BAD",
    readings.UNCHECKED: "seal:?",
    readings.UNSEALED: "-",
}


def plain(reading: Reading, known: Money = UNKNOWN_MONEY) -> str:
    """Time in UTC, pile, topic name, seal, summary, and what is wrong."""
    message = reading.message
    if reading.device_id is None:
        where = clean(message.topic, 120)
    else:
        where = f"{reading.device_id:<12} {reading.name:<14}"
    line = f"{utc(message.at_ms)} {where} {_MARKS[reading.seal]:<9} {summary(reading, known)}"
    if message.retained:
        line += "  (retained)"
    return f"{line}  !! {reading.problem}" if reading.problem else line


def plain_link(change: LinkChange) -> str:
    return f"{utc(change.at_ms)} {'+++' if change.up else '---'} {clean(change.text)}"


def as_json(reading: Reading) -> str:
    """One strict JSON object: `message` as it came where it is valid JSON, else its `text` or `base64`."""
    message = reading.message
    value: dict[str, Any] = {
        "at_ms": message.at_ms,
        "topic": message.topic,
        "device_id": reading.device_id,
        "name": reading.name,
        "retained": message.retained,
        "size_bytes": message.size_bytes,
        "seal": reading.seal,
        "problem": reading.problem,
    }
    if reading.value is not None:
        try:
            return json.dumps(value | {"message": reading.value}, allow_nan=False)
        except (ValueError, RecursionError):  # NaN and infinities are no JSON, though Python reads them
            pass
    try:
        return json.dumps(value | {"text": message.payload.decode()})
    except UnicodeDecodeError:
        return json.dumps(value | {"base64": base64.b64encode(message.payload).decode()})


def json_link(change: LinkChange) -> str:
    return json.dumps({"at_ms": change.at_ms, "link": "up" if change.up else "down", "text": change.text})
