"""Orders listed by their site."""

from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("orders_by_site", "orders", ["site_id", "order_id"])


def downgrade() -> None:
    op.drop_index("orders_by_site", "orders")
