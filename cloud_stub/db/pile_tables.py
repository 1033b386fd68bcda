"""The tables of what operators decide about piles, of the boards that greet under a pile's id, and of
read-only MQTT logins.
"""

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, String, Table, Text

from .tables import metadata

# What is out of service; a row for connector 0 is for the whole pile.
pile_service = Table(
    "pile_service",
    metadata,
    Column("device_id", String(32), ForeignKey("piles.device_id"), primary_key=True),
    Column("connector", Integer, primary_key=True, autoincrement=False),
    Column("reason", String(20), nullable=False),
    Column("note", Text, nullable=False),
    Column("actor", String(100), nullable=False),
    Column("at", BigInteger, nullable=False),
)

# What each pile's last hello told, and which boards it came from.
pile_boards = Table(
    "pile_boards",
    metadata,
    Column("device_id", String(32), ForeignKey("piles.device_id"), primary_key=True),
    Column("hello_json", Text, nullable=False),
    Column("hello_at", BigInteger, nullable=False),
    Column("chip", String(32)),  # null: the firmware does not tell
    Column("other_chip", String(32)),  # of the board that greeted before this one
    Column("other_at", BigInteger),  # when that one greeted last
    Column("two_boards_at", BigInteger),  # when two boards were last found to greet in turn
    Column("service_sent_at", BigInteger),  # when the list of what is out of service was last sent
)

# Keys that a pile had before; they prove the seals of earlier settlements.
retired_keys = Table(
    "retired_keys",
    metadata,
    Column("device_id", String(32), ForeignKey("piles.device_id"), primary_key=True),
    Column("key_hex", String(64), primary_key=True),
    Column("retired_at", BigInteger, nullable=False),
)

monitor_logins = Table(
    "monitor_logins",
    metadata,
    Column("name", String(24), primary_key=True),
    Column("password_line", Text, nullable=False),  # of the broker's password file
    Column("created_by", String(100), nullable=False),
    Column("created_at", BigInteger, nullable=False),
)
