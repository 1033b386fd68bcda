"""The tables of sites, tariffs and calendars. A tariff's versions are in `rates`.

A tariff is assigned to a site, a pile or a connector: `sites.tariff_id`, `piles.tariff_id`,
`connector_tariffs`. The nearest one holds: the connector's, else the pile's, else the site's.
"""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, String, Table, Text

from .tables import metadata

tariffs = Table(
    "tariffs",
    metadata,
    Column("tariff_id", String(40), primary_key=True),  # `pile:<device_id>`: of that pile alone
    Column("name", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("removed_at", BigInteger),  # its row stays, because orders keep its versions
)

sites = Table(
    "sites",
    metadata,
    Column("site_id", String(32), primary_key=True),
    Column("name", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("time_zone", String(64), nullable=False),
    Column("contact", Text, nullable=False),
    Column("tariff_id", String(40), ForeignKey("tariffs.tariff_id")),
    Column("created_at", BigInteger, nullable=False),
    Column("remote_start_rate_id", String(40)),  # at which central systems may start orders; null: not at all
)

pile_tags = Table(
    "pile_tags",
    metadata,
    Column("device_id", String(32), ForeignKey("piles.device_id"), primary_key=True),
    Column("tag", String(32), primary_key=True),
    Index("pile_tags_by_tag", "tag", "device_id"),
)

connector_tariffs = Table(
    "connector_tariffs",
    metadata,
    Column("device_id", String(32), ForeignKey("piles.device_id"), primary_key=True),
    Column("connector", Integer, primary_key=True),
    Column("tariff_id", String(40), ForeignKey("tariffs.tariff_id"), nullable=False),
    Index("connector_tariffs_by_tariff", "tariff_id"),
)

calendars = Table(
    "calendars",
    metadata,
    Column("calendar_id", String(32), primary_key=True),
    Column("name", Text, nullable=False),
    Column("days_json", Text, nullable=False),  # {"2026-10-01": "National Day", ...}
    Column("version", Integer, nullable=False),  # grows with every change
)
