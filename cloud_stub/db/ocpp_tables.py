"""The tables of the OCPP gateway: what the central system knows of piles and orders."""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Integer, String, Table, Text

from .tables import metadata, partial_index

# A charge point. message_id to refusals: the call to the central system that has no answer yet, which is
# repeated as it is.
ocpp_piles = Table(
    "ocpp_piles",
    metadata,
    Column("device_id", String(32), ForeignKey("piles.device_id"), primary_key=True),
    Column("sample_s", Integer, nullable=False),  # between two MeterValues, 0: none
    Column("message_id", String(36)),
    Column("action", String(32)),
    Column("payload_json", Text),
    Column("order_id", String(40)),
    Column("refusals", Integer, nullable=False),
    Column("state", String(16), nullable=False),  # of its connection
    Column("errors_json", Text, nullable=False),  # how many of each kind, ever
    Column("last_error", Text),
    Column("changed_at", BigInteger, nullable=False),
)

# An order as a transaction. state: Waiting, Started, Told, Stopped, Done, Refused (bridges/ocpp/progress.py).
ocpp_transactions = Table(
    "ocpp_transactions",
    metadata,
    Column("order_id", String(40), ForeignKey("orders.order_id"), primary_key=True),
    Column("device_id", String(32), ForeignKey("piles.device_id"), nullable=False),
    Column("id_tag", String(20), nullable=False),
    Column("transaction_id", BigInteger),  # the central system's
    Column("state", String(16), nullable=False),
    Column("open", Boolean, nullable=False),  # neither Done nor Refused
    Column("sampled_at", BigInteger, nullable=False),  # the meter value last told, 0: none
    Column("receipt_digest", String(64)),  # of the receipt last told
    partial_index("ocpp_transactions_open", "device_id", "order_id", where="open", sqlite_where="open = 1"),
)
