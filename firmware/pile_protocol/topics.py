"""The topic names, in one place: `pile/v1/<device_id>/<name>`."""

from .errors import TopicError

PREFIX = "pile/v1/"

# cloud -> pile
RATE = "rate"
ORDER = "order"
COMMAND = "command"
TIME = "time"
SETTLEMENT_ACK = "settlement/ack"
UPDATE = "update"
UPDATE_CHUNK = "update/chunk"
CONFIG = "config"
UPDATES = (UPDATE, UPDATE_CHUNK, CONFIG)  # a broker of an older cloud may refuse them to a pile
DOWNWARD = (RATE, ORDER, COMMAND, TIME, SETTLEMENT_ACK) + UPDATES

# pile -> cloud
HELLO = "hello"
ORDER_STATUS = "order/status"
STATUS = "status"
METER = "meter"
SETTLEMENT = "settlement"
UPDATE_ASK = "update/ask"
UPDATE_STATUS = "update/status"
UPWARD = (HELLO, ORDER_STATUS, STATUS, METER, SETTLEMENT, UPDATE_ASK, UPDATE_STATUS)
# At QoS 0: the newest meter value counts, and a question or answer of a download that is lost is asked again.
UNACKNOWLEDGED = (METER, UPDATE_ASK, UPDATE_CHUNK)


def topic(device_id, name):
    """The full topic of one pile; with device_id "+" a subscription to all of them."""
    return PREFIX + device_id + "/" + name


def parse(text):
    """(device_id, name) of a full topic. Raises TopicError for any that is not ours."""
    if text.startswith(PREFIX):
        device_id, _, name = text[len(PREFIX) :].partition("/")
        if device_id and (name in DOWNWARD or name in UPWARD):
            return device_id, name
    raise TopicError("not a pile topic: " + text[:80])
