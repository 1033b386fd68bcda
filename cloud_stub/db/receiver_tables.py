"""The tables of who else is told what happens: receivers of events, webhooks."""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Integer, String, Table, Text, true

from .tables import metadata

receivers = Table(
    "receivers",
    metadata,
    Column("name", String(48), primary_key=True),
    Column("kinds_json", Text, nullable=False),  # of events, or groups of kinds (event_kinds)
    # Whether its rows go one after the other for each pile; otherwise for each order.
    Column("per_pile", Boolean, nullable=False),
    Column("bound", Integer, nullable=False),  # of its rows in the outbox
    Column("active", Boolean, nullable=False, server_default=true()),
    Column("created_at", BigInteger, nullable=False),
    Column("dropped", BigInteger, nullable=False, server_default="0"),  # rows, by the bound or their age
)

webhooks = Table(
    "webhooks",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("receiver", String(48), ForeignKey("receivers.name"), nullable=False),
    Column("url", Text, nullable=False),
    Column("secret", String(80), nullable=False),
    Column("created_by", String(100), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("delivered", BigInteger, nullable=False, server_default="0"),
    Column("delivered_at", BigInteger),
    Column("failing_since", BigInteger),  # the first attempt that failed since the last that did not
    Column("answer", String(200)),  # of the last attempt
    Column("disabled_at", BigInteger),
)
