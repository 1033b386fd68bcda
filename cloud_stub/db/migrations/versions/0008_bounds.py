"""Indices: of orders by state, of the outbox by expiry, of a pile's settlements that settle no order."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("orders_by_state", "orders", ["state", "order_id"], unique=False)
    op.create_index("outbox_by_expiry", "outbox", ["expires_at"], unique=False)
    op.create_index(
        "settlements_unsettled",
        "settlements",
        ["device_id"],
        unique=False,
        sqlite_where=sa.text("flagged = 1 AND settles_order_id IS NULL"),
        postgresql_where=sa.text("flagged AND settles_order_id IS NULL"),
    )


def downgrade() -> None:
    op.drop_index("settlements_unsettled", table_name="settlements")
    op.drop_index("outbox_by_expiry", table_name="outbox")
    op.drop_index("orders_by_state", table_name="orders")
