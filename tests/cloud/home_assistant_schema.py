"""What Home Assistant takes in the discovery of a device, as JSON Schema.

Written from its documentation of the MQTT integration (device discovery, sensor, binary sensor, switch) and
of the sensor integration (device classes, their units and state classes) as of release 2025.4.
"""

from typing import Any

TOPIC = {"type": "string", "pattern": "^[^#+]+$"}
TEXT = {"type": "string", "minLength": 1}
TEMPLATE = {"type": "string", "pattern": r"\{\{.*\}\}"}
CATEGORY = {"enum": ["config", "diagnostic"]}

# Of an entity of any kind.
ENTITY: dict[str, Any] = {
    "platform": TEXT,
    "name": TEXT,
    "unique_id": {"type": "string", "pattern": "^[a-zA-Z0-9_-]+$"},
    "state_topic": TOPIC,
    "value_template": TEMPLATE,
    "entity_category": CATEGORY,
    "json_attributes_topic": TOPIC,
    "json_attributes_template": TEMPLATE,
}
_REQUIRED = ["platform", "name", "unique_id", "state_topic", "value_template"]


def _entity(platform: str, more: dict[str, Any], required: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": ENTITY | {"platform": {"const": platform}} | more,
        "required": [*_REQUIRED, *required],
        "additionalProperties": False,
    }


_PRECISION = {"suggested_display_precision": {"type": "integer", "minimum": 0}}
_LAST_RESET = {"last_reset_value_template": TEMPLATE}


def _measured(device_class: str, units: Any, state_classes: list[str], **more: Any) -> dict[str, Any]:
    return _entity(
        "sensor",
        _PRECISION
        | more
        | {
            "device_class": {"const": device_class},
            "unit_of_measurement": units,
            "state_class": {"enum": state_classes},
        },
        ("unit_of_measurement", "state_class"),
    )


SENSORS = [
    _entity("sensor", {}),  # of text: no unit, no classes
    _entity(
        "sensor",
        {"device_class": {"const": "enum"}, "options": {"type": "array", "items": TEXT, "minItems": 1}},
        ("options",),
    ),
    _measured("power", {"enum": ["mW", "W", "kW", "MW"]}, ["measurement"]),
    _measured("energy", {"enum": ["mWh", "Wh", "kWh", "MWh"]}, ["total_increasing"]),
    _measured("energy", {"enum": ["mWh", "Wh", "kWh", "MWh"]}, ["total"], **_LAST_RESET),
    _measured("monetary", {"type": "string", "pattern": "^[A-Z]{3}$"}, ["total"], **_LAST_RESET),
    _measured("signal_strength", {"enum": ["dB", "dBm"]}, ["measurement"]),
]
BINARY_SENSOR = _entity("binary_sensor", {"device_class": {"enum": ["connectivity", "problem"]}})
SWITCH = _entity(
    "switch", {"command_topic": TOPIC, "payload_on": TEXT, "payload_off": TEXT}, ("command_topic",)
)
REMOVED = {
    "type": "object",
    "properties": {"platform": {"enum": ["sensor", "binary_sensor", "switch"]}},
    "required": ["platform"],
    "additionalProperties": False,
}

DEVICE_DISCOVERY: dict[str, Any] = {
    "type": "object",
    "properties": {
        "device": {
            "type": "object",
            "properties": {
                "identifiers": {"type": "array", "items": TEXT, "minItems": 1},
                "name": TEXT,
                "manufacturer": TEXT,
                "model": TEXT,
                "serial_number": TEXT,
                "sw_version": TEXT,
                "suggested_area": TEXT,
            },
            "required": ["identifiers", "name"],
            "additionalProperties": False,
        },
        "origin": {"type": "object", "properties": {"name": TEXT}, "required": ["name"]},
        "availability_topic": TOPIC,
        "components": {
            "type": "object",
            "propertyNames": {"pattern": "^[a-zA-Z0-9_-]+$"},
            "additionalProperties": {"oneOf": [*SENSORS, BINARY_SENSOR, SWITCH, REMOVED]},
        },
    },
    "required": ["device", "origin", "components"],
    "additionalProperties": False,
}
