"""Operators with names, their sessions, API tokens."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "users",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("signed_in_at", sa.BigInteger()),
        sa.Column("signed_in_from", sa.String(64)),
        sa.Column("disabled_at", sa.BigInteger()),
        sa.Column("removed_at", sa.BigInteger()),
    )
    op.create_table(
        "sessions",
        sa.Column("session_id", sa.String(40), primary_key=True),
        sa.Column("secret_hash", sa.String(64), nullable=False),
        sa.Column("user_name", sa.String(32), sa.ForeignKey("users.name"), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("browser", sa.String(200), nullable=False),
    )
    op.create_index("sessions_by_secret", "sessions", ["secret_hash"], unique=True)
    op.create_index("sessions_by_user", "sessions", ["user_name", "session_id"], unique=False)
    op.create_table(
        "api_tokens",
        sa.Column("token_id", sa.String(40), primary_key=True),
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("secret_hash", sa.String(64), nullable=False),
        sa.Column("permissions", sa.Text(), nullable=False),
        sa.Column("created_by", sa.String(100), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger()),
        sa.Column("revoked_at", sa.BigInteger()),
    )
    op.create_index("api_tokens_by_secret", "api_tokens", ["secret_hash"], unique=True)
    op.create_index(
        "api_tokens_by_name",
        "api_tokens",
        ["name"],
        unique=True,
        sqlite_where=sa.text("revoked_at IS NULL"),
        postgresql_where=sa.text("revoked_at IS NULL"),
    )
    for name, column in (("actor", "actor"), ("action", "action"), ("time", "at")):
        op.create_index(f"audit_by_{name}", "audit", [column, "id"], unique=False)


def downgrade() -> None:
    for name in ("time", "action", "actor"):
        op.drop_index(f"audit_by_{name}", table_name="audit")
    op.drop_table("api_tokens")
    op.drop_table("sessions")
    op.drop_table("users")
