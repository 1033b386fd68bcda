"""The cost so far of each component of a price, with the meter values."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("meter_samples", sa.Column("costs_json", sa.Text()))


def downgrade() -> None:
    op.drop_column("meter_samples", "costs_json")
