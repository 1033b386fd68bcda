"""The tables of the room people: operators, their sessions, API tokens. Secrets are stored as hashes only."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, String, Table, Text

from .tables import metadata, partial_index

users = Table(
    "users",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("role", String(16), nullable=False),
    Column("password_hash", Text, nullable=False),  # argon2id; empty once removed
    Column("created_at", BigInteger, nullable=False),
    Column("signed_in_at", BigInteger),  # the last time
    Column("signed_in_from", String(64)),  # and from which network
    Column("disabled_at", BigInteger),
    Column("removed_at", BigInteger),  # its row stays, so that an audit line never names another person
)

sessions = Table(
    "sessions",
    metadata,
    Column("session_id", String(40), primary_key=True),
    Column("secret_hash", String(64), nullable=False),
    Column("user_name", String(32), ForeignKey("users.name"), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("used_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("address", String(64), nullable=False),
    Column("browser", String(200), nullable=False),
    Index("sessions_by_secret", "secret_hash", unique=True),
    Index("sessions_by_user", "user_name", "session_id"),
)

api_tokens = Table(
    "api_tokens",
    metadata,
    Column("token_id", String(40), primary_key=True),
    Column("name", String(32), nullable=False),
    Column("secret_hash", String(64), nullable=False),
    Column("permissions", Text, nullable=False),  # words of people/roles.py, with blanks between
    Column("created_by", String(100), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("used_at", BigInteger),
    Column("revoked_at", BigInteger),
    Index("api_tokens_by_secret", "secret_hash", unique=True),
    # Of those that are not revoked, no two have one name.
    partial_index("api_tokens_by_name", "name", unique=True, where="revoked_at IS NULL"),
)
