"""config.json: the pile's id and key, its broker, its Wi-Fi. Written by tools/board/provision.py or the
simulator.

{"device_id": "PILE-1", "key": "<64 hex digits>",
 "broker": {"host": "...", "port": 8883, "ca": "ca.pem", "keepalive_s": 30},   ca: the file that makes it TLS
 "wifi": {"ssid": "...", "password": "..."}, "ntp": "pool.ntp.org"}

Over the air may come (update/overrides.py): "wifi2", a network that is tried before "wifi"; "limits", lower
than the board's own; "ca_text" of the broker, the certificate itself.
"""

import json

from pile_protocol import messages, seal
from pile_protocol.errors import MessageError, ProtocolError


class ConfigError(Exception):
    """The text says what is wrong with the configuration and what to do."""


class Config:
    """The checked values; `key` is bytes.

    version, fell_back: of the values over the air, as in update.overrides. trial: the Overrides while they
    are on trial, else None.
    """

    def __init__(self, values):
        self.device_id = values["device_id"]
        self.key = seal.parse_key(values["key"])
        self.broker = values["broker"]
        self.networks = [values[name] for name in ("wifi2", "wifi") if name in values]
        self.limits = values.get("limits", {})
        self.ntp = values.get("ntp")
        self.version = 0
        self.fell_back = self.trial = None

    def tell(self, overrides):
        """Notes what of the values came over the air."""
        self.version = overrides.version
        self.fell_back = overrides.fell_back
        if overrides.on_trial:
            self.trial = overrides
            if overrides.is_new("wifi2"):  # alone: an answer over the first network would prove nothing
                self.networks = self.networks[:1]


_TABLE = (
    "{ device_id D key M broker { host t1..253p port n1..65535 ca? t1..64p ca_text? t64..3000a"
    " keepalive_s? n1..3600 backoff_max_ms? n500..600000 } wifi? { password t0..63p }"
    " wifi2? { password t0..63p } ntp? t1..253p"
    " limits? { max_current_ma? n1000..200000 max_temperature_c? n40..120 feed_ma? n1000..1000000 } }"
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
    for name in ("wifi", "wifi2"):
        if name in values:
            _check_ssid(values[name].get("ssid"))
    return Config(values)


def load(path="config.json", applied=None):
    """The configuration in a file. applied: called with its values, gives those in effect. Raises
    ConfigError.
    """
    try:
        with open(path) as file:
            values = json.load(file)
        found = check(values)
        return check(applied(values)) if applied else found
    except OSError:
        raise ConfigError("there is no " + path + ": provision this pile")
    except ProtocolError as error:
        raise ConfigError(path + ": " + str(error) + ": provision this pile again")
    except ValueError:
        raise ConfigError(path + " is not JSON: provision this pile again")
