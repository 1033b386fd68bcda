"""The current in meter values, and which receipt the central system was told last."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("meter_samples", sa.Column("current_ma", sa.BigInteger()))
    op.add_column("ocpp_transactions", sa.Column("receipt_digest", sa.String(64)))


def downgrade() -> None:
    op.drop_column("ocpp_transactions", "receipt_digest")
    op.drop_column("meter_samples", "current_ma")
