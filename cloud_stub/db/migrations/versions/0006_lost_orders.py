"""Lost orders have a state of their own; two indices of orders."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# Until here an order that was lost kept its state and only let go of its connector.
_LOSE = (
    "UPDATE orders SET state = 'Lost', reason = 'NotAtPile', version = version + 1"
    " WHERE NOT holds AND state IN ('Accepted', 'Charging', 'Finishing')"
)
_LOSE_WITH_PILE = (
    "UPDATE orders SET reason = 'PileRemoved' WHERE state = 'Lost'"
    " AND device_id IN (SELECT device_id FROM piles WHERE removed_at IS NOT NULL)"
)


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        # PostgreSQL's sequences give no id twice; SQLite needs AUTOINCREMENT for that.
        with op.batch_alter_table("outbox", recreate="always", table_kwargs={"sqlite_autoincrement": True}):
            pass
    for name, column, where in (
        ("orders_holding_until", "window_end_at", ""),
        ("orders_stopping", "order_id", " AND stop_requested_at IS NOT NULL"),
    ):
        op.create_index(
            name,
            "orders",
            [column],
            unique=False,
            sqlite_where=sa.text("holds = 1" + where),
            postgresql_where=sa.text("holds" + where),
        )
    for statement in (_LOSE, _LOSE_WITH_PILE):
        op.execute(statement)


def downgrade() -> None:
    op.drop_index("orders_stopping", table_name="orders")
    op.drop_index("orders_holding_until", table_name="orders")
