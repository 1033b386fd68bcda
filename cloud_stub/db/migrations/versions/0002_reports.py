"""What lists and reports ask for: which piles have a fault, and when a settlement's charging ended."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("piles", sa.Column("faulted", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("settlements", sa.Column("ended_at", sa.BigInteger(), nullable=False, server_default="0"))
    conn = op.get_bind()
    piles = sa.table("piles", sa.column("device_id"), sa.column("status_json"), sa.column("faulted"))
    for row in conn.execute(sa.select(piles.c.device_id, piles.c.status_json)).all():
        told = json.loads(row.status_json).get("connectors", ()) if row.status_json else ()
        if any(each.get("fault") for each in told):
            conn.execute(sa.update(piles).where(piles.c.device_id == row.device_id).values(faulted=True))
    settlements = sa.table("settlements", sa.column("id"), sa.column("payload"), sa.column("ended_at"))
    for row in conn.execute(sa.select(settlements.c.id, settlements.c.payload)).all():
        ended_at = json.loads(row.payload)["ended_at"]
        conn.execute(sa.update(settlements).where(settlements.c.id == row.id).values(ended_at=ended_at))
    # The condition as the queries write it: else SQLite never uses these two.
    op.drop_index("orders_holding", table_name="orders")
    op.create_index(
        "orders_holding",
        "orders",
        ["device_id", "connector"],
        unique=False,
        sqlite_where=sa.text("holds = 1"),
        postgresql_where=sa.text("holds"),
    )
    op.drop_index("settlements_flagged", table_name="settlements")
    op.create_index(
        "settlements_flagged",
        "settlements",
        ["id"],
        unique=False,
        sqlite_where=sa.text("flagged = 1"),
        postgresql_where=sa.text("flagged"),
    )
    op.create_index("settlements_by_end", "settlements", ["ended_at"], unique=False)
    op.create_index("orders_by_rate", "orders", ["rate_id", "order_id"], unique=False)


def downgrade() -> None:
    op.drop_index("orders_by_rate", table_name="orders")
    op.drop_index("settlements_by_end", table_name="settlements")
    op.drop_column("settlements", "ended_at")
    op.drop_column("piles", "faulted")
