"""The tables of firmware releases, of rollouts, and of the firmware that each pile runs.

A row of rollout_piles is open until the pile has an outcome; of one pile, one row at most is open.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
)

from .tables import SERIAL, metadata, partial_index

releases = Table(
    "releases",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("version", String(40), nullable=False),
    Column("digest", String(64), nullable=False),  # of its manifests and signatures
    Column("size_bytes", BigInteger, nullable=False),  # of its files, each once
    Column("added_at", BigInteger, nullable=False),
    Column("removed_at", BigInteger),  # the row stays, so that the number keeps its meaning
)

release_boards = Table(
    "release_boards",
    metadata,
    Column("number", Integer, ForeignKey("releases.number"), primary_key=True),
    Column("board", String(40), primary_key=True),
    Column("mpy", String(8), nullable=False),  # version of the .mpy files, such as 6.3
    Column("manifest", Text, nullable=False),  # the exact text that is signed
    Column("signature", String(128), nullable=False),
    Column("total_bytes", BigInteger, nullable=False),
)

release_files = Table(
    "release_files",
    metadata,
    Column("number", Integer, ForeignKey("releases.number"), primary_key=True),
    Column("sha256", String(64), primary_key=True),
    Column("data", LargeBinary, nullable=False),
)

# What each pile's last hello told; a pile whose hello tells no release has no row.
pile_firmware = Table(
    "pile_firmware",
    metadata,
    Column("device_id", String(32), ForeignKey("piles.device_id"), primary_key=True),
    Column("release", Integer, nullable=False),
    Column("board", String(40), nullable=False),
    Column("mpy", String(8), nullable=False),
    Column("on_trial", Boolean, nullable=False),
    Column("fell_back_release", Integer),
    Column("fell_back_reason", String(60)),
    Column("told_at", BigInteger, nullable=False),
)

rollouts = Table(
    "rollouts",
    metadata,
    Column("id", SERIAL, primary_key=True),
    Column("release", Integer, ForeignKey("releases.number")),  # null: a configuration
    Column("values_json", Text),  # of a configuration
    Column("again", Boolean, nullable=False),  # also to piles that went back from that release
    Column("selection", String(64), nullable=False),
    Column("waves_json", Text, nullable=False),  # as asked for
    Column("lost_max", Integer, nullable=False),  # so many lost piles of a wave halt the rollout
    Column("forgiven", Integer, nullable=False),  # lost piles of this wave that an operator has seen
    Column("state", String(16), nullable=False),
    Column("wave", Integer, nullable=False),  # the latest that has begun, from 1
    Column("halted_why", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("deadline_at", BigInteger, nullable=False),  # nothing is offered after it
    Column("ended_at", BigInteger),  # null while a pile's row is open
    partial_index("rollouts_open", "id", where="ended_at IS NULL"),
    Index("rollouts_by_release", "release", "id"),
)

rollout_piles = Table(
    "rollout_piles",
    metadata,
    Column("rollout_id", SERIAL, ForeignKey("rollouts.id"), primary_key=True),
    Column("device_id", String(32), ForeignKey("piles.device_id"), primary_key=True),
    Column("wave", Integer, nullable=False),  # 0: it takes no part
    Column("state", String(16), nullable=False),
    Column("reason", String(60)),
    Column("open", Boolean, nullable=False),
    Column("attempts", Integer, nullable=False),  # offers
    Column("done_bytes", BigInteger),
    Column("total_bytes", BigInteger),
    Column("changed_at", BigInteger, nullable=False),
    Index("rollout_piles_by_pile", "device_id", "rollout_id"),
    partial_index("rollout_piles_open", "device_id", unique=True, where="open", sqlite_where="open = 1"),
)
