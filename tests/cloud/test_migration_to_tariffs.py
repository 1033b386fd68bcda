"""The rates of each pile become the tariff of that pile, and all that names a rate goes on doing so."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from cloud_stub.db.engine import Store
from cloud_stub.rates.holding import PILE, Versions
from tests.cloud.migrating import empty_store, migrate

NOW = 1_800_000_000
ORDER = (
    "INSERT INTO orders (order_id, device_id, connector, state, version, token, idempotency_key,"
    " request_digest, rate_id, rate_digest, rate_json, limits_json, created_at, expires_at, window_end_at,"
    " holds)"
    " VALUES (:id, 'P1', 1, 'Paid', 5, 't', :id, '', :rate, '', '{}', '{}', 1, 2, 3, false)"
)


def run(store: Store, statement: str, **values: Any) -> list[Any]:
    with store.writing.begin() as conn:
        found = conn.execute(text(statement), values)
        return list(found) if found.returns_rows else []


def body(rate_id: str) -> str:
    return json.dumps({"rate_id": rate_id, "time_zone": "UTC", "periods": [[0, 1, 1, "flat"]]})


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """P1 had two rates, the later one published after its clock was set back; P2 one; P3 was removed."""
    with empty_store(request.param, tmp_path) as made:
        migrate(made, "0009")
        for device_id, rate_id, removed_at in (("P1", "r1b", None), ("P2", "r2a", None), ("P3", None, 5)):
            run(
                made,
                "INSERT INTO piles (device_id, name, key_hex, connectors, created_at, online, rate_id,"
                " removed_at) VALUES (:id, 'Pile', '', 2, 1, false, :rate, :removed)",
                id=device_id,
                rate=rate_id,
                removed=removed_at,
            )
        for device_id, rate_id, at in (
            ("P1", "r1a", 10),
            ("P1", "r1b", 9),
            ("P2", "r2a", 7),
            ("P3", "r3a", 7),
        ):
            run(
                made,
                "INSERT INTO rates VALUES (:rate, :id, :at, :body)",
                rate=rate_id,
                id=device_id,
                at=at,
                body=body(rate_id),
            )
        run(made, ORDER, id="o1", rate="r1a")
        yield made


def test_each_pile_keeps_its_latest_rate(store: Store):
    store.migrate()
    with store.reading.connect() as conn:
        held = Versions().at_piles(conn, ["P1", "P2", "P3"], NOW)
    assert {device_id: rates[PILE]["rate_id"] for device_id, rates in held.items()} == {
        "P1": "r1b",
        "P2": "r2a",
    }
    versions = run(store, "SELECT rate_id, tariff_id FROM rates ORDER BY rate_id")
    assert versions == [("r1a", "pile:P1"), ("r1b", "pile:P1"), ("r2a", "pile:P2"), ("r3a", "pile:P3")]
    assert run(store, "SELECT rate_id FROM orders") == [("r1a",)]


def test_an_order_still_needs_a_rate_that_exists(store: Store):
    store.migrate()
    with pytest.raises(IntegrityError):
        run(store, ORDER, id="o2", rate="none")


def test_the_version_before_reads_what_this_one_wrote(store: Store):
    store.migrate()
    run(store, "INSERT INTO tariffs (tariff_id, name, created_at) VALUES ('city', 'City', 1)")
    insert = (
        "INSERT INTO rates (rate_id, published_at, body_json, tariff_id, from_at)"
        " VALUES (:rate, 20, :body, 'city', 20)"
    )
    for rate_id in ("r4", "r5"):
        run(store, insert, rate=rate_id, body=body(rate_id))
    run(store, "UPDATE piles SET tariff_id = 'city' WHERE device_id = 'P2'")
    run(store, ORDER, id="o2", rate="r4")
    migrate(store, "0009", down=True)
    assert run(store, "SELECT device_id, rate_id FROM piles ORDER BY device_id") == [
        ("P1", "r1b"),
        ("P2", "r5"),
        ("P3", None),
    ]
    assert run(store, "SELECT rate_id, device_id FROM rates ORDER BY rate_id") == [
        ("r1a", "P1"),
        ("r1b", "P1"),
        ("r2a", "P2"),
        ("r3a", "P3"),
        ("r4", "P1"),
        ("r5", "P2"),
    ]
