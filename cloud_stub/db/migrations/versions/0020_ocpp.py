"""The OCPP gateway: charge points, transactions, and the rate at which a site lets central systems start."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "ocpp_piles",
        sa.Column("device_id", sa.String(32), sa.ForeignKey("piles.device_id"), primary_key=True),
        sa.Column("sample_s", sa.Integer(), nullable=False),
        sa.Column("message_id", sa.String(36)),
        sa.Column("action", sa.String(32)),
        sa.Column("payload_json", sa.Text()),
        sa.Column("order_id", sa.String(40)),
        sa.Column("refusals", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("errors_json", sa.Text(), nullable=False),
        sa.Column("last_error", sa.Text()),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "ocpp_transactions",
        sa.Column("order_id", sa.String(40), sa.ForeignKey("orders.order_id"), primary_key=True),
        sa.Column("device_id", sa.String(32), sa.ForeignKey("piles.device_id"), nullable=False),
        sa.Column("id_tag", sa.String(20), nullable=False),
        sa.Column("transaction_id", sa.BigInteger()),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.Column("sampled_at", sa.BigInteger(), nullable=False),
    )
    op.create_index(
        "ocpp_transactions_open",
        "ocpp_transactions",
        ["device_id", "order_id"],
        sqlite_where=sa.text("open = 1"),
        postgresql_where=sa.text("open"),
    )
    op.add_column("sites", sa.Column("remote_start_rate_id", sa.String(40)))


def downgrade() -> None:
    with op.batch_alter_table("sites") as sites:
        sites.drop_column("remote_start_rate_id")
    for table in ("ocpp_transactions", "ocpp_piles"):
        op.drop_table(table)
