"""config.json: who this pile is and where its broker is. Written by tools/board/provision.py
or the simulator.

{"device_id": "PILE-1", "key": "<64 hex digits>",
 "broker": {"host": "...", "port": 8883, "ca": "ca.pem", "keepalive_s": 30},   ca: the file that makes it TLS
 "wifi": {"ssid": "...", "password": "..."}, "ntp": "pool.ntp.org"}
"""

import json

from pile_protocol import messages, seal
from pile_protocol.errors import MessageError, ProtocolError
from pile_protocol.fields import Int, Table, Text


class ConfigError(Exception):
    """The text says what is wrong with the configuration and what to do."""


class Config:
    """The checked values; `key` is bytes."""

    def __init__(self, values):
        self.device_id = values["device_id"]
        self.key = seal.parse_key(values["key"])
        self.broker = values["broker"]
        self.wifi = values.get("wifi")
        self.ntp = values.get("ntp")


class _NetworkName:
    """The name of a Wi-Fi: text of any script, 1 to 32 bytes as UTF-8 (IEEE 802.11, SSID)."""

    def check(self, path, value):
        try:
            fits = type(value) is str and 1 <= len(value.encode()) <= 32 and min(value) >= " "
        except ValueError:  # half a character
            fits = False
        if not fits:
            raise MessageError(path, "must be text of 1 to 32 bytes in UTF-8")


def _table():
    """Made when asked: it is needed once, and is a kilobyte of heap."""
    return Table(
        ("device_id", messages.DEVICE_ID),
        ("key", Text(64, 64, messages.HEX)),
        (
            "broker",
            Table(
                ("host", Text(1, 253)),
                ("port", Int(1, 65_535)),
                ("ca?", Text(1, 64)),
                ("keepalive_s?", Int(1, 3600)),
                ("backoff_max_ms?", Int(500, 600_000)),
            ),
        ),
        ("wifi?", Table(("ssid", _NetworkName()), ("password", Text(0, 63)))),
        ("ntp?", Text(1, 253)),
    )


def check(values):
    """The Config of what a config.json says. Raises ProtocolError."""
    messages.validate(_table(), values)
    return Config(values)


def load(path="config.json"):
    """The configuration in a file. Raises ConfigError."""
    try:
        with open(path) as file:
            values = json.load(file)
        return check(values)
    except OSError:
        raise ConfigError("there is no " + path + ": provision this pile")
    except ProtocolError as error:
        raise ConfigError(path + ": " + str(error) + ": provision this pile again")
    except ValueError:
        raise ConfigError(path + " is not JSON: provision this pile again")
