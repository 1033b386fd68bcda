"""Sites, tags, tariffs and calendars. The rates of each pile become the versions of a tariff of that pile."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_TARIFFS_OF_PILES = """
    INSERT INTO tariffs (tariff_id, name, created_at)
    SELECT 'pile:' || piles.device_id, piles.name, piles.created_at FROM piles
    WHERE EXISTS (SELECT 1 FROM rates WHERE rates.device_id = piles.device_id)
"""
_VERSIONS = "UPDATE rates SET tariff_id = 'pile:' || device_id, from_at = published_at"
# The latest holds, also where the clock had been set back before it was published.
_LATEST_FROM = """
    UPDATE rates SET from_at = (SELECT max(other.published_at) FROM rates AS other
                                WHERE other.device_id = rates.device_id)
    WHERE rate_id IN (SELECT rate_id FROM piles)
"""
_ASSIGN = """
    UPDATE piles SET tariff_id = 'pile:' || device_id WHERE rate_id IS NOT NULL
"""
_PILE_OF_VERSION = """
    UPDATE rates SET device_id = coalesce(
        (SELECT device_id FROM piles WHERE rates.tariff_id = 'pile:' || piles.device_id),
        (SELECT min(device_id) FROM orders WHERE orders.rate_id = rates.rate_id),
        (SELECT min(device_id) FROM piles WHERE piles.tariff_id = rates.tariff_id))
"""
_NEWEST_OF_PILE = """
    UPDATE piles SET rate_id = (SELECT max(rate_id) FROM rates WHERE rates.tariff_id = piles.tariff_id
                                AND rates.device_id = piles.device_id)
"""


def upgrade() -> None:
    op.create_table(
        "tariffs",
        sa.Column("tariff_id", sa.String(40), primary_key=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("removed_at", sa.BigInteger()),
    )
    op.create_table(
        "sites",
        sa.Column("site_id", sa.String(32), primary_key=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("time_zone", sa.String(64), nullable=False),
        sa.Column("contact", sa.Text(), nullable=False),
        sa.Column("tariff_id", sa.String(40), sa.ForeignKey("tariffs.tariff_id")),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "pile_tags",
        sa.Column("device_id", sa.String(32), sa.ForeignKey("piles.device_id"), primary_key=True),
        sa.Column("tag", sa.String(32), primary_key=True),
    )
    op.create_index("pile_tags_by_tag", "pile_tags", ["tag", "device_id"])
    op.create_table(
        "connector_tariffs",
        sa.Column("device_id", sa.String(32), sa.ForeignKey("piles.device_id"), primary_key=True),
        sa.Column("connector", sa.Integer(), primary_key=True),
        sa.Column("tariff_id", sa.String(40), sa.ForeignKey("tariffs.tariff_id"), nullable=False),
    )
    op.create_index("connector_tariffs_by_tariff", "connector_tariffs", ["tariff_id"])
    op.create_table(
        "calendars",
        sa.Column("calendar_id", sa.String(32), primary_key=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("days_json", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
    )
    # Alembic's add_column cannot add a reference on SQLite; both databases take this.
    op.execute("ALTER TABLE piles ADD COLUMN site_id VARCHAR(32) REFERENCES sites (site_id)")
    op.execute("ALTER TABLE piles ADD COLUMN tariff_id VARCHAR(40) REFERENCES tariffs (tariff_id)")
    op.add_column("piles", sa.Column("rate_due_at", sa.BigInteger()))
    op.create_index("piles_rate_due", "piles", ["rate_due_at"])
    for column in (
        sa.Column("tariff_id", sa.String(40)),
        sa.Column("from_at", sa.BigInteger()),
        sa.Column("published_by", sa.String(100)),
        sa.Column("withdrawn_at", sa.BigInteger()),
    ):
        op.add_column("rates", column)
    for statement in (_TARIFFS_OF_PILES, _VERSIONS, _LATEST_FROM, _ASSIGN):
        op.execute(statement)
    op.drop_index("rates_by_device", table_name="rates")
    with op.batch_alter_table("rates") as batch:
        batch.drop_column("device_id")
        batch.alter_column("tariff_id", existing_type=sa.String(40), nullable=False)
        batch.alter_column("from_at", existing_type=sa.BigInteger(), nullable=False)
        batch.create_foreign_key("rates_tariff_id_fkey", "tariffs", ["tariff_id"], ["tariff_id"])
    op.create_index("rates_by_tariff", "rates", ["tariff_id", "rate_id"])
    op.create_index("rates_by_start", "rates", ["tariff_id", "from_at", "rate_id"])
    op.drop_column("piles", "rate_id")


def downgrade() -> None:
    """Each version goes to one pile: its own, or the first that used it. Unused ones are deleted."""
    op.add_column("piles", sa.Column("rate_id", sa.String(40)))
    op.drop_index("rates_by_start", table_name="rates")
    op.drop_index("rates_by_tariff", table_name="rates")
    op.add_column("rates", sa.Column("device_id", sa.String(32)))
    op.execute(_PILE_OF_VERSION)
    op.execute("DELETE FROM rates WHERE device_id IS NULL")
    op.execute(_NEWEST_OF_PILE)
    with op.batch_alter_table("rates") as batch:
        batch.drop_constraint("rates_tariff_id_fkey", type_="foreignkey")
        for name in ("withdrawn_at", "published_by", "from_at", "tariff_id"):
            batch.drop_column(name)
        batch.alter_column("device_id", existing_type=sa.String(32), nullable=False)
        batch.create_foreign_key("rates_device_id_fkey", "piles", ["device_id"], ["device_id"])
    op.create_index("rates_by_device", "rates", ["device_id", "rate_id"])
    op.drop_index("piles_rate_due", table_name="piles")
    with op.batch_alter_table("piles") as batch:
        for name in ("rate_due_at", "tariff_id", "site_id"):
            batch.drop_column(name)
    for name in ("calendars", "connector_tariffs", "pile_tags", "sites", "tariffs"):
        op.drop_table(name)
