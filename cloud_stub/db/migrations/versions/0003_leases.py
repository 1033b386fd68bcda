"""Of several workers, one sends a row of the outbox: it has it on lease."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("outbox", sa.Column("leased_until", sa.BigInteger()))


def downgrade() -> None:
    op.drop_column("outbox", "leased_until")
