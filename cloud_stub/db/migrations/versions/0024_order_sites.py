"""The site at which an order was confirmed, which stays when the pile moves. Of older orders: the pile's."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("orders", sa.Column("site_id", sa.String(32)))
    op.execute(
        "UPDATE orders SET site_id = (SELECT site_id FROM piles WHERE piles.device_id = orders.device_id)"
    )


def downgrade() -> None:
    with op.batch_alter_table("orders") as orders:
        orders.drop_column("site_id")
