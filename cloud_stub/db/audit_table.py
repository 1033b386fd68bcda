"""The table of the audit trail; see audit.py."""

from sqlalchemy import BigInteger, Column, Index, String, Table, Text

from .tables import SERIAL, metadata

audit = Table(
    "audit",
    metadata,
    Column("id", SERIAL, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("actor_kind", String(16), nullable=False),
    Column("actor", String(100), nullable=False),
    Column("action", String(32), nullable=False),
    Column("device_id", String(32)),
    Column("order_id", String(40)),
    Column("site_id", String(40)),
    Column("tariff_id", String(40)),
    Column("account", String(100)),
    Column("detail", Text, nullable=False),
    Index("audit_by_device", "device_id", "id"),
    Index("audit_by_order", "order_id", "id"),
    Index("audit_by_site", "site_id", "id"),
    Index("audit_by_tariff", "tariff_id", "id"),
    Index("audit_by_account", "account", "id"),
    Index("audit_by_actor", "actor", "id"),
    Index("audit_by_action", "action", "id"),
    Index("audit_by_time", "at", "id"),
)
