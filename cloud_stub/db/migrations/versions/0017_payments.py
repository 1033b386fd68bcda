"""Payments: holds, calls to providers, free vend."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "payment_holds",
        sa.Column("hold_id", sa.String(40), primary_key=True),
        sa.Column("idempotency_key", sa.String(128), nullable=False),
        sa.Column("request_digest", sa.String(64), nullable=False),
        sa.Column("device_id", sa.String(32), sa.ForeignKey("piles.device_id"), nullable=False),
        sa.Column("order_id", sa.String(40), sa.ForeignKey("orders.order_id")),
        sa.Column("adapter", sa.String(16), nullable=False),
        sa.Column("is_test", sa.Boolean(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("minor_digits", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("ref", sa.String(255)),
        sa.Column("reason", sa.Text()),
        sa.Column("captured_minor", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("released_minor", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("refunded_minor", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint("idempotency_key", name="payment_holds_idempotency_key"),
        sa.UniqueConstraint("order_id", name="payment_holds_order"),
    )
    op.create_index(
        "payment_holds_open",
        "payment_holds",
        ["hold_id"],
        sqlite_where=sa.text("open = 1"),
        postgresql_where=sa.text("open"),
    )
    op.create_index("payment_holds_by_time", "payment_holds", ["created_at"])
    op.create_table(
        "payment_calls",
        sa.Column("key", sa.String(40), primary_key=True),
        sa.Column("hold_id", sa.String(40), sa.ForeignKey("payment_holds.hold_id"), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("ref", sa.String(255)),
        sa.Column("reason", sa.Text()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=False),
        sa.Column("resolved_at", sa.BigInteger()),
    )
    op.create_index("payment_calls_by_hold", "payment_calls", ["hold_id", "key"])
    op.create_index("payment_calls_by_time", "payment_calls", ["created_at"])
    op.create_index(
        "payment_calls_open",
        "payment_calls",
        ["next_at"],
        sqlite_where=sa.text("state = 'Open'"),
        postgresql_where=sa.text("state = 'Open'"),
    )
    op.create_table(
        "free_grants",
        sa.Column("grant_id", sa.String(40), primary_key=True),
        sa.Column("code", sa.String(40)),
        sa.Column("site_id", sa.String(32)),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("uses_max", sa.BigInteger()),
        sa.Column("uses", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("until_at", sa.BigInteger()),
        sa.Column("actor", sa.String(100), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger()),
        sa.UniqueConstraint("code", name="free_grants_code"),
    )
    op.create_index("free_grants_by_site", "free_grants", ["site_id"])
    op.create_table(
        "free_orders",
        sa.Column("order_id", sa.String(40), sa.ForeignKey("orders.order_id"), primary_key=True),
        sa.Column("grant_id", sa.String(40), sa.ForeignKey("free_grants.grant_id")),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("actor_kind", sa.String(16), nullable=False),
        sa.Column("actor", sa.String(100), nullable=False),
        sa.Column("open", sa.Boolean(), nullable=False),
    )
    op.create_index(
        "free_orders_open",
        "free_orders",
        ["order_id"],
        sqlite_where=sa.text("open = 1"),
        postgresql_where=sa.text("open"),
    )


def downgrade() -> None:
    for table in ("free_orders", "free_grants", "payment_calls", "payment_holds"):
        op.drop_table(table)
