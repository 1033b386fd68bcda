"""Firmware releases, rollouts, and the firmware that each pile runs."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    serial = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "releases",
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("version", sa.String(40), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("added_at", sa.BigInteger(), nullable=False),
        sa.Column("removed_at", sa.BigInteger()),
    )
    op.create_table(
        "release_boards",
        sa.Column("number", sa.Integer(), sa.ForeignKey("releases.number"), primary_key=True),
        sa.Column("board", sa.String(40), primary_key=True),
        sa.Column("mpy", sa.String(8), nullable=False),
        sa.Column("manifest", sa.Text(), nullable=False),
        sa.Column("signature", sa.String(128), nullable=False),
        sa.Column("total_bytes", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "release_files",
        sa.Column("number", sa.Integer(), sa.ForeignKey("releases.number"), primary_key=True),
        sa.Column("sha256", sa.String(64), primary_key=True),
        sa.Column("data", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "pile_firmware",
        sa.Column("device_id", sa.String(32), sa.ForeignKey("piles.device_id"), primary_key=True),
        sa.Column("release", sa.Integer(), nullable=False),
        sa.Column("board", sa.String(40), nullable=False),
        sa.Column("mpy", sa.String(8), nullable=False),
        sa.Column("on_trial", sa.Boolean(), nullable=False),
        sa.Column("fell_back_release", sa.Integer()),
        sa.Column("fell_back_reason", sa.String(60)),
        sa.Column("told_at", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "rollouts",
        sa.Column("id", serial, primary_key=True),
        sa.Column("release", sa.Integer(), sa.ForeignKey("releases.number")),
        sa.Column("values_json", sa.Text()),
        sa.Column("again", sa.Boolean(), nullable=False),
        sa.Column("selection", sa.String(64), nullable=False),
        sa.Column("waves_json", sa.Text(), nullable=False),
        sa.Column("lost_max", sa.Integer(), nullable=False),
        sa.Column("forgiven", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("wave", sa.Integer(), nullable=False),
        sa.Column("halted_why", sa.Text()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("deadline_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger()),
    )
    op.create_index("rollouts_by_release", "rollouts", ["release", "id"], unique=False)
    op.create_index(
        "rollouts_open",
        "rollouts",
        ["id"],
        unique=False,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "rollout_piles",
        sa.Column("rollout_id", serial, sa.ForeignKey("rollouts.id"), primary_key=True),
        sa.Column("device_id", sa.String(32), sa.ForeignKey("piles.device_id"), primary_key=True),
        sa.Column("wave", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(60)),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("done_bytes", sa.BigInteger()),
        sa.Column("total_bytes", sa.BigInteger()),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
    )
    op.create_index("rollout_piles_by_pile", "rollout_piles", ["device_id", "rollout_id"], unique=False)
    op.create_index(
        "rollout_piles_open",
        "rollout_piles",
        ["device_id"],
        unique=True,
        sqlite_where=sa.text("open = 1"),
        postgresql_where=sa.text("open"),
    )


def downgrade() -> None:
    for table in (
        "rollout_piles",
        "rollouts",
        "pile_firmware",
        "release_files",
        "release_boards",
        "releases",
    ):
        op.drop_table(table)
