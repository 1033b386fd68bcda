"""A database of the version before is brought up to date, with what it knows of its settlements."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from cloud_stub.db.engine import Store
from cloud_stub.db.schema import metadata
from tests.cloud.fakes import FakePile
from tests.cloud.migrating import empty_store, migrate

KEY = bytes(32)
ORDER = {
    "connector": 1,
    "order_id": "order",
    "issued_at": 1_800_000_000,
    "limits": {"duration_s": 60},
    "rate": {
        "rate_id": "r",
        "currency": "CNY",
        "minor_digits": 2,
        "session_fee_minor": 0,
        "until_at": 1_900_000_000,
        "steps": [[1_799_999_999, 800_000, 400_000, "flat"]],
    },
}


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with empty_store(request.param, tmp_path) as made:
        yield made


def put(store: Store, pile: FakePile, sealed: bytes, in_chain: bool, flags: list[str]) -> None:
    said = json.loads(sealed)
    values = {
        "device_id": pile.device_id,
        "order_id": said["order_id"],
        "seq": said["seq"],
        "mac": said["mac"],
        "chain_seq": said["seq"] if in_chain else None,
        "payload": sealed.decode(),
        "energy_mwh": 0,
        "total_minor": 0,
        "currency": "CNY",
        "flagged": bool(flags),
        "flags_json": json.dumps(flags, separators=(",", ":")),
        "received_at": 1,
        "ended_at": 1,
    }
    names = ", ".join(values)
    with store.writing.begin() as conn:
        conn.execute(text(f"INSERT INTO settlements ({names}) VALUES (:{', :'.join(values)})"), values)


def rows(store: Store) -> list[tuple[Any, ...]]:
    columns = "epoch, chain_seq, connector, start_register_mwh, end_register_mwh, flagged, flags_json"
    with store.reading.connect() as conn:
        return [
            (*row[:5], bool(row[5]), json.loads(row[6]))
            for row in conn.execute(text(f"SELECT {columns} FROM settlements ORDER BY id"))
        ]


def pile_of_0005(store: Store) -> FakePile:
    """A pile in a database of migration 0005."""
    migrate(store, "0005")
    with store.writing.begin() as conn:
        conn.execute(
            text(
                "INSERT INTO piles (device_id, name, key_hex, connectors, created_at, online)"
                " VALUES ('PILE-1', '', '', 1, 1, false)"
            )
        )
    return FakePile("PILE-1", KEY, lambda *_: None)


def test_a_board_that_was_replaced_before_gets_its_chain(store: Store):
    pile = pile_of_0005(store)
    for _ in range(2):
        put(store, pile, pile.sealed(pile.settlement(ORDER, 1000)), True, [])
    pile.seq, pile.last_mac = 0, None
    pile.registers_mwh.clear()
    later = ORDER | {"order_id": "another"}
    put(store, pile, pile.sealed(pile.settlement(later, 1000)), False, ["SeqReused"])
    put(store, pile, pile.sealed(pile.settlement(later, 1000)), False, ["SeqReused", "TotalMismatch"])
    # Past the end of the first chain there was a free number again.
    put(store, pile, pile.sealed(pile.settlement(later, 1000)), True, ["ChainBroken"])
    put(store, pile, pile.sealed(pile.settlement(later, 1000, connector="one")), True, ["Malformed"])
    migrate(store, "head")
    assert rows(store) == [
        (1, 1, 1, 1000, 2000, False, []),
        (1, 2, 1, 2000, 3000, False, []),
        (2, 1, 1, 1000, 2000, False, []),
        (2, 2, 1, 2000, 3000, True, ["TotalMismatch"]),
        (2, 3, 1, 3000, 4000, False, []),
        (2, 4, None, None, None, True, ["Malformed"]),
    ]
    with store.reading.connect() as conn:
        assert conn.execute(text("SELECT epoch, empty_hello_at FROM piles")).one() == (2, None)


def test_a_bill_of_zero_that_only_its_chain_had_flagged_is_closed(store: Store):
    pile = pile_of_0005(store)
    with store.writing.begin() as conn:
        conn.execute(
            text(
                "INSERT INTO rates (rate_id, device_id, published_at, body_json)"
                " VALUES ('r', 'PILE-1', 1, '{}')"
            )
        )
        for order_id in ("order", "another"):
            conn.execute(
                text(
                    "INSERT INTO orders (order_id, device_id, connector, state, version, token,"
                    " idempotency_key, request_digest, rate_id, rate_digest, rate_json, limits_json,"
                    " created_at, expires_at, window_end_at, settled_at, total_minor, energy_mwh, holds)"
                    " VALUES (:id, 'PILE-1', 1, 'Settled', 5, 't', :id, '', 'r', '', '{}', '{}',"
                    " 1, 2, 3, 4, 0, 0, false)"
                ),
                {"id": order_id},
            )
    put(store, pile, pile.sealed(pile.settlement(ORDER, 0)), True, [])
    pile.seq, pile.last_mac = 0, None
    put(store, pile, pile.sealed(pile.settlement(ORDER | {"order_id": "another"}, 0)), False, ["SeqReused"])
    with store.writing.begin() as conn:
        conn.execute(text("UPDATE settlements SET settles_order_id = order_id"))
    migrate(store, "head")
    with store.reading.connect() as conn:
        found = conn.execute(text("SELECT state, version, paid_at FROM orders")).all()
    assert found == [("Paid", 6, 4), ("Paid", 6, 4)]


def test_the_newest_step_keeps_every_index_and_its_condition(store: Store):
    """SQLite changes a constraint by making the table anew, with the indices that it is told of."""
    store.migrate()
    if not store.is_sqlite:
        return
    wanted = {index.name for table in metadata.tables.values() for index in table.indexes}
    with store.reading.connect() as conn:
        made = dict(conn.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'index'")).all())
    assert wanted <= made.keys()
    partial = [
        index.name
        for table in metadata.tables.values()
        for index in table.indexes
        if index.dialect_options["sqlite"]["where"] is not None
    ]
    assert len(partial) >= 5
    for name in partial:
        assert " WHERE " in made[name], name
