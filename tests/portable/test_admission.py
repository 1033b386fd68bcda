"""Every reason to refuse an order, and which of several is told."""

from pile import admission
from pile.connector import Connector
from pile.readings import MeterTraits, Readings
from pile.safety import Limits
from pile_protocol import messages
from tests.portable.kit import (
    AT,
    DEVICE_ID,
    KEY,
    OTHER_KEY,
    REGISTER_MWH,
    latched,
    order,
    raises,
    rate,
    sealed,
)

STEP = [AT - 3_600, 1_000_000, 800_000, "flat"]


def read(data, key=KEY):
    return admission.read_order(data, key)


def refusal(data):
    error = raises(admission.Refusal, read, data)
    return error.reason, error.order_id


def test_a_sound_order_is_read_whole():
    value = read(sealed(order()))
    assert value["order_id"] == "o1" and value["rate"]["steps"] == [STEP]


def test_bytes_that_are_no_order():
    whole = sealed(order())
    for data, reason, order_id in (
        (b"", "Malformed", None),
        (b"\x00\xff\xfe", "Malformed", None),
        (b"[]", "Malformed", None),
        (b"{", "Malformed", None),
        (b"x" * 100_000, "Malformed", None),
        (whole[:-1], "Malformed", None),
        (b"{}", "BadSeal", None),
        (b'{"order_id":"o1"}', "BadSeal", "o1"),
        (b'{"order_id":"no blanks here"}', "BadSeal", None),
        (b'{"order_id":5}', "BadSeal", None),
        (sealed(order(), OTHER_KEY), "BadSeal", "o1"),
        (whole.replace(b'"connector":1', b'"connector":2'), "BadSeal", "o1"),
        (whole + b" ", "BadSeal", "o1"),
        (sealed(order(connector=0)), "Malformed", "o1"),
        (sealed(order(limits={})), "Malformed", "o1"),
        (sealed(order(kind="command")), "Malformed", "o1"),
        (sealed(order(order_id="")), "Malformed", None),
    ):
        assert refusal(data) == (reason, order_id), data[:60]


def test_an_order_larger_than_its_bound_is_refused_unread():
    padded = order(padding="x" * (messages.ORDER_MAX_BYTES - len(sealed(order(padding="")))))
    assert len(sealed(padded)) == messages.ORDER_MAX_BYTES
    read(sealed(padded))
    padded["padding"] += "x"
    assert refusal(sealed(padded)) == ("Malformed", None)


def check(at=AT, connectors=1, **changes):
    return admission.reason_to_refuse(order(**changes), DEVICE_ID, connectors, at)


def steps(*begins):
    return [[begin, 1, 1, "flat"] for begin in begins]


# (the clock, what the order says, the reason)
ORDERS = (
    (AT, {}, None),
    (AT, {"device_id": "pile-0002"}, "WrongDevice"),
    (AT, {"connector": 2}, "UnknownConnector"),
    (None, {}, "NoClock"),
    (None, {"expires_at": AT + 301}, "Malformed"),
    (AT + 59, {}, None),
    (AT + 60, {}, "Expired"),
    (AT + 10**6, {}, "Expired"),
    (AT - 30, {}, None),
    (AT - 31, {}, "NotYetValid"),
    (AT, {"expires_at": AT + 300}, None),
    (AT, {"expires_at": AT + 301}, "Malformed"),
    # the whole of the longest charge that could still start must have its price
    (AT, {"rate": rate(until_at=AT + 60 + 3_600)}, None),
    (AT, {"rate": rate(until_at=AT + 60 + 3_599)}, "PricesIncomplete"),
    (AT, {"rate": rate(steps=steps(AT))}, None),
    (AT, {"rate": rate(steps=steps(AT + 1))}, "PricesIncomplete"),
    (AT - 10, {"rate": rate(steps=steps(AT))}, None),  # the pile's clock may lag: the order proves it is AT
    (AT - 10, {"rate": rate(steps=steps(AT + 1))}, "PricesIncomplete"),
    (AT, {"rate": rate(steps=steps(AT - 9, AT, AT + 1))}, None),
    (AT, {"rate": rate(steps=steps(AT - 9, AT, AT))}, "PricesIncomplete"),
    (AT, {"rate": rate(steps=steps(AT - 9, AT + 5, AT + 1))}, "PricesIncomplete"),
    (AT, {"rate": rate(steps=steps(AT - 9, AT + 3_660), until_at=AT + 3_660)}, "PricesIncomplete"),
    # of several reasons the first one asked
    (None, {"device_id": "pile-0002", "connector": 2}, "WrongDevice"),
    (None, {"connector": 2}, "UnknownConnector"),
    (AT + 60, {"rate": rate(until_at=AT)}, "Expired"),
)


def test_each_reason_in_the_order_itself():
    for i, (at, changes, reason) in enumerate(ORDERS):
        assert check(at, **changes) == reason, (i, changes, reason)


def test_an_order_expires_with_its_very_second_whatever_its_length():
    for life_s in (1, 60, 300):
        assert check(AT + life_s - 1, expires_at=AT + life_s) is None
        assert check(AT + life_s, expires_at=AT + life_s) == "Expired"


NOW_MS = 10_000


def connector(
    fault=None, order=None, register_mwh=REGISTER_MWH, at_ms=NOW_MS, plugged=True, opened_ms=0, **flags
):
    made = Connector(1, Readings(MeterTraits(refresh_ms=500)), Limits(), latched(fault), 0)
    readings = made.readings
    if register_mwh is not None:
        readings.register_mwh.take(register_mwh, at_ms)
    if plugged is None:
        readings.plugged.lose()
    elif plugged != "absent":
        readings.plugged.take(plugged, NOW_MS)
    made.opened_ms = opened_ms
    made.order = order
    for name in flags:
        setattr(readings, name, flags[name])
    return made


def test_each_reason_at_the_connector():
    for i, (made, reason) in enumerate(
        (
            (connector(), None),
            (connector(order="any"), "ConnectorBusy"),
            (connector("GroundFailure"), "ConnectorFaulted"),
            (connector(estop=True), "ConnectorFaulted"),
            (connector(stop_button=True), "ConnectorFaulted"),
            (connector(plugged=False), "NotPlugged"),
            (connector(plugged=None), "NotPlugged"),
            (connector(plugged="absent"), None),
            (connector(register_mwh=None), "NoMeter"),
            (connector(register_mwh=0), None),
            (connector("GroundFailure", "any", plugged=False), "ConnectorBusy"),
            (connector("GroundFailure", plugged=False), "ConnectorFaulted"),
            (connector(plugged=False, register_mwh=None), "NotPlugged"),
            (connector(opened_ms=None), "TooSoon"),
            # the first reading of an order shows all that flowed in the order before
            (connector(opened_ms=NOW_MS - 500), None),
            (connector(opened_ms=NOW_MS - 499), "TooSoon"),
            (connector(opened_ms=NOW_MS - 5_000, at_ms=NOW_MS - 4_501), "TooSoon"),
        )
    ):
        assert admission.reason_not_ready(made, NOW_MS) == reason, (i, reason)
