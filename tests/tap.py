"""A tap that holds every message it saw against docs/asyncapi.yaml."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any

import jsonschema
import yaml

from pile_protocol import topics
from tools import ROOT
from tools.harness.broker import Broker
from tools.harness.tap import Seen
from tools.harness.tap import Tap as Recorder


@cache
def _document() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "docs" / "asyncapi.yaml").read_text())


@cache
def _validator(name: str) -> jsonschema.Draft7Validator:
    document = _document()
    address = topics.topic("{device_id}", name)
    (key,) = [key for key, channel in document["channels"].items() if channel["address"] == address]
    payload = document["components"]["messages"][key]["payload"]
    return jsonschema.Draft7Validator({**payload, "components": document["components"]})


def _no_float(text: str) -> None:
    raise ValueError(f"{text} is no whole number")


def wire_errors(name: str, payload: bytes) -> list[str]:
    """What docs/asyncapi.yaml has against a message of topic `name`; [] where nothing."""
    try:
        value = json.loads(payload, parse_float=_no_float, parse_constant=_no_float)
    except ValueError as error:
        return [f"{name}: {error}: {payload[:200]!r}"]
    return [f"{name}: {e.json_path}: {e.message}" for e in _validator(name).iter_errors(value)]


class Tap(Recorder):
    """Listens to all pile topics as the user `cloud`, can publish as that user, and validates."""

    def __init__(self, broker: Broker):
        self._excused: list[Callable[[Seen], bool]] = []
        super().__init__(broker)

    def excuse(self, matches: Callable[[Seen], bool]) -> None:
        """For messages that a test makes bad on purpose: those that match need not validate."""
        self._excused.append(matches)

    def errors(self) -> list[str]:
        """What is wrong with the messages so far, by docs/asyncapi.yaml."""
        found = [f"{topic}: not a topic of the wire" for topic in self.strangers]
        for m in self.all():
            # An empty retained message deletes one; it has no content to check.
            if m.payload and not any(matches(m) for matches in self._excused):
                found += [f"{m.device_id} {error}" for error in wire_errors(m.name, m.payload)]
        return found
