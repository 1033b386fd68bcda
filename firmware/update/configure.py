"""A configuration over the air (topics.CONFIG): checks it, and puts it on trial at the next start."""

import json

import config
from pile_protocol.errors import ProtocolError

from . import slots
from .overrides import CONFIG, Overrides
from .updater import Refused


def take(message, controller, bounds):
    """Checks the values and writes them to flash for the trial. bounds: the board's limits, by name. Returns
    None, or the reason of a refusal, one of wire.UPDATE_REASONS.
    """
    try:
        _take(message, controller, bounds)
    except Refused as refused:
        return refused.reason
    except OSError:
        return "StorageFailure"


def _take(message, controller, bounds):
    at = controller.clock.cloud_at()
    version = message["version"]
    overrides = Overrides()
    if at is None or at >= message["expires_at"]:
        raise Refused("Expired")
    if version <= overrides.version:
        raise Refused("AlreadyRuns")
    if overrides.fell_back and version <= overrides.fell_back[0]:
        raise Refused("FellBackBefore")
    if slots.load().on_trial:
        raise Refused("OnTrial")
    if controller.reason_busy() == "OrderRuns":
        raise Refused("OrderRuns")
    overrides.values = overrides.merged(message["values"])
    for name, most in bounds.items():
        if overrides.values.get("limits", {}).get(name, 0) > most:
            raise Refused("LimitTooHigh")
    try:
        with open(CONFIG) as file:
            config.check(overrides.applied(json.load(file)))
    except (OSError, ProtocolError):
        raise Refused("BadValue")
    overrides.begin_trial(version, overrides.values)
