"""Piles that were removed, and flagged settlements that somebody has looked into."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("piles", sa.Column("removed_at", sa.BigInteger()))
    op.create_index(
        "piles_removed",
        "piles",
        ["device_id"],
        unique=False,
        sqlite_where=sa.text("removed_at IS NOT NULL"),
        postgresql_where=sa.text("removed_at IS NOT NULL"),
    )
    for column in (
        sa.Column("review", sa.String(16)),
        sa.Column("reviewed_at", sa.BigInteger()),
        sa.Column("review_note", sa.Text()),
        sa.Column("billed_json", sa.Text()),
    ):
        op.add_column("settlements", column)
    op.create_index(
        "settlements_reviewed",
        "settlements",
        ["id"],
        unique=False,
        sqlite_where=sa.text("reviewed_at IS NOT NULL"),
        postgresql_where=sa.text("reviewed_at IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("settlements_reviewed", table_name="settlements")
    for name in ("billed_json", "review_note", "reviewed_at", "review"):
        op.drop_column("settlements", name)
    op.drop_index("piles_removed", table_name="piles")
    op.drop_column("piles", "removed_at")
