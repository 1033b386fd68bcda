"""Whether an order may start: every reason to refuse one."""

from pile_protocol import messages, seal
from pile_protocol.errors import MessageError, SealError

from .readings import VALID
from .safety import has_plug_switch

FUTURE_S = 30  # how far the cloud's clock may run ahead of the pile's
ID_LIFE_S = messages.MAX_ORDER_LIFE_S + FUTURE_S  # after that no order of now is valid
FREE_BYTES_MIN = 65_536  # flash that must be free: the order, its price steps, and its settlement

# The pile's clock may be wrong: it asks for the time anew.
DOUBTS_CLOCK = ("Expired", "NotYetValid", "NoClock")
# Refused without a write to flash: the order was not this pile's, can never be valid, or many may come fast
# after each other. Their ids are remembered in RAM alone.
KEEPS_ID = ("UsedOrder", "WrongDevice", "Malformed", "Expired", "TooSoon", "FeedBusy")


class Refusal(Exception):
    """`reason` is one of wire.REJECT_REASONS; order_id: None if the message does not tell."""

    def __init__(self, reason, order_id=None):
        super().__init__(reason)
        self.reason = reason
        self.order_id = order_id


def read_order(data, key):
    """The order in sealed bytes. Raises Refusal: Malformed or BadSeal."""
    order_id = None
    try:
        value = messages.parse_json(data, messages.ORDER_MAX_BYTES)
        order_id = _claimed_id(value)
        seal.check(data, key)
        messages.validate(messages.ORDER, value)
    except SealError:
        raise Refusal("BadSeal", order_id)
    except MessageError:
        raise Refusal("Malformed", order_id)
    return value


def _claimed_id(value):
    """The order_id of an unchecked message, or None if it is no order id."""
    order_id = value.get("order_id")
    try:
        messages.validate("O", order_id)
    except MessageError:
        return None
    return order_id


def reason_to_refuse(order, device_id, connectors, at):
    """The first reason in the order itself, or None. connectors: how many; `at`: Unix seconds or None."""
    if order["device_id"] != device_id:
        return "WrongDevice"
    if order["connector"] > connectors:
        return "UnknownConnector"
    if order["expires_at"] - order["issued_at"] > messages.MAX_ORDER_LIFE_S:
        return "Malformed"
    if at is None:
        return "NoClock"
    if at >= order["expires_at"]:
        return "Expired"
    if order["issued_at"] > at + FUTURE_S:
        return "NotYetValid"
    if not _prices_cover(order):
        return "PricesIncomplete"
    return None


def _prices_cover(order):
    """Whether rising steps hold from the order's making to the end of its longest possible charge."""
    rate = order["rate"]
    steps = rate["steps"]
    for i in range(1, len(steps)):
        if steps[i][0] <= steps[i - 1][0]:
            return False
    return (
        steps[0][0] <= order["issued_at"]
        and steps[-1][0] < rate["until_at"]
        and rate["until_at"] >= order["expires_at"] + order["limits"]["duration_s"]
    )


def reason_not_ready(connector, now_ms):
    """The first reason at the connector against any order at this moment, or None."""
    if connector.order is not None:
        return "ConnectorBusy"
    if connector.on_trial:
        return "OnTrial"
    if connector.out_of_service:
        return "OutOfService"
    readings = connector.readings
    if connector.fault or readings.estop or readings.stop_button:
        return "ConnectorFaulted"
    if has_plug_switch(readings) and not (readings.plugged.state == VALID and readings.plugged.value):
        return "NotPlugged"
    if readings.register_mwh.state != VALID:
        return "NoMeter"
    if not connector.is_resting(now_ms):
        return "TooSoon"
    return None


def can_bill(order, connector):
    """Whether this connector can bill everything that the order's rate is made of."""
    rate = order["rate"]
    if "time_prices" in rate and len(rate["time_prices"]) != len(rate["steps"]):
        return False
    if "idle" in rate and not has_plug_switch(connector.readings):
        return False
    minimum_minor = rate.get("minimum_minor", 0)
    if minimum_minor > rate.get("maximum_minor", minimum_minor):
        return False
    below = [0, 0]
    for tier in rate.get("tiers", ()):  # the lower of two powers is never the dearer one
        if tier[0] <= below[0] or tier[1] < below[1]:
            return False
        below = tier
    return True
