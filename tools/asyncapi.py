"""docs/asyncapi.yaml from the field tables of pile_protocol: AsyncAPI 3.0 with JSON Schemas (draft-07).

python -m tools.asyncapi --write     regenerate
python -m tools.asyncapi --check     exit 1 where the file is not what the tables say
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass
from typing import Any

import yaml

from pile_protocol import fields, messages, topics, wire
from tools import ROOT

PATH = ROOT / "docs" / "asyncapi.yaml"
Schema = dict[str, Any]

# By the end of a name; those of whole names first.
UNITS = {
    "price": "10^-6 of the currency per hour",
    "time_prices": "10^-6 of the currency per hour",
    "_ms": "milliseconds",
    "_mwh": "milliwatt-hours",
    "_mw": "milliwatts",
    "_ma": "milliamperes",
    "_at": "Unix seconds, UTC",
    "_s": "seconds",
    "_minor": "minor units of the currency",
    "_price": "10^-6 of the currency per kWh",
    "_bytes": "bytes",
    "_minute": "minutes after local midnight",
}


@dataclass(frozen=True)
class Topic:
    summary: str
    qos: int = 1
    retained: bool = False
    sealed: bool = False


TOPICS = {
    topics.RATE: Topic(
        "The rate of connector 1 with the periods of today, for displays. No order is priced by it.",
        retained=True,
    ),
    topics.ORDER: Topic("A charging order with its locked rate, expanded to absolute time.", sealed=True),
    topics.COMMAND: Topic("Stop an order, reset a fault latched before issued_at, or report.", sealed=True),
    topics.TIME: Topic("The time, in answer to the nonce of a hello.", sealed=True),
    topics.SETTLEMENT_ACK: Topic(
        "The settlement is committed to the database: the pile may forget it.", sealed=True
    ),
    topics.HELLO: Topic(
        "Greeting on every connect; the cloud answers with the time and re-sends what is open."
    ),
    topics.ORDER_STATUS: Topic("Accepted, or Rejected with a reason, then each change of the order."),
    topics.STATUS: Topic(
        "State of the pile and its connectors; the last will is online: false.", retained=True
    ),
    topics.METER: Topic(
        "While charging: register, power, current, cost so far, and what remains of each limit.", qos=0
    ),
    topics.SETTLEMENT: Topic(
        "The end of an order, standing alone; sent again until acknowledged.", sealed=True
    ),
    topics.UPDATE: Topic("Offers a signed release, or drops the download of one.", sealed=True),
    topics.UPDATE_ASK: Topic("Asks for a part of a file of the offered release, one at a time.", qos=0),
    topics.UPDATE_CHUNK: Topic(
        "The part that was asked for. Not sealed: the manifest is signed and names each file by its SHA-256.",
        qos=0,
    ),
    topics.UPDATE_STATUS: Topic("How far a release or a configuration has come on the pile."),
    topics.CONFIG: Topic(
        "Values of the configuration, on trial until the cloud has answered over them.", sealed=True
    ),
}

SEALED_NOTE = (
    'Sealed: the last member is "mac", HMAC-SHA256 with the device\'s key over every byte before `,"mac"`'
    " (docs/protocol.md)."
)


def _camel(constant: str) -> str:
    return "".join(word.capitalize() for word in re.split(r"[_/]", constant))


def _named() -> dict[int, str]:
    """The composite checks that the tables give a name: they become $refs."""
    return {
        id(value): _camel(name)
        for name, value in {**vars(messages), **vars(wire)}.items()
        if isinstance(value, (fields.Table, fields.Row))
    }


def _pattern(alphabet: str | None) -> str:
    """A regular expression for text of these characters, runs written as ranges."""
    if alphabet is None:
        return "^[ -~]*$"
    codes = sorted({ord(c) for c in alphabet})
    runs: list[list[int]] = []
    for code in codes:
        if runs and code == runs[-1][1] + 1:
            runs[-1][1] = code
        else:
            runs.append([code, code])
    parts = [re.escape(chr(a)) if a == b else f"{chr(a)}-{chr(b)}" for a, b in runs]
    return "^[" + "".join(sorted(parts, key=len, reverse=True)) + "]*$"


def _unit(name: str) -> str | None:
    for suffix, unit in UNITS.items():
        if name == suffix or (suffix[0] == "_" and (name.endswith(suffix) or name == suffix[1:])):
            return unit
    return None


def schema(name: str, field: Any, named: dict[int, str], top: bool = False) -> Schema:
    """The JSON Schema of one check of fields.py; `name` has the unit. Raises TypeError for other kinds."""
    if not top and id(field) in named:
        return {"$ref": f"#/components/schemas/{named[id(field)]}"}
    if isinstance(field, fields.Int):
        described: Schema = {"type": "integer", "minimum": field.low, "maximum": field.high}
        unit = _unit(name)
        return {**described, "description": unit} if unit else described
    if isinstance(field, fields.Bool):
        return {"type": "boolean"}
    if isinstance(field, fields.Text):
        bounds = {"minLength": field.low, "maxLength": field.high}
        pattern = {} if field.alphabet == "" else {"pattern": _pattern(field.alphabet)}
        return {"type": "string", **bounds, **pattern}
    if isinstance(field, fields.OneOf):
        return {"type": "string", "enum": list(field.words)}
    if isinstance(field, fields.Nullable):
        return {"oneOf": [{"type": "null"}, schema(name, field.inner, named)]}
    if isinstance(field, fields.Array):
        items = schema(name, field.item, named)
        return {"type": "array", "minItems": field.low, "maxItems": field.high, "items": items}
    if isinstance(field, fields.Row):
        columns = [{"title": column, **schema(column, inner, named)} for column, inner in field.fields]
        bounds = {"minItems": len(columns), "maxItems": len(columns)}
        return {"type": "array", **bounds, "items": columns, "additionalItems": False}
    if isinstance(field, fields.Table):
        properties = {member: schema(member, inner, named) for member, _, inner in field.fields}
        required = [member for member, optional, _ in field.fields if not optional]
        closed: Schema = {"additionalProperties": False} if field.closed else {}
        return {"type": "object", "required": required, "properties": properties, **closed}
    raise TypeError(f"no JSON Schema is known for a {type(field).__name__}")


def document() -> Schema:
    """The AsyncAPI document, seen from the pile: it receives what is downward and sends what is upward."""
    named = _named()
    channels: Schema = {}
    operations: Schema = {}
    wire_messages: Schema = {}
    for name, table in wire.BY_TOPIC.items():
        facts = TOPICS[name]
        key = _camel(name)
        summary = f"{facts.summary} {SEALED_NOTE}" if facts.sealed else facts.summary
        max_bytes = wire.MAX_BYTES.get(name, messages.MESSAGE_MAX_BYTES)
        channels[key] = {
            "address": topics.topic("{device_id}", name),
            "description": f"{facts.summary} At most {max_bytes} bytes.",
            "parameters": {"device_id": {"$ref": "#/components/parameters/device_id"}},
            "messages": {key: {"$ref": f"#/components/messages/{key}"}},
        }
        operations[("receive" if name in topics.DOWNWARD else "send") + key] = {
            "action": "receive" if name in topics.DOWNWARD else "send",
            "channel": {"$ref": f"#/channels/{key}"},
            "bindings": {"mqtt": {"qos": facts.qos, "retain": facts.retained}},
        }
        wire_messages[key] = {
            "name": key,
            "summary": summary,
            "contentType": "application/json",
            "payload": {"$ref": f"#/components/schemas/{named[id(table)]}"},
        }
    composites = [value for value in {**vars(messages), **vars(wire)}.values() if id(value) in named]
    schemas = {named[id(value)]: schema("", value, named, top=True) for value in composites}
    device_id = wire.DEVICE_ID
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "RateLock pile protocol",
            "version": "1.0.0",
            "description": "MQTT 3.1.1 between a charging pile and its cloud, seen from the pile."
            " Generated from firmware/pile_protocol/wire.py by tools/asyncapi.py: `make docs`.",
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "broker": {
                "host": "127.0.0.1:1883",
                "protocol": "mqtt",
                "protocolVersion": "3.1.1",
                "security": [{"$ref": "#/components/securitySchemes/device"}],
            }
        },
        "channels": channels,
        "operations": operations,
        "components": {
            "securitySchemes": {
                "device": {
                    "type": "userPassword",
                    "description": "Username: the device id. Password: derived from the device's key.",
                }
            },
            "parameters": {
                "device_id": {
                    "description": f"{device_id.low} to {device_id.high} characters, "
                    + _pattern(device_id.alphabet)
                }
            },
            "messages": wire_messages,
            "schemas": schemas,
        },
    }


def text() -> str:
    header = "# Generated by tools/asyncapi.py from firmware/pile_protocol/wire.py. Do not edit: make docs.\n"
    return header + yaml.safe_dump(document(), sort_keys=False, width=110, allow_unicode=True)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tools.asyncapi", description="The wire, as docs/asyncapi.yaml."
    )
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--write", action="store_true")
    mode.add_argument("--check", action="store_true")
    options = parser.parse_args(argv)
    if options.write:
        PATH.write_text(text())
        return 0
    if not PATH.exists() or PATH.read_text() != text():
        print(
            f"{PATH.relative_to(ROOT)} is not what the tables say; run `make docs` and commit it",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
