"""config.json: the pile's id and key, its broker, its Wi-Fi. Written by tools/board/provision.py or the
simulator.

{"device_id": "PILE-1", "key": "<64 hex digits>",
 "broker": {"host": "...", "port": 8883, "ca": "ca.pem", "keepalive_s": 30},   ca: the file that makes it TLS
 "wifi": {"ssid": "...", "password": "..."}, "ntp": "pool.ntp.org"}
"""

import json

from pile_protocol import messages, seal
from pile_protocol.errors import MessageError, ProtocolError


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


_TABLE = (
    "{ device_id D key M broker { host t1..253p port n1..65535 ca? t1..64p keepalive_s? n1..3600"
    " backoff_max_ms? n500..600000 } wifi? { password t0..63p } ntp? t1..253p }"
)


def _check_ssid(ssid):
    """The name of a Wi-Fi: text of any script, 1 to 32 bytes as UTF-8 (IEEE 802.11, SSID)."""
    try:
        fits = type(ssid) is str and 1 <= len(ssid.encode()) <= 32 and min(ssid) >= " "
    except ValueError:  # not UTF-8
        fits = False
    if not fits:
        raise MessageError("wifi.ssid", "must be text of 1 to 32 bytes in UTF-8")


def check(values):
    """The Config of what a config.json says. Raises ProtocolError."""
    messages.validate(_TABLE, values)
    if "wifi" in values:
        _check_ssid(values["wifi"].get("ssid"))
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
