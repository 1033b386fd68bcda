"""The audit trail."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    serial = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "audit",
        sa.Column("id", serial, primary_key=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor_kind", sa.String(16), nullable=False),
        sa.Column("actor", sa.String(100), nullable=False),
        sa.Column("action", sa.String(32), nullable=False),
        sa.Column("device_id", sa.String(32)),
        sa.Column("order_id", sa.String(40)),
        sa.Column("site_id", sa.String(40)),
        sa.Column("tariff_id", sa.String(40)),
        sa.Column("account", sa.String(100)),
        sa.Column("detail", sa.Text(), nullable=False),
    )
    for name in ("device_id", "order_id", "site_id", "tariff_id", "account"):
        op.create_index(f"audit_by_{name.removesuffix('_id')}", "audit", [name, "id"], unique=False)


def downgrade() -> None:
    op.drop_table("audit")
