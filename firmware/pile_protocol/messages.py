"""The messages that a pile reads, as tables of fields with bounds (checks.py has their language).

The messages that a pile only writes stand in wire.py, because their tables would take heap in a pile.
The suffix of a name is its unit: _mwh milliwatt-hours, _mw milliwatts, _at Unix seconds UTC, _s seconds,
_minor minor units of the currency, _price 10^-6 currency per kWh, _bytes bytes.
docs/asyncapi.yaml is generated from these tables.
"""

import json

from . import checks, topics
from .errors import MessageError

ORDER_MAX_BYTES = 8192
MESSAGE_MAX_BYTES = 16384  # the largest upward message is a settlement of MAX_STEPS periods
MAX_STEPS = 100  # a day of quarter hours, one more for the start, three to spare
MAX_CONNECTORS = 8
AT_MAX = 4_102_444_800  # 2100
MAX_ORDER_LIFE_S = 300  # expires_at - issued_at
MAX_ENERGY_MWH = 10**9
MAX_MINOR = 10**12

PERIOD_LABELS = ("flat", "sharp", "peak", "valley")

# begin_within_s: how long the vehicle may take to begin; full_after_s: how long next to no power means that
# it is full. The board bounds both.
ORDER = (
    "{ kind =order device_id D connector C order_id O issued_at A expires_at A limits LIMITS"
    " begin_within_s? n1..86400 full_after_s? n1..86400 rate RATE mac M }"
)
# order_id: which order to stop; connector: whose fault to reset; out: every connector that is out of service,
# and why.
COMMAND = (
    "{ kind =command device_id D action =stop|reset|report|restart|service order_id? O connector? C"
    " out? [0..8 ( connector C reason t1..20w ) issued_at A expires_at A mac M }"
)
TIME = "{ kind =time device_id D nonce N at A mac M }"  # nonce: of the hello that it answers
SETTLEMENT_ACK = "{ kind =ack device_id D order_id O seq Q settlement_mac M status =Stored mac M }"

BY_TOPIC = {
    topics.ORDER: ORDER,
    topics.COMMAND: COMMAND,
    topics.TIME: TIME,
    topics.SETTLEMENT_ACK: SETTLEMENT_ACK,
}


def parse_json(data, max_bytes=MESSAGE_MAX_BYTES, loads=json.loads, is_trusted=False):
    """The JSON object in `data` (bytes; or text, whose length is then that of its characters). Raises
    MessageError: too large, not JSON in UTF-8, not an object.

    loads: parses the text; raises ValueError if it is not JSON. is_trusted: seal or signature are good, so a
    MemoryError is for want of heap, and is raised.
    """
    if len(data) > max_bytes:
        raise MessageError("message", "is larger than %d bytes" % max_bytes)
    try:
        value = loads(data if type(data) is str else str(data, "utf-8"))
    except (ValueError, RuntimeError, MemoryError) as error:  # the last two for deep nesting
        if is_trusted and isinstance(error, MemoryError):
            raise
        raise MessageError("message", "is not JSON in UTF-8")
    if type(value) is not dict:
        raise MessageError("message", "must be a JSON object")
    return value


def validate(table, value):
    """Raises MessageError for the first field of `value` that `table` does not allow: a text of checks.py, or
    an object of fields.py.
    """
    if isinstance(table, str):
        checks.check(checks.parse(table), "", value)
    else:
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
