"""The database's tables. Units are in the names; `_json` columns hold JSON text.

A change here needs a migration beside it; a test compares the two.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

metadata = MetaData()

SERIAL = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts up only an INTEGER PRIMARY KEY


def partial_index(
    name: str, *columns: str, where: str, sqlite_where: str | None = None, unique: bool = False
) -> Index:
    """An index of the rows for which `where` holds.

    sqlite_where: where it differs. A partial index of SQLite serves a query only if both write the condition
    alike, and SQLAlchemy writes a flag as `holds = 1` there.
    """
    sqlite, postgresql = text(sqlite_where or where), text(where)
    return Index(name, *columns, unique=unique, sqlite_where=sqlite, postgresql_where=postgresql)


piles = Table(
    "piles",
    metadata,
    Column("device_id", String(32), primary_key=True),
    Column("name", Text, nullable=False),
    Column("key_hex", String(64), nullable=False),
    Column("connectors", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("online", Boolean, nullable=False),
    Column("last_seen_at", BigInteger),
    Column("status_json", Text),  # the last status that contains connectors
    Column(
        "faulted", Boolean, nullable=False, server_default=false()
    ),  # that status has a fault of a connector
    # The chain of its settlements that is being written: a new one begins when the pile's flash was erased.
    Column("epoch", Integer, nullable=False, server_default="1"),
    # When it greeted with last_seq 0; null once a first settlement was stored since.
    Column("empty_hello_at", BigInteger),
    Column("connector_power_w", BigInteger),  # the most that a connector carries; null: the setting
    Column("removed_at", BigInteger),  # its row stays, so that its orders and its id keep their meaning
    Column("site_id", String(32), ForeignKey("sites.site_id")),
    Column("tariff_id", String(40), ForeignKey("tariffs.tariff_id")),  # null: its site's
    # When its retained `rate` message has to be made again; null where nothing will change it.
    Column("rate_due_at", BigInteger),
    Index("piles_rate_due", "rate_due_at"),
    partial_index("piles_removed", "device_id", where="removed_at IS NOT NULL"),
)

rates = Table(
    "rates",
    metadata,
    Column("rate_id", String(40), primary_key=True),
    Column("published_at", BigInteger, nullable=False),
    Column("body_json", Text, nullable=False),  # rates.model.build
    Column("tariff_id", String(40), ForeignKey("tariffs.tariff_id"), nullable=False),
    # It holds from then until the next one's from_at; of two with the same, the one published later.
    Column("from_at", BigInteger, nullable=False),
    Column("published_by", String(100)),
    Column("withdrawn_at", BigInteger),  # before it held
    Index("rates_by_tariff", "tariff_id", "rate_id"),
    Index("rates_by_start", "tariff_id", "from_at", "rate_id"),
)

orders = Table(
    "orders",
    metadata,
    Column("order_id", String(40), primary_key=True),
    Column("device_id", String(32), ForeignKey("piles.device_id"), nullable=False),
    Column("connector", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("reason", String(32)),
    Column("version", Integer, nullable=False),  # grows with every change that is to be seen
    Column("token", String(64), nullable=False),
    Column("idempotency_key", String(128), nullable=False),
    Column("request_digest", String(64), nullable=False),
    Column("rate_id", String(40), ForeignKey("rates.rate_id"), nullable=False),
    Column("rate_digest", String(64), nullable=False),
    Column("rate_json", Text, nullable=False),  # locked: as the `rate` of wire.ORDER
    Column("limits_json", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    # It cannot be charging any more, nor may the vehicle be staying on at its cost.
    Column("window_end_at", BigInteger, nullable=False),
    Column("accepted_at", BigInteger),
    Column("charging_at", BigInteger),
    Column("finishing_at", BigInteger),
    Column("settled_at", BigInteger),
    Column("paid_at", BigInteger),
    Column("stop_requested_at", BigInteger),
    Column("energy_mwh", BigInteger),
    Column("total_minor", BigInteger),
    # Whether it keeps others from its connector.
    Column("holds", Boolean, nullable=False),
    # Where its pile was when it was confirmed: there its bill counts. The site may have been removed since.
    # Empty: at no site. Null, as processes of one release back store it: where the pile is (orders.places).
    Column("site_id", String(32)),
    UniqueConstraint("idempotency_key", name="orders_idempotency_key"),
    Index("orders_by_device", "device_id", "order_id"),
    Index("orders_by_rate", "rate_id", "order_id"),
    Index("orders_by_state", "state", "order_id"),
    Index("orders_by_site", "site_id", "order_id"),
    partial_index("orders_holding", "device_id", "connector", where="holds", sqlite_where="holds = 1"),
    partial_index("orders_holding_until", "window_end_at", where="holds", sqlite_where="holds = 1"),
    partial_index(
        "orders_stopping",
        "order_id",
        where="holds AND stop_requested_at IS NOT NULL",
        sqlite_where="holds = 1 AND stop_requested_at IS NOT NULL",
    ),
    partial_index("orders_pending", "expires_at", where="state = 'Pending'"),
)

settlements = Table(
    "settlements",
    metadata,
    Column("id", SERIAL, primary_key=True),
    Column("device_id", String(32), ForeignKey("piles.device_id"), nullable=False),
    Column("order_id", String(40), nullable=False),  # as in the settlement; there may be no such order
    Column("seq", Integer, nullable=False),
    Column("mac", String(64), nullable=False),
    # Null in a later one that claims the same order, or the same number: the first keeps its place.
    Column("settles_order_id", String(40)),
    Column("epoch", Integer, nullable=False, server_default="1"),  # of its pile's chains
    Column("chain_seq", Integer),
    # As in the settlement; null in a malformed one, which has no place on a connector's register.
    Column("connector", Integer),
    Column("start_register_mwh", BigInteger),
    Column("end_register_mwh", BigInteger),
    # Between the settlement before it on its connector and this one; null where there is none before it.
    Column("unbilled_mwh", BigInteger),
    Column("payload", Text, nullable=False),  # the sealed bytes as they came
    Column("energy_mwh", BigInteger, nullable=False),
    Column("total_minor", BigInteger, nullable=False),
    Column("computed_minor", BigInteger),  # null where there was nothing to compute from
    Column("currency", String(3), nullable=False),
    Column("flagged", Boolean, nullable=False),  # and no operator has decided
    Column("flags_json", Text, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column(
        "ended_at", BigInteger, nullable=False, server_default="0"
    ),  # as in the settlement; the day that it counts on
    # An operator's decision about a flagged settlement, and what is billed instead of its own total.
    Column("review", String(16)),
    Column("reviewed_at", BigInteger),
    Column("review_note", Text),
    Column("billed_json", Text),
    UniqueConstraint("device_id", "mac", name="settlements_mac"),
    UniqueConstraint("settles_order_id", name="settlements_settles_order_id"),
    UniqueConstraint("device_id", "epoch", "chain_seq", name="settlements_chain"),
    Index("settlements_by_connector", "device_id", "epoch", "connector", "chain_seq"),
    Index("settlements_by_end", "ended_at"),
    partial_index("settlements_flagged", "id", where="flagged", sqlite_where="flagged = 1"),
    partial_index(
        "settlements_unsettled",
        "device_id",
        where="flagged AND settles_order_id IS NULL",
        sqlite_where="flagged = 1 AND settles_order_id IS NULL",
    ),
    partial_index("settlements_reviewed", "id", where="reviewed_at IS NOT NULL"),
)

payments = Table(
    "payments",
    metadata,
    Column("order_id", String(40), ForeignKey("orders.order_id"), primary_key=True),
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("method", String(16), nullable=False),
    Column("paid_at", BigInteger, nullable=False),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", SERIAL, primary_key=True),
    Column("device_id", String(32), ForeignKey("piles.device_id"), nullable=False),
    Column("name", String(32), nullable=False),  # of the topic, or the kind of the event
    Column("order_id", String(40)),
    Column("payload", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("sent_at", BigInteger),  # acknowledged by the broker; of a receiver: since when a worker sends it
    # Nobody takes it before then: a worker is sending it, or it failed and waits. Null: nobody has it.
    Column("leased_until", BigInteger),
    # Null: the pile, over MQTT. Otherwise one of `receivers`, and the rest is about its attempts.
    Column("receiver", String(48)),
    Column("lane", String(40)),  # of its receiver: the order or the pile whose rows go one after the other
    Column("attempts", Integer, nullable=False, server_default="0"),  # that failed
    Column("reason", String(200)),  # why the last one failed
    partial_index("outbox_by_device", "device_id", where="receiver IS NULL"),
    partial_index("outbox_by_order", "order_id", where="receiver IS NULL"),
    partial_index("outbox_unsent", "created_at", where="sent_at IS NULL AND receiver IS NULL"),
    Index("outbox_by_expiry", "expires_at"),
    Index("outbox_by_lane", "receiver", "lane", "id"),
    Index("outbox_due", "receiver", "leased_until"),
    # No id twice: the acknowledgement of a deleted message must not count for a later one.
    sqlite_autoincrement=True,
)

meter_samples = Table(
    "meter_samples",
    metadata,
    Column("order_id", String(40), ForeignKey("orders.order_id"), primary_key=True),
    Column("at", BigInteger, primary_key=True),
    Column("register_mwh", BigInteger, nullable=False),
    Column("energy_mwh", BigInteger, nullable=False),
    Column("power_mw", BigInteger, nullable=False),
    Column("cost_minor", BigInteger, nullable=False),
    Column("elapsed_s", Integer, nullable=False),
    Column("remaining_json", Text, nullable=False),
    Column("costs_json", Text),  # `costs` and `idle` of wire.METER; null where the rate needs neither
    Column("current_ma", BigInteger),  # null where the pile measures none
)

events = Table(
    "events",
    metadata,
    Column("id", SERIAL, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("device_id", String(32), nullable=False),
    Column("order_id", String(40)),
    Column("kind", String(32), nullable=False),
    Column("detail", Text, nullable=False),
    Index("events_by_device", "device_id", "id"),
    Index("events_by_order", "order_id", "id"),
)

progress = Table(
    "progress",
    metadata,
    Column("name", String(32), primary_key=True),  # of a job of jobs.retention
    Column("place", String(40), nullable=False),  # the last order it has done
)

rejects = Table(
    "rejects",
    metadata,
    Column("id", SERIAL, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("topic", String(200), nullable=False),
    Column("reason", String(32), nullable=False),
    Column("detail", String(200), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("payload", Text, nullable=False),  # its beginning
)
