"""The tables of payments: holds, the calls to providers, free vend, credit notes."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from .tables import metadata, partial_index

CAPTURE_REFUSED = "CaptureRefused"  # a state of payment_holds: open, and nothing more is captured

payment_holds = Table(
    "payment_holds",
    metadata,
    Column("hold_id", String(40), primary_key=True),
    Column("idempotency_key", String(128), nullable=False),  # of the confirmation
    Column("request_digest", String(64), nullable=False),
    Column("device_id", String(32), ForeignKey("piles.device_id"), nullable=False),
    Column("order_id", String(40), ForeignKey("orders.order_id")),  # null: no order was made with it yet
    Column("adapter", String(16), nullable=False),
    Column("is_test", Boolean, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("minor_digits", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("ref", String(255)),  # the provider's name of it
    Column("reason", Text),  # why the provider refused the last call
    Column("captured_minor", BigInteger, nullable=False, server_default="0"),
    Column("released_minor", BigInteger, nullable=False, server_default="0"),
    Column("refunded_minor", BigInteger, nullable=False, server_default="0"),
    Column("open", Boolean, nullable=False),  # the provider still holds, or may hold, something
    Column("created_at", BigInteger, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    UniqueConstraint("idempotency_key", name="payment_holds_idempotency_key"),
    UniqueConstraint("order_id", name="payment_holds_order"),
    partial_index("payment_holds_open", "hold_id", where="open", sqlite_where="open = 1"),
    Index("payment_holds_by_state", "state", "hold_id"),
    Index("payment_holds_by_ref", "ref"),
)

payment_calls = Table(
    "payment_calls",
    metadata,
    Column("key", String(40), primary_key=True),
    Column("hold_id", String(40), ForeignKey("payment_holds.hold_id"), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),  # Open, then Done or Refused
    Column("ref", String(255)),
    Column("reason", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("next_at", BigInteger, nullable=False),  # when an open one is looked up again
    Column("resolved_at", BigInteger),
    Index("payment_calls_by_hold", "hold_id", "key"),
    Index("payment_calls_by_end", "resolved_at"),
    partial_index("payment_calls_open", "next_at", where="state = 'Open'"),
)

free_grants = Table(
    "free_grants",
    metadata,
    Column("grant_id", String(40), primary_key=True),
    Column("code", String(40)),  # of drivers who know it; null: everybody at the site
    Column("site_id", String(32)),  # null: everywhere; the site may have been removed since
    Column("reason", Text, nullable=False),
    Column("uses_max", BigInteger),  # null: any number
    Column("uses", BigInteger, nullable=False, server_default="0"),
    Column("until_at", BigInteger),
    Column("actor", String(100), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("revoked_at", BigInteger),
    UniqueConstraint("code", name="free_grants_code"),
    Index("free_grants_by_site", "site_id"),
)

free_orders = Table(
    "free_orders",
    metadata,
    Column("order_id", String(40), ForeignKey("orders.order_id"), primary_key=True),
    Column("grant_id", String(40), ForeignKey("free_grants.grant_id")),  # null: an operator's, or given back
    Column("reason", Text, nullable=False),
    Column("actor_kind", String(16), nullable=False),
    Column("actor", String(100), nullable=False),
    Column("open", Boolean, nullable=False),  # its bill is not credited yet
    partial_index("free_orders_open", "order_id", where="open", sqlite_where="open = 1"),
)

# Credit notes: a settlement never changes; what is credited of its bill stands beside it.
credits = Table(
    "credits",
    metadata,
    Column("credit_id", String(40), primary_key=True),
    Column("order_id", String(40), ForeignKey("orders.order_id"), nullable=False),
    Column("amount_minor", BigInteger, nullable=False),  # together never more than the order's total
    Column("currency", String(3), nullable=False),
    Column("minor_digits", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("actor_kind", String(16), nullable=False),
    Column("actor", String(100), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("idempotency_key", String(128), nullable=False),
    UniqueConstraint("order_id", "idempotency_key", name="credits_idempotency_key"),
    Index("credits_by_order", "order_id", "credit_id"),
)
