"""Configuration over the air: values that override some of config.json. config.json itself stays as written
by cable, so an older release that does not know the overrides runs with it.

config.air       the confirmed values
config.trial     values on trial, until the cloud has answered over them

{"version": 3, "values": {...}, "starts": 0, "fell_back": [2, "NoCloud"], "of": 123}, a newline, the CRC-32

version    of the values; 0: there are none
starts     how often a start has tried them
fell_back  the version that was given up last, and why; null for none
of         the CRC-32 of the config.json that they override: after it was provisioned again they do not apply
"""

import binascii
import json
import os

from pile import checksum

from .slots import replace

CONFIG = "config.json"
CONFIRMED = "config.air"
TRIAL = "config.trial"
STARTS_MAX = 3


class Overrides:
    """The values in effect. on_trial: whether they are on trial. fell_back: (version, reason), or None.
    before: the values that are confirmed.
    """

    def __init__(self):
        self._of = _crc_of_config()
        self.on_trial = False
        self._use_confirmed()
        self.before = self.values

    def start(self):
        """Counts a start with the values on trial, and uses them. Raises OSError if the flash fails."""
        trial = self._read(TRIAL)
        if trial is None or self.fell_back and self.fell_back[0] >= trial["version"]:
            return
        if trial["starts"] >= STARTS_MAX:
            self._give_up(trial["version"], "Crashed")
            return
        trial["starts"] += 1
        self._write(TRIAL, trial)
        self._use(trial)
        self.on_trial = True

    def begin_trial(self, version, values):
        """Puts these values on trial at the next start. Raises OSError."""
        self._write(TRIAL, {"version": version, "values": values, "starts": 0, "fell_back": None})

    def confirm(self):
        """Confirms the values on trial. Raises OSError."""
        if self.on_trial:
            os.rename(TRIAL, CONFIRMED)
            self.on_trial = False

    def fall_back(self, reason):
        """Gives up the values on trial; the next start has the confirmed ones. Raises OSError."""
        version = self.version
        self._use_confirmed()
        self.on_trial = False
        self._give_up(version, reason)

    def applied(self, values):
        """The values of config.json, overridden by the values in effect."""
        values = dict(values)
        for name in self.values:
            if name == "broker":
                values["broker"] = dict(values["broker"])
                values["broker"].update(self.values["broker"])
            elif name != "ca":
                values[name] = self.values[name]
        if "ca" in self.values:
            values["broker"] = dict(values["broker"])
            values["broker"]["ca_text"] = self.values["ca"]
        return values

    def merged(self, changes):
        """The values with the changes of a topics.CONFIG message; null removes a value."""
        values = dict(self.values)
        for name in changes:
            if changes[name] is None:
                values.pop(name, None)
            else:
                values[name] = changes[name]
        return values

    def is_new(self, name):
        """Whether the value of this name is on trial."""
        return self.on_trial and self.values.get(name) != self.before.get(name)

    def _use_confirmed(self):
        self._use(self._read(CONFIRMED) or {"version": 0, "values": {}, "fell_back": None})

    def _use(self, kept):
        self.version = kept["version"]
        self.values = kept["values"]
        self.fell_back = kept["fell_back"] and tuple(kept["fell_back"])

    def _give_up(self, version, reason):
        """Writes CONFIRMED, then removes TRIAL. After a power cut in between, start() finds the trial given
        up.
        """
        self.fell_back = (version, reason)
        kept = {"version": self.version, "values": self.values, "starts": 0, "fell_back": self.fell_back}
        self._write(CONFIRMED, kept)
        os.remove(TRIAL)

    def _read(self, path):
        """The members of a file; None if it is missing or cannot be used."""
        try:
            with open(path, "rb") as file:
                content = checksum.unframed(file.read())
            kept = json.loads(content) if content else None
            return kept if kept and kept["of"] == self._of else None
        except (OSError, ValueError):
            return None

    def _write(self, path, kept):
        kept["of"] = self._of
        replace(path, checksum.framed(json.dumps(kept).encode()))


def _crc_of_config():
    try:
        with open(CONFIG, "rb") as file:
            return binascii.crc32(file.read()) & 0x3FFFFFFF  # a small int of MicroPython
    except OSError:
        return None
