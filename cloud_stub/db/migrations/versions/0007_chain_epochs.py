"""Epochs of a pile's chain of settlements; connector and registers of each settlement.

The settlements of a board that was replaced under its old key had no place in the chain. They get an epoch of
their own, and those that were flagged only for that are not flagged any more. Settled orders with nothing to
pay are closed.
"""

import json
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_TOLD = ("connector", "start_register_mwh", "end_register_mwh")
_settlements = sa.table(
    "settlements",
    *map(
        sa.column,
        (
            "id",
            "device_id",
            "seq",
            "mac",
            "chain_seq",
            "epoch",
            "payload",
            "flags_json",
            "flagged",
            "reviewed_at",
        ),
    ),
    *map(sa.column, _TOLD),
)
_piles = sa.table("piles", sa.column("device_id"), sa.column("epoch"))
_BATCH = 1000
_CLOSE_FREE = (
    "UPDATE orders SET state = 'Paid', paid_at = settled_at, version = version + 1"
    " WHERE state = 'Settled' AND total_minor = 0 AND order_id IN"
    " (SELECT settles_order_id FROM settlements WHERE NOT flagged)"
)


def upgrade() -> None:
    op.add_column("piles", sa.Column("epoch", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("piles", sa.Column("empty_hello_at", sa.BigInteger()))
    op.add_column("piles", sa.Column("connector_power_w", sa.BigInteger()))
    with op.batch_alter_table("settlements") as batch:
        batch.add_column(sa.Column("epoch", sa.Integer(), nullable=False, server_default="1"))
        batch.add_column(sa.Column("connector", sa.Integer()))
        for name in ("start_register_mwh", "end_register_mwh", "unbilled_mwh"):
            batch.add_column(sa.Column(name, sa.BigInteger()))
        batch.drop_constraint("settlements_chain", type_="unique")
        batch.create_unique_constraint("settlements_chain", ["device_id", "epoch", "chain_seq"])
    op.create_index(
        "settlements_by_connector", "settlements", ["device_id", "epoch", "connector", "chain_seq"]
    )
    conn = op.get_bind()
    _copy_what_is_told(conn)
    c = _settlements.c
    restarted = sa.select(c.device_id).where(c.chain_seq.is_(None), c.seq == 1).distinct()
    for device_id in conn.execute(restarted).scalars().all():
        _begin_epochs(conn, device_id)
    op.execute(_CLOSE_FREE)


def _copy_what_is_told(conn: sa.Connection) -> None:
    c = _settlements.c
    values = {name: sa.bindparam("told_" + name) for name in _TOLD}
    update = sa.update(_settlements).where(c.id == sa.bindparam("this")).values(values)
    for page in _pages(conn, sa.select(c.id, c.payload).where(c.flags_json.not_like('%"Malformed"%'))):
        told = [(row.id, json.loads(row.payload)) for row in page]
        conn.execute(
            update, [{"this": id, **{"told_" + name: said[name] for name in _TOLD}} for id, said in told]
        )


def _pages(conn: sa.Connection, query: Any) -> Iterator[Any]:
    after = 0
    while page := conn.execute(query.where(_settlements.c.id > after).order_by("id").limit(_BATCH)).all():
        yield page
        after = page[-1].id


def _begin_epochs(conn: sa.Connection, device_id: str) -> None:
    """Give each settlement of the pile the chain that its prev_mac names, in the order in which they came."""
    c = _settlements.c
    rows = conn.execute(sa.select(_settlements).where(c.device_id == device_id).order_by(c.id)).all()
    epoch_of = {row.mac: 1 for row in rows if row.chain_seq is not None}
    taken = {(1, row.chain_seq) for row in rows if row.chain_seq is not None}
    newest = 1
    for row in rows:
        prev_mac = json.loads(row.payload).get("prev_mac", "")
        if row.chain_seq is None and row.seq == 1 and prev_mac is None:
            epoch = newest = newest + 1
        else:
            epoch = epoch_of.get(prev_mac, 1)
        if epoch == 1 or (epoch, row.seq) in taken:
            continue
        epoch_of[row.mac] = epoch
        taken.add((epoch, row.seq))
        flags = [
            flag for flag in json.loads(row.flags_json) if flag not in ("SeqReused", "ChainBroken", "SeqGap")
        ]
        conn.execute(
            sa.update(_settlements)
            .where(c.id == row.id)
            .values(
                epoch=epoch,
                chain_seq=row.seq,
                flags_json=json.dumps(flags, separators=(",", ":")),
                flagged=bool(flags) and row.reviewed_at is None,
            )
        )
    conn.execute(sa.update(_piles).where(_piles.c.device_id == device_id).values(epoch=newest))


def downgrade() -> None:
    op.drop_index("settlements_by_connector", table_name="settlements")
    with op.batch_alter_table("settlements") as batch:
        batch.drop_constraint("settlements_chain", type_="unique")
        for name in ("unbilled_mwh", "end_register_mwh", "start_register_mwh", "connector", "epoch"):
            batch.drop_column(name)
        batch.create_unique_constraint("settlements_chain", ["device_id", "chain_seq"])
    for name in ("connector_power_w", "empty_hello_at", "epoch"):
        op.drop_column("piles", name)
