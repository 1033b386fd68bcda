"""The site at which an order was confirmed, which stays when the pile moves; empty for no site. A periodic
job gives older orders that of their pile: all of them at once would lock a large table for minutes.
"""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("orders", sa.Column("site_id", sa.String(32)))


def downgrade() -> None:
    with op.batch_alter_table("orders") as orders:
        orders.drop_column("site_id")
