"""How far the duties that go through all orders have come."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "progress",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("place", sa.String(40), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("progress")
