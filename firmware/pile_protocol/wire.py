"""Every message of the wire: those of messages.py, which a pile reads, and those that a pile only writes."""

from . import checks, chunk, messages, topics, updates, words
from .fields import Array, Bool, Int, Nullable, OneOf, Row, Table, Text, read
from .messages import MAX_CONNECTORS, MAX_ENERGY_MWH, MAX_MINOR, MAX_STEPS, PERIOD_LABELS

MAX_DURATION_S = 86_400
MAX_PRICE = 10**12

AT = read("A")
CONNECTOR = read("C")
COUNT = read("Q")
CURRENCY = read("t3..3u")
DEVICE_ID = Text(3, 32, checks.ALPHABETS["w"])
LABEL = OneOf(PERIOD_LABELS)
MAC = read("M")
MINOR = Int(0, MAX_MINOR)
MINOR_DIGITS = Int(0, 4)
NONCE = read("N")
ORDER_ID = read("O")
PRICE = Int(0, MAX_PRICE)
RATE_ID = read("O")

LIMITS = read("LIMITS")
STEP = read("STEP")
TIER = read("TIER")
IDLE = read("IDLE")
LOCKED_RATE = read("RATE")
ORDER = read(messages.ORDER)
COMMAND = read(messages.COMMAND)
TIME = read(messages.TIME)
SETTLEMENT_ACK = read(messages.SETTLEMENT_ACK)
UPDATE = read(updates.UPDATE)
UPDATE_CHUNK = read(chunk.UPDATE_CHUNK)
CONFIG = read(updates.CONFIG)

# OCPP 1.6.
CONNECTOR_STATUSES = (
    "Available",
    "Preparing",
    "Charging",
    "SuspendedEV",
    "SuspendedEVSE",
    "Finishing",
    "Unavailable",
    "Faulted",
)

# What a pile says of an order on order/status.
ORDER_STATES = ("Accepted", "Rejected", "Charging", "Finishing", "Settled")

# Why a pile refuses an order; the relay has not moved.
REJECT_REASONS = (
    "Malformed",  # not JSON, a field off, or too large
    "BadSeal",  # the mac is missing, damaged, or made with another key
    "WrongDevice",
    "UnknownConnector",
    "Expired",  # expires_at has passed
    "NotYetValid",  # issued in the pile's future
    "UsedOrder",  # this order_id was accepted or rejected before
    "PricesIncomplete",  # the price steps do not cover the order's longest duration
    "ConnectorBusy",
    "ConnectorFaulted",
    "NotPlugged",
    "NoMeter",  # no valid register reading to start from
    "NoClock",
    "OutboxFull",  # too many settlements wait for the cloud
    "StorageFailure",  # the order could not be made durable
    "TooSoon",  # the relay opened a moment ago
    "FeedBusy",  # the shared supply has no room for this connector
    "OutOfService",  # the operator has taken the connector out of service, or the pile is about to restart
    "OnTrial",  # a release or a configuration is on trial, and no order is taken until it is confirmed
    "NotBillable",  # this connector cannot bill a component of the rate
)

# Why a connector is out of service. A pile keeps and reports any word of this kind.
SERVICE_REASONS = ("Maintenance", "Damaged", "Installation", "Supply", "Reserved", "Other")
SERVICE_REASON = Text(1, 20, checks.ALPHABETS["w"])

# The actions of a command beyond stop, reset and report, which every pile knows.
LATER_ACTIONS = ("restart", "service")

# Calendar: the chip's calendar, which the cloud's time set before a restart. Ntp: piles up to 0.1.0.
CLOCK_STATES = ("Unset", "Ntp", "Calendar", "Cloud")

MAX_REGISTER_MWH = 10**12
REGISTER_MWH = Int(0, MAX_REGISTER_MWH)
ENERGY_MWH = Int(0, MAX_ENERGY_MWH)
DURATION_S = Int(0, 10 * MAX_DURATION_S)
TIME_MS = Int(0, 1000 * 10 * MAX_DURATION_S)
FIRMWARE = Text(1, 40)
RELEASE = read("RELEASE")
REASON = Text(1, 60)  # of an update: a word of UPDATE_REASONS, or one that a newer pile knows

# What a pile reports of a release or a configuration.
UPDATE_STATES = (
    "Downloading",
    "Waiting",  # an order runs, a settlement waits, or there is no answer; it goes on by itself
    "Verifying",
    "Trial",  # it runs, and goes back by itself unless it can be confirmed
    "Confirmed",
    "Refused",
    "FellBack",
    "Cancelled",
)
# Why it waits, was refused, or fell back.
UPDATE_REASONS = (
    "OrderRuns",  # Waiting
    "SettlementWaits",
    "Unanswered",  # the cloud does not send what is asked for
    "NoMemory",  # the heap has no room; it is tried again after the next restart
    "OnTrial",  # Refused: another release is on trial
    "Expired",  # expires_at has passed, or the cloud has not told the time
    "WrongBoard",
    "WrongMpy",  # compiled for another MicroPython
    "AlreadyRuns",
    "BelowConfirmed",
    "FellBackBefore",  # offered again by the cloud, not by a person
    "BadManifest",
    "BadSignature",  # not signed with the release key
    "FlashFull",
    "StorageFailure",
    "BadFile",  # a file in flash is not what the manifest says
    "NoSlots",  # this pile was deployed without a second slot
    "LimitTooHigh",  # a configuration: above what the board bears
    "BadValue",
    "NotConfirmed",  # FellBack: it was started three times; or the name of the error that ended it
    "Crashed",  # Refused: the pile's own code of updates failed; a configuration: it was started three times
    "NoCloud",  # no sealed answer of the cloud for 30 minutes
    "Late",  # its control cycles were late
)

# The members of a rate as it is shown: the periods of one day.
RATE_FIELDS = (
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
    # What the rate is made of besides (components.py). time_prices: one for each period.
    ("time_prices?", Array(PRICE, 1, 96)),
    ("tiers?", Array(TIER, 1, 4)),
    ("idle?", IDLE),
    ("minimum_minor?", Int(1, MAX_MINOR)),
    ("maximum_minor?", Int(1, MAX_MINOR)),
    ("tax_per_mille?", Int(0, 1000)),
)

RATE = Table(
    *RATE_FIELDS,
    # The connectors at which another rate holds than at connector 1, whose rate the other members are.
    ("connectors?", Array(Table(("connector", CONNECTOR), *RATE_FIELDS), 1, MAX_CONNECTORS)),
)

HELLO = Table(
    ("device_id", DEVICE_ID),
    ("firmware", FIRMWARE),
    ("nonce", NONCE),
    ("connectors", Int(1, MAX_CONNECTORS)),
    ("orders", Array(Row(("order_id", ORDER_ID), ("state", OneOf(ORDER_STATES))), 0, MAX_CONNECTORS)),
    ("last_seq", COUNT),  # of the newest settlement made, 0 before the first
    ("outbox", COUNT),
    ("commands?", Array(Text(1, 20, checks.ALPHABETS["w"]), 0, 16)),  # what it knows of LATER_ACTIONS
    ("chip?", Text(1, 32, checks.ALPHABETS["w"])),  # of the board: two boards have two
    # What follows tells that the pile can be updated over the air; a pile up to 0.1.0 leaves it out.
    ("release?", COUNT),  # 0: deployed by cable, of no release
    ("board?", Text(1, 40)),
    ("mpy?", Array(Int(0, 255), 2, 2)),  # version and sub-version of the .mpy files that it can load
    ("on_trial?", Bool()),
    ("fetches_manifest?", Bool()),  # an offer need not have the manifest in it (updates.UPDATE)
    # What it can bill of components.COMPONENTS, and the connectors that can tell that a vehicle stays on.
    ("bills?", Array(Text(1, 20, checks.ALPHABETS["w"]), 0, 16)),
    ("idle_connectors?", Array(CONNECTOR, 0, MAX_CONNECTORS)),
    ("fell_back?", Row(("release", RELEASE), ("reason", REASON))),  # the latest, until one is confirmed
    ("config_version?", COUNT),  # of the configuration over the air, 0: none
)

ORDER_STATUS = Table(
    ("order_id", Nullable(ORDER_ID)),  # null: the order was too damaged to tell
    ("connector", Nullable(CONNECTOR)),
    ("state", OneOf(ORDER_STATES)),
    ("reason", Nullable(OneOf(REJECT_REASONS + words.STOP_REASONS))),
    ("at", Nullable(AT)),  # null: the pile has no clock
)

CONNECTOR_STATUS = Table(
    ("connector", CONNECTOR),
    ("status", OneOf(CONNECTOR_STATUSES)),
    ("fault", Nullable(OneOf(words.FAULT_CODES))),
    ("plugged", Bool()),
    ("order_id", Nullable(ORDER_ID)),
    ("out_of_service?", SERVICE_REASON),
)

STATUS = Table(
    ("online", Bool()),
    ("firmware?", FIRMWARE),
    ("connectors?", Array(CONNECTOR_STATUS, 1, MAX_CONNECTORS)),
    ("heap_free_bytes?", COUNT),
    ("heap_min_free_bytes?", COUNT),
    ("clock?", OneOf(CLOCK_STATES)),
    ("outbox?", COUNT),
    ("outbox_full?", Bool()),
    ("dropped?", COUNT),  # inbound messages that could not be used
    ("damaged?", COUNT),  # records in flash that failed their checksum
    ("late_max_ms?", COUNT),  # the most that a cycle of the control loop began late, since the start
    ("at?", Nullable(AT)),
    ("uptime_s?", COUNT),
    ("reset_cause?", Text(1, 20)),
    ("boots?", COUNT),  # in the life of this flash
    ("recoveries?", COUNT),  # orders that a boot found running, in the life of this flash
    ("wifi_rssi_dbm?", Int(-128, 0)),
    ("ram_free_bytes?", COUNT),  # the chip's own RAM, which heap_free_bytes does not count
    ("ram_min_free_bytes?", COUNT),
    ("restarting?", Bool()),  # the cloud asked for a restart, which follows at once
)

METER = Table(
    ("order_id", ORDER_ID),
    ("connector", CONNECTOR),
    ("at", AT),
    ("register_mwh", REGISTER_MWH),
    ("energy_mwh", ENERGY_MWH),
    ("power_mw", Int(0, 10**9)),
    ("current_ma?", Int(0, 10**9)),  # measured; of the phase that carries most
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
    # Of a rate with components: the cost so far by component, and how long the vehicle has stayed on.
    (
        "costs?",
        Table(
            ("energy_minor", MINOR),
            ("fee_minor", MINOR),
            ("time_minor?", MINOR),
            ("tiers_minor?", MINOR),
            ("idle_minor?", MINOR),
        ),
    ),
    ("idle?", Table(("since_at", AT), ("free_until_at", AT), ("time_ms", TIME_MS))),
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
    (
        "last_reading?",
        OneOf(("Missing",)),
    ),  # no reading from after the relay opened: the newest before it is billed
    # Of a rate with components (components.py).
    (
        "times?",
        Array(
            Row(("from_at", AT), ("price", PRICE), ("time_ms", TIME_MS), ("time_minor", MINOR)), 0, MAX_STEPS
        ),
    ),
    (
        "tiers?",
        Array(
            Row(("up_to_mw", Int(1, 10**9)), ("price", PRICE), ("time_ms", TIME_MS), ("tier_minor", MINOR)),
            1,
            4,
        ),
    ),
    (
        "idle?",
        Table(
            ("since_at", AT),
            ("until_at", AT),
            ("time_ms", TIME_MS),  # after the grace time
            ("idle_minor", MINOR),
        ),
    ),
    ("top_up_minor?", MINOR),  # to the minimum; part of the total
    ("tax_minor?", MINOR),  # in the total
    ("mac", MAC),
)

UPDATE_ASK = Table(
    ("release", RELEASE),
    ("file", MAC),  # its SHA-256
    ("offset", Int(0, 2**24 - 1)),
    ("bytes", Int(1, chunk.PART_MAX_BYTES)),
)

UPDATE_STATUS = Table(
    ("release?", RELEASE),  # this, or
    ("config_version?", Int(1, 2**31 - 1)),
    ("state", OneOf(UPDATE_STATES)),
    ("reason?", REASON),
    ("done_bytes?", COUNT),
    ("total_bytes?", COUNT),
)

BY_TOPIC = {
    topics.RATE: RATE,
    topics.HELLO: HELLO,
    topics.ORDER_STATUS: ORDER_STATUS,
    topics.STATUS: STATUS,
    topics.METER: METER,
    topics.SETTLEMENT: SETTLEMENT,
    topics.ORDER: ORDER,
    topics.COMMAND: COMMAND,
    topics.TIME: TIME,
    topics.SETTLEMENT_ACK: SETTLEMENT_ACK,
    topics.UPDATE: UPDATE,
    topics.UPDATE_CHUNK: UPDATE_CHUNK,
    topics.UPDATE_ASK: UPDATE_ASK,
    topics.UPDATE_STATUS: UPDATE_STATUS,
    topics.CONFIG: CONFIG,
}
MAX_BYTES = {topics.ORDER: messages.ORDER_MAX_BYTES, topics.UPDATE_CHUNK: chunk.MAX_BYTES}
MAX_BYTES.update(updates.MAX_BYTES)


def decode(name, data):
    """The message of topic `name` in `data` (bytes), checked field by field. Raises MessageError.
    Does not check the seal: see seal.check.
    """
    value = messages.parse_json(data)
    messages.validate(BY_TOPIC[name], value)
    return value
