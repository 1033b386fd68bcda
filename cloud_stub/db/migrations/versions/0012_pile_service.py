"""What is out of service, the boards of piles, and the keys that they had."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def _device_id() -> sa.Column:
    return sa.Column("device_id", sa.String(32), sa.ForeignKey("piles.device_id"), primary_key=True)


def upgrade() -> None:
    op.create_table(
        "pile_service",
        _device_id(),
        sa.Column("connector", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("reason", sa.String(20), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("actor", sa.String(100), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "pile_boards",
        _device_id(),
        sa.Column("hello_json", sa.Text(), nullable=False),
        sa.Column("hello_at", sa.BigInteger(), nullable=False),
        sa.Column("chip", sa.String(32)),
        sa.Column("other_chip", sa.String(32)),
        sa.Column("other_at", sa.BigInteger()),
        sa.Column("two_boards_at", sa.BigInteger()),
        sa.Column("service_sent_at", sa.BigInteger()),
    )
    op.create_table(
        "retired_keys",
        _device_id(),
        sa.Column("key_hex", sa.String(64), primary_key=True),
        sa.Column("retired_at", sa.BigInteger(), nullable=False),
    )


def downgrade() -> None:
    for table in ("retired_keys", "pile_boards", "pile_service"):
        op.drop_table(table)
