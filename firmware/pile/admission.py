"""Whether an order may start: every reason to refuse one, in the order they are asked."""

from pile_protocol import messages, seal
from pile_protocol.errors import MessageError, SealError

FUTURE_S = 30  # how far the cloud's clock may run ahead of the pile's
FREE_BYTES_MIN = 65_536  # flash that must be free: the order, its steps, and its settlement


class Refusal(Exception):
    """`reason` is one of wire.REJECT_REASONS; order_id, connector: None where the order cannot tell."""

    def __init__(self, reason, order_id=None, connector=None):
        super().__init__(reason)
        self.reason = reason
        self.order_id = order_id
        self.connector = connector


def read_order(data, key):
    """The order in sealed bytes. Raises Refusal: Malformed or BadSeal."""
    order_id = None
    try:
        value = messages.parse_json(data, messages.ORDER_MAX_BYTES)
        order_id = _named(value)
        seal.check(data, key)
        messages.validate(messages.ORDER, value)
    except SealError:
        raise Refusal("BadSeal", order_id)
    except MessageError:
        raise Refusal("Malformed", order_id)
    return value


def _named(value):
    """The order_id that a message claims, if it is one at all."""
    order_id = value.get("order_id")
    try:
        messages.validate("O", order_id)
    except MessageError:
        return None
    return order_id


def reason_to_refuse(order, device_id, connectors, at):
    """What in the order itself stands against it; None to go on. `at` is Unix seconds or None."""
    if order["device_id"] != device_id:
        return "WrongDevice"
    if order["connector"] > connectors:
        return "UnknownConnector"
    if at is None:
        return "NoClock"
    if at >= order["expires_at"]:
        return "Expired"
    if order["issued_at"] > at + FUTURE_S:
        return "NotYetValid"
    if order["expires_at"] - order["issued_at"] > messages.MAX_ORDER_LIFE_S:
        return "Malformed"
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


def reason_not_ready(connector):
    """What at the connector stands against any order now; None to go on."""
    if connector.session is not None:
        return "ConnectorBusy"
    readings = connector.readings
    if connector.latch.fault or readings.estop:
        return "ConnectorFaulted"
    if readings.plugged is False:
        return "NotPlugged"
    if readings.register_mwh is None:
        return "NoMeter"
    return None
