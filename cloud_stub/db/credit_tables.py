"""The table of credit notes. A settlement never changes; what is credited of its bill stands beside it."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint

from .tables import metadata

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
