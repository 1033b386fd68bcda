"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("device_id", sa.String(length=32), nullable=False),
        sa.Column("order_id", sa.String(length=40), nullable=True),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("events_by_device", "events", ["device_id", "id"], unique=False)
    op.create_index("events_by_order", "events", ["order_id", "id"], unique=False)
    op.create_table(
        "piles",
        sa.Column("device_id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("key_hex", sa.String(length=64), nullable=False),
        sa.Column("connectors", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("rate_id", sa.String(length=40), nullable=True),
        sa.Column("online", sa.Boolean(), nullable=False),
        sa.Column("last_seen_at", sa.BigInteger(), nullable=True),
        sa.Column("status_json", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("device_id"),
    )
    op.create_table(
        "rejects",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("topic", sa.String(length=200), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("detail", sa.String(length=200), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("device_id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=16), nullable=False),
        sa.Column("order_id", sa.String(length=40), nullable=True),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("sent_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["device_id"],
            ["piles.device_id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("outbox_by_device", "outbox", ["device_id"], unique=False)
    op.create_index("outbox_by_order", "outbox", ["order_id"], unique=False)
    op.create_index(
        "outbox_unsent",
        "outbox",
        ["created_at"],
        unique=False,
        sqlite_where=sa.text("sent_at IS NULL"),
        postgresql_where=sa.text("sent_at IS NULL"),
    )
    op.create_table(
        "rates",
        sa.Column("rate_id", sa.String(length=40), nullable=False),
        sa.Column("device_id", sa.String(length=32), nullable=False),
        sa.Column("published_at", sa.BigInteger(), nullable=False),
        sa.Column("body_json", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["device_id"],
            ["piles.device_id"],
        ),
        sa.PrimaryKeyConstraint("rate_id"),
    )
    op.create_index("rates_by_device", "rates", ["device_id", "rate_id"], unique=False)
    op.create_table(
        "settlements",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("device_id", sa.String(length=32), nullable=False),
        sa.Column("order_id", sa.String(length=40), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("mac", sa.String(length=64), nullable=False),
        sa.Column("settles_order_id", sa.String(length=40), nullable=True),
        sa.Column("chain_seq", sa.Integer(), nullable=True),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("energy_mwh", sa.BigInteger(), nullable=False),
        sa.Column("total_minor", sa.BigInteger(), nullable=False),
        sa.Column("computed_minor", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("flagged", sa.Boolean(), nullable=False),
        sa.Column("flags_json", sa.Text(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["device_id"],
            ["piles.device_id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("device_id", "chain_seq", name="settlements_chain"),
        sa.UniqueConstraint("device_id", "mac", name="settlements_mac"),
        sa.UniqueConstraint("settles_order_id", name="settlements_settles_order_id"),
    )
    op.create_index(
        "settlements_flagged",
        "settlements",
        ["id"],
        unique=False,
        sqlite_where=sa.text("flagged"),
        postgresql_where=sa.text("flagged"),
    )
    op.create_table(
        "orders",
        sa.Column("order_id", sa.String(length=40), nullable=False),
        sa.Column("device_id", sa.String(length=32), nullable=False),
        sa.Column("connector", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("token", sa.String(length=64), nullable=False),
        sa.Column("idempotency_key", sa.String(length=128), nullable=False),
        sa.Column("request_digest", sa.String(length=64), nullable=False),
        sa.Column("rate_id", sa.String(length=40), nullable=False),
        sa.Column("rate_digest", sa.String(length=64), nullable=False),
        sa.Column("rate_json", sa.Text(), nullable=False),
        sa.Column("limits_json", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("window_end_at", sa.BigInteger(), nullable=False),
        sa.Column("accepted_at", sa.BigInteger(), nullable=True),
        sa.Column("charging_at", sa.BigInteger(), nullable=True),
        sa.Column("finishing_at", sa.BigInteger(), nullable=True),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.Column("paid_at", sa.BigInteger(), nullable=True),
        sa.Column("stop_requested_at", sa.BigInteger(), nullable=True),
        sa.Column("energy_mwh", sa.BigInteger(), nullable=True),
        sa.Column("total_minor", sa.BigInteger(), nullable=True),
        sa.Column("holds", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["device_id"],
            ["piles.device_id"],
        ),
        sa.ForeignKeyConstraint(
            ["rate_id"],
            ["rates.rate_id"],
        ),
        sa.PrimaryKeyConstraint("order_id"),
        sa.UniqueConstraint("idempotency_key", name="orders_idempotency_key"),
    )
    op.create_index("orders_by_device", "orders", ["device_id", "order_id"], unique=False)
    op.create_index(
        "orders_holding",
        "orders",
        ["device_id", "connector"],
        unique=False,
        sqlite_where=sa.text("holds"),
        postgresql_where=sa.text("holds"),
    )
    op.create_index(
        "orders_pending",
        "orders",
        ["expires_at"],
        unique=False,
        sqlite_where=sa.text("state = 'Pending'"),
        postgresql_where=sa.text("state = 'Pending'"),
    )
    op.create_table(
        "meter_samples",
        sa.Column("order_id", sa.String(length=40), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("register_mwh", sa.BigInteger(), nullable=False),
        sa.Column("energy_mwh", sa.BigInteger(), nullable=False),
        sa.Column("power_mw", sa.BigInteger(), nullable=False),
        sa.Column("cost_minor", sa.BigInteger(), nullable=False),
        sa.Column("elapsed_s", sa.Integer(), nullable=False),
        sa.Column("remaining_json", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["order_id"],
            ["orders.order_id"],
        ),
        sa.PrimaryKeyConstraint("order_id", "at"),
    )
    op.create_table(
        "payments",
        sa.Column("order_id", sa.String(length=40), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("method", sa.String(length=16), nullable=False),
        sa.Column("paid_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["order_id"],
            ["orders.order_id"],
        ),
        sa.PrimaryKeyConstraint("order_id"),
    )


def downgrade() -> None:
    op.drop_table("payments")
    op.drop_table("meter_samples")
    op.drop_index(
        "orders_pending",
        table_name="orders",
        sqlite_where=sa.text("state = 'Pending'"),
        postgresql_where=sa.text("state = 'Pending'"),
    )
    op.drop_index(
        "orders_holding",
        table_name="orders",
        sqlite_where=sa.text("holds"),
        postgresql_where=sa.text("holds"),
    )
    op.drop_index("orders_by_device", table_name="orders")
    op.drop_table("orders")
    op.drop_index(
        "settlements_flagged",
        table_name="settlements",
        sqlite_where=sa.text("flagged"),
        postgresql_where=sa.text("flagged"),
    )
    op.drop_table("settlements")
    op.drop_index("rates_by_device", table_name="rates")
    op.drop_table("rates")
    op.drop_index(
        "outbox_unsent",
        table_name="outbox",
        sqlite_where=sa.text("sent_at IS NULL"),
        postgresql_where=sa.text("sent_at IS NULL"),
    )
    op.drop_index("outbox_by_order", table_name="outbox")
    op.drop_index("outbox_by_device", table_name="outbox")
    op.drop_table("outbox")
    op.drop_table("rejects")
    op.drop_table("piles")
    op.drop_index("events_by_order", table_name="events")
    op.drop_index("events_by_device", table_name="events")
    op.drop_table("events")
