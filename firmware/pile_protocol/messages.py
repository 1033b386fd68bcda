"""The messages that a pile reads, as tables of fields with bounds, and the one validator.

The messages that a pile only writes stand in wire.py, because their tables would take heap in a pile.
The suffix of a name is its unit: _mwh milliwatt-hours, _mw milliwatts, _at Unix seconds UTC, _s seconds,
_minor minor units of the currency, _price 10^-6 currency per kWh, _bytes bytes.
docs/asyncapi.yaml is generated from these tables.
"""

import json

from . import topics
from .errors import MessageError
from .fields import Array, Int, OneOf, Row, Table, Text

ORDER_MAX_BYTES = 8192
MESSAGE_MAX_BYTES = 16384  # the largest upward message is a settlement of MAX_STEPS periods
MAX_STEPS = 100  # a day of quarter hours, one more for the start, three to spare
MAX_CONNECTORS = 8
MAX_DURATION_S = 86_400
MAX_ORDER_LIFE_S = 300  # expires_at - issued_at
MAX_ENERGY_MWH = 10**9
MAX_PRICE = 10**12
MAX_MINOR = 10**12

ALNUM = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
HEX = "0123456789abcdef"

DEVICE_ID = Text(3, 32, ALNUM + "-_")
ORDER_ID = Text(1, 40, ALNUM + "-_")
RATE_ID = Text(1, 40, ALNUM + "-_")
CURRENCY = Text(3, 3, ALNUM[:26])
MAC = Text(64, 64, HEX)
NONCE = Text(16, 16, HEX)
AT = Int(1_600_000_000, 4_102_444_800)  # from 2020 to 2100
MINOR = Int(0, MAX_MINOR)
MINOR_DIGITS = Int(0, 4)
PRICE = Int(0, MAX_PRICE)
CONNECTOR = Int(1, MAX_CONNECTORS)
COUNT = Int(0, 2**31 - 1)
PERIOD_LABELS = ("flat", "sharp", "peak", "valley")
LABEL = OneOf(PERIOD_LABELS)

LIMITS = Table(
    ("energy_mwh?", Int(1, MAX_ENERGY_MWH)),
    ("cost_minor?", Int(1, MAX_MINOR)),
    ("duration_s", Int(1, MAX_DURATION_S)),
    closed=True,
)

STEP = Row(("from_at", AT), ("electricity_price", PRICE), ("service_price", PRICE), ("label", LABEL))

LOCKED_RATE = Table(
    ("rate_id", RATE_ID),
    ("currency", CURRENCY),
    ("minor_digits", MINOR_DIGITS),
    ("session_fee_minor", MINOR),
    ("steps", Array(STEP, 1, MAX_STEPS)),
    ("until_at", AT),  # where the last step ends
    closed=True,
)

ORDER = Table(
    ("kind", OneOf(("order",))),
    ("device_id", DEVICE_ID),
    ("connector", CONNECTOR),
    ("order_id", ORDER_ID),
    ("issued_at", AT),
    ("expires_at", AT),
    ("limits", LIMITS),
    ("begin_within_s?", Int(1, MAX_DURATION_S)),  # how long the vehicle may take to begin; the board bounds it
    ("full_after_s?", Int(1, MAX_DURATION_S)),  # how long next to no power means full; the board bounds it
    ("rate", LOCKED_RATE),
    ("mac", MAC),
)

COMMAND = Table(
    ("kind", OneOf(("command",))),
    ("device_id", DEVICE_ID),
    ("action", OneOf(("stop", "reset", "report"))),
    ("order_id?", ORDER_ID),  # stop: which order
    ("connector?", CONNECTOR),  # reset: which connector's fault
    ("issued_at", AT),
    ("expires_at", AT),
    ("mac", MAC),
)

TIME = Table(
    ("kind", OneOf(("time",))),
    ("device_id", DEVICE_ID),
    ("nonce", NONCE),  # of the hello that it answers
    ("at", AT),
    ("mac", MAC),
)

SETTLEMENT_ACK = Table(
    ("kind", OneOf(("ack",))),
    ("device_id", DEVICE_ID),
    ("order_id", ORDER_ID),
    ("seq", COUNT),
    ("settlement_mac", MAC),
    ("status", OneOf(("Stored",))),
    ("mac", MAC),
)

BY_TOPIC = {
    topics.ORDER: ORDER,
    topics.COMMAND: COMMAND,
    topics.TIME: TIME,
    topics.SETTLEMENT_ACK: SETTLEMENT_ACK,
}


def parse_json(data, max_bytes=MESSAGE_MAX_BYTES, loads=json.loads):
    """The JSON object in `data` (bytes). Raises MessageError: too large, not JSON in UTF-8, not an object.

    loads: parses the text; raises ValueError if it is not JSON.
    """
    if len(data) > max_bytes:
        raise MessageError("message", "is larger than %d bytes" % max_bytes)
    try:
        value = loads(str(data, "utf-8"))
    except (ValueError, RuntimeError, MemoryError):  # the last two for deep nesting
        raise MessageError("message", "is not JSON in UTF-8")
    if type(value) is not dict:
        raise MessageError("message", "must be a JSON object")
    return value


def validate(table, value):
    """Raises MessageError for the first field of `value` that its table does not allow."""
    table.check("", value)


def decode(name, data):
    """The message of topic `name` (one that a pile reads) in `data` (bytes), checked field by field.
    Raises MessageError. Does not check the seal: see seal.check.
    """
    value = parse_json(data)
    validate(BY_TOPIC[name], value)
    return value


def encode(value):
    """Compact JSON text of a message."""
    return json.dumps(value, separators=(",", ":"))
