"""Payments by the day on which they ended; holds by their state and by the provider's name."""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("payment_holds_by_time", "payment_holds")
    op.drop_index("payment_calls_by_time", "payment_calls")
    op.create_index("payment_holds_by_state", "payment_holds", ["state", "hold_id"])
    op.create_index("payment_holds_by_ref", "payment_holds", ["ref"])
    op.create_index("payment_calls_by_end", "payment_calls", ["resolved_at"])


def downgrade() -> None:
    op.drop_index("payment_calls_by_end", "payment_calls")
    op.drop_index("payment_holds_by_ref", "payment_holds")
    op.drop_index("payment_holds_by_state", "payment_holds")
    op.create_index("payment_calls_by_time", "payment_calls", ["created_at"])
    op.create_index("payment_holds_by_time", "payment_holds", ["created_at"])
