"""Every message of the wire as a table of fields with bounds, and the one validator.

The suffix of a name is its unit: _mwh milliwatt-hours, _mw milliwatts, _at Unix seconds UTC, _s seconds,
_minor minor units of the currency, _price 10^-6 currency per kWh, _bytes bytes.
docs/asyncapi.yaml is generated from these tables.
"""

import json

from . import topics, words
from .errors import MessageError
from .fields import Array, Bool, Int, Nullable, OneOf, Row, Table, Text

ORDER_MAX_BYTES = 8192
MESSAGE_MAX_BYTES = 16384  # the largest upward message is a settlement of MAX_STEPS periods
MAX_STEPS = 100  # a day of quarter hours, one more for the start, three to spare
MAX_CONNECTORS = 8
MAX_DURATION_S = 86_400
MAX_ORDER_LIFE_S = 300  # expires_at - issued_at
MAX_REGISTER_MWH = 10**12
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
REGISTER_MWH = Int(0, MAX_REGISTER_MWH)
ENERGY_MWH = Int(0, MAX_ENERGY_MWH)
MINOR = Int(0, MAX_MINOR)
MINOR_DIGITS = Int(0, 4)
PRICE = Int(0, MAX_PRICE)
DURATION_S = Int(0, 10 * MAX_DURATION_S)
CONNECTOR = Int(1, MAX_CONNECTORS)
COUNT = Int(0, 2**31 - 1)
LABEL = OneOf(words.PERIOD_LABELS)
FIRMWARE = Text(1, 40)

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
    ("rate", LOCKED_RATE),
    ("mac", MAC),
)

COMMAND = Table(
    ("kind", OneOf(("command",))),
    ("device_id", DEVICE_ID),
    ("action", OneOf(words.COMMAND_ACTIONS)),
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

RATE = Table(
    ("rate_id", RATE_ID),
    ("currency", CURRENCY),
    ("minor_digits", MINOR_DIGITS),
    ("session_fee_minor", MINOR),
    ("time_zone", Text(1, 64)),
    (
        "periods",
        Array(
            Row(
                ("start_minute", Int(0, 1439)),  # of the local day
                ("electricity_price", PRICE),
                ("service_price", PRICE),
                ("label", LABEL),
            ),
            1,
            96,
        ),
    ),
    ("published_at", AT),
)

HELLO = Table(
    ("device_id", DEVICE_ID),
    ("firmware", FIRMWARE),
    ("nonce", NONCE),
    ("connectors", Int(1, MAX_CONNECTORS)),
    ("orders", Array(Row(("order_id", ORDER_ID), ("state", OneOf(words.ORDER_STATES))), 0, MAX_CONNECTORS)),
    ("last_seq", COUNT),  # of the newest settlement made, 0 before the first
    ("outbox", COUNT),
)

ORDER_STATUS = Table(
    ("order_id", Nullable(ORDER_ID)),  # null: the order was too damaged to tell
    ("connector", Nullable(CONNECTOR)),
    ("state", OneOf(words.ORDER_STATES)),
    ("reason", Nullable(OneOf(words.REJECT_REASONS + words.STOP_REASONS))),
    ("at", Nullable(AT)),  # null: the pile has no clock
)

CONNECTOR_STATUS = Table(
    ("connector", CONNECTOR),
    ("status", OneOf(words.CONNECTOR_STATUSES)),
    ("fault", Nullable(OneOf(words.FAULT_CODES))),
    ("plugged", Bool()),
    ("order_id", Nullable(ORDER_ID)),
)

STATUS = Table(
    ("online", Bool()),
    ("firmware?", FIRMWARE),
    ("connectors?", Array(CONNECTOR_STATUS, 1, MAX_CONNECTORS)),
    ("heap_free_bytes?", COUNT),
    ("heap_min_free_bytes?", COUNT),
    ("clock?", OneOf(words.CLOCK_STATES)),
    ("outbox?", COUNT),
    ("outbox_full?", Bool()),
    ("dropped?", COUNT),  # inbound messages that could not be used
    ("damaged?", COUNT),  # records in flash that failed their checksum
    ("late_max_ms?", COUNT),  # by how much the control loop's latest cycle was late
    ("at?", Nullable(AT)),
)

METER = Table(
    ("order_id", ORDER_ID),
    ("connector", CONNECTOR),
    ("at", AT),
    ("register_mwh", REGISTER_MWH),
    ("energy_mwh", ENERGY_MWH),
    ("power_mw", Int(0, 10**9)),
    ("cost_minor", MINOR),
    ("elapsed_s", DURATION_S),
    (
        "remaining",
        Table(
            ("energy_mwh", Nullable(ENERGY_MWH)),
            ("cost_minor", Nullable(MINOR)),
            ("duration_s", DURATION_S),
        ),
    ),
)

SETTLEMENT = Table(
    ("kind", OneOf(("settlement",))),
    ("device_id", DEVICE_ID),
    ("connector", CONNECTOR),
    ("order_id", ORDER_ID),
    ("seq", Int(1, 2**31 - 1)),
    ("prev_mac", Nullable(MAC)),  # null in the first settlement of a device
    ("rate_id", RATE_ID),
    ("rate_digest", MAC),
    ("start_register_mwh", REGISTER_MWH),
    ("end_register_mwh", REGISTER_MWH),
    ("energy_mwh", ENERGY_MWH),
    ("started_at", AT),
    ("ended_at", AT),
    (
        "periods",
        Array(
            Row(
                ("from_at", AT),
                ("electricity_price", PRICE),
                ("service_price", PRICE),
                ("label", LABEL),
                ("energy_mwh", ENERGY_MWH),
                ("electricity_minor", MINOR),
                ("service_minor", MINOR),
            ),
            0,
            MAX_STEPS,
        ),
    ),
    ("session_fee_minor", MINOR),
    ("currency", CURRENCY),
    ("minor_digits", MINOR_DIGITS),
    ("total_minor", MINOR),
    ("stop_reason", OneOf(words.STOP_REASONS)),
    ("firmware", FIRMWARE),
    ("recovered", Bool()),  # made after a power cut
    ("mac", MAC),
)

BY_TOPIC = {
    topics.RATE: RATE,
    topics.ORDER: ORDER,
    topics.COMMAND: COMMAND,
    topics.TIME: TIME,
    topics.SETTLEMENT_ACK: SETTLEMENT_ACK,
    topics.HELLO: HELLO,
    topics.ORDER_STATUS: ORDER_STATUS,
    topics.STATUS: STATUS,
    topics.METER: METER,
    topics.SETTLEMENT: SETTLEMENT,
}


def parse_json(data, max_bytes=MESSAGE_MAX_BYTES):
    """The JSON object in `data` (bytes). Raises MessageError: too large, not UTF-8, not JSON, not an object."""
    if len(data) > max_bytes:
        raise MessageError("message", "is larger than %d bytes" % max_bytes)
    try:
        value = json.loads(str(bytes(data), "utf-8"))
    except (ValueError, RuntimeError):  # UnicodeError is a ValueError; deep nesting a RuntimeError
        raise MessageError("message", "is not JSON in UTF-8")
    if type(value) is not dict:
        raise MessageError("message", "must be a JSON object")
    return value


def validate(table, value):
    """Raises MessageError for the first field of `value` that its table does not allow."""
    table.check("", value)


def decode(name, data):
    """The message of topic `name` in `data` (bytes), checked field by field. Raises MessageError.

    A seal is not checked here: see seal.check.
    """
    value = parse_json(data)
    validate(BY_TOPIC[name], value)
    return value


def encode(value):
    """Compact JSON text of a message."""
    return json.dumps(value, separators=(",", ":"))
