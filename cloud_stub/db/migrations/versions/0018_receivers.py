"""Receivers of events beside the piles: rows of the outbox that are theirs, webhooks."""

from collections.abc import Mapping

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_PARTIAL = {
    "outbox_by_device": ("device_id", "receiver IS NULL"),
    "outbox_by_order": ("order_id", "receiver IS NULL"),
    "outbox_unsent": ("created_at", "sent_at IS NULL AND receiver IS NULL"),
}
_BEFORE = {
    "outbox_by_device": ("device_id", None),
    "outbox_by_order": ("order_id", None),
    "outbox_unsent": ("created_at", "sent_at IS NULL"),
}


def _index(indexes: Mapping[str, tuple[str, str | None]]) -> None:
    for name, (column, where) in indexes.items():
        condition = None if where is None else sa.text(where)
        op.create_index(name, "outbox", [column], sqlite_where=condition, postgresql_where=condition)


def upgrade() -> None:
    for name in _PARTIAL:
        op.drop_index(name, table_name="outbox")
    with op.batch_alter_table("outbox", table_kwargs={"sqlite_autoincrement": True}) as table:
        table.alter_column("name", existing_type=sa.String(16), type_=sa.String(32), existing_nullable=False)
        table.add_column(sa.Column("receiver", sa.String(48)))
        table.add_column(sa.Column("lane", sa.String(40)))
        table.add_column(sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"))
        table.add_column(sa.Column("reason", sa.String(200)))
    _index(_PARTIAL)
    op.create_index("outbox_by_lane", "outbox", ["receiver", "lane", "id"])
    op.create_index("outbox_due", "outbox", ["receiver", "leased_until"])
    op.create_table(
        "receivers",
        sa.Column("name", sa.String(48), primary_key=True),
        sa.Column("kinds_json", sa.Text(), nullable=False),
        sa.Column("per_pile", sa.Boolean(), nullable=False),
        sa.Column("bound", sa.Integer(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False, server_default=sa.true()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("dropped", sa.BigInteger(), nullable=False, server_default="0"),
    )
    op.create_table(
        "webhooks",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("receiver", sa.String(48), sa.ForeignKey("receivers.name"), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("secret", sa.String(80), nullable=False),
        sa.Column("created_by", sa.String(100), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("delivered", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("delivered_at", sa.BigInteger()),
        sa.Column("failing_since", sa.BigInteger()),
        sa.Column("answer", sa.String(200)),
        sa.Column("disabled_at", sa.BigInteger()),
    )


def downgrade() -> None:
    # The version before would publish them to piles.
    op.execute("DELETE FROM outbox WHERE receiver IS NOT NULL")
    op.drop_table("webhooks")
    op.drop_table("receivers")
    for name in ("outbox_due", "outbox_by_lane", *_PARTIAL):
        op.drop_index(name, table_name="outbox")
    with op.batch_alter_table("outbox", table_kwargs={"sqlite_autoincrement": True}) as table:
        for column in ("reason", "attempts", "lane", "receiver"):
            table.drop_column(column)
        table.alter_column("name", existing_type=sa.String(32), type_=sa.String(16), existing_nullable=False)
    _index(_BEFORE)
