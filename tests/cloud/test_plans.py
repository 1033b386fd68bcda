"""No statement of the daily work reads a growing table from end to end, whatever has been stored.

SQLite plans by what indices there are; PostgreSQL by what it has counted, so its tables are filled first.
"""

from typing import Any

import pytest
from sqlalchemy import Connection, Table, event, text

from cloud_stub.base.clock import now_s
from cloud_stub.cloud import Cloud
from cloud_stub.db import audit
from cloud_stub.db.site_tables import tariffs
from cloud_stub.db.tables import (
    events,
    metadata,
    meter_samples,
    orders,
    outbox,
    payments,
    piles,
    rates,
    settlements,
)
from cloud_stub.messaging import receivers
from tests.cloud import plans
from tests.cloud.conftest import Phone
from tests.cloud.fakes import FakePile, new_key

DAY_S = 86_400
MANY = 20_000

# Those that `fill` fills, so that PostgreSQL's plan tells something.
FILLED = ("rates", "orders", "settlements", "meter_samples", "payments", "events", "audit", "outbox")


@pytest.fixture
def statements(cloud: Cloud) -> dict[str, Any]:
    """Every statement that runs from now on, with parameters of one execution."""
    seen: dict[str, Any] = {}

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, _x: Any, many: bool) -> None:
        seen[statement] = parameters[0] if many else parameters

    for engine in {cloud.store.writing, cloud.store.grouping, cloud.store.reading, cloud.store.quick}:
        event.listen(engine, "before_cursor_execute", note)
    return seen


def scanned(cloud: Cloud, statements: dict[str, Any]) -> list[str]:
    """What stands in the plans of the statements as a scan of a growing table without an index."""
    asked = {
        statement: parameters
        for statement, parameters in statements.items()
        if statement.startswith(("SELECT", "UPDATE", "DELETE", "WITH"))
    }
    with cloud.store.writing.connect() as conn:
        if cloud.store.is_sqlite:
            return [each for item in asked.items() for each in plans.scanned_by_sqlite(conn, *item)]
        fill(conn)
        found = [each for item in asked.items() for each in _scanned_by_postgresql(conn, *item)]
        conn.rollback()
    return found


def _scanned_by_postgresql(conn: Connection, statement: str, parameters: Any) -> list[str]:
    steps = conn.exec_driver_sql("EXPLAIN (COSTS OFF) " + statement, parameters).scalars()
    scans = [step.strip(" ->") for step in steps if "Seq Scan on " in step]
    return [
        f"{step}: {statement}" for step in scans if step.partition("Seq Scan on ")[2].split()[0] in FILLED
    ]


def fill(conn: Connection) -> None:
    """Copies of the order that there is, at as many piles and rates as such a number of orders has."""
    trail = metadata.tables["audit"]
    pile, order = "'Q-' || (n % 500 + 1)", "'q' || n"
    own = {"device_id": pile, "order_id": order}
    _insert(conn, tariffs, "", {"tariff_id": "'t' || n", "name": "''", "created_at": "0"}, 500)
    _copy(conn, piles, 500, device_id=pile, tariff_id="'t' || n")
    _copy(conn, rates, 500, rate_id="'r' || n", tariff_id="'t' || n")
    of_orders = {"rate_id": "'r' || (n % 500 + 1)", "idempotency_key": order, "holds": "false"}
    _copy(conn, orders, MANY, **own, **of_orders, state="'Paid'", created_at="n", window_end_at="n")
    once = {"mac": order, "settles_order_id": order, "chain_seq": "n"}
    _copy(conn, settlements, MANY, **own, **once, flagged="false", ended_at="n")
    amounts = {"amount_minor": "1", "currency": "'EUR'", "method": "'test'", "paid_at": "n"}
    _insert(conn, payments, "", {"order_id": order} | amounts)
    sample = {each.name: "0" for each in meter_samples.c} | {"order_id": order, "remaining_json": "'{}'"}
    _insert(conn, meter_samples, "", sample)
    of_events = {"at": "n", "kind": "'PileOnline'", "detail": "''"}
    _insert(conn, events, "", own | of_events)
    who = {"actor_kind": "'user'", "actor": "'user' || (n % 7)", "action": "'Action' || (n % 30)"}
    _insert(conn, trail, "", own | who | {"at": "n", "account": pile, "detail": "''"})
    waiting = {"name": "'OrderPaid'", "payload": "''", "created_at": "n", "leased_until": "n"}
    _insert(conn, outbox, "", own | waiting | {"receiver": "'r' || (n % 5)", "lane": order})
    told = (events, trail, outbox)
    for table in (tariffs, piles, rates, orders, settlements, payments, meter_samples, *told):
        conn.execute(text(f"ANALYZE {table.name}"))


def _copy(conn: Connection, table: Table, count: int, **other: str) -> None:
    """Copies of the table's first row, from 1 to `count` (n), in which some columns are `other`."""
    values = {column.name: f"one.{column.name}" for column in table.c if column.name != "id"} | other
    _insert(conn, table, f"(SELECT * FROM {table.name} LIMIT 1) AS one, ", values, count)


def _insert(conn: Connection, table: Table, source: str, values: dict[str, str], count: int = MANY) -> None:
    done = conn.execute(
        text(
            f"INSERT INTO {table.name} ({', '.join(values)}) SELECT {', '.join(values.values())}"
            f" FROM {source}generate_series(1, {count}) AS n"
        )
    )
    assert done.rowcount == count, table.name


def test_an_order_from_confirmation_to_payment_scans_nothing(
    statements: dict[str, Any], cloud: Cloud, phone: Phone, pile: FakePile
):
    pile.hello()
    phone.order()
    message = phone.message(pile)
    for state in ("Accepted", "Charging", "Finishing"):
        pile.order_status(phone.order_id, state)
        pile.online(status="Charging", order_id=phone.order_id)
    pile.meter(phone.order_id, 1_000)
    phone.stop()
    pile.settle(message)
    phone.get()
    total = phone.get()["settlement"]["total_minor"]
    assert phone.pay(total).status_code == 200
    pile.seq, pile.last_mac = 0, None
    pile.hello()
    pile.settle(message)
    pile.hello()
    cloud.jobs.run_once(message["issued_at"] - cloud.settings.pile_silent_s)  # from then on it hears piles
    cloud.jobs.run_once(message["issued_at"], sweep=True)
    for days in (31, 401):
        cloud.jobs.retain(message["issued_at"] + days * DAY_S)
    assert len(statements) > 30
    assert scanned(cloud, statements) == []


def test_what_the_phone_and_the_console_ask_for_scans_nothing(
    statements: dict[str, Any], cloud: Cloud, phone: Phone, pile: FakePile, operator: Any
):
    phone.order()
    pile.settle(phone.message(pile), total_minor=1)
    for path in (
        "/api/piles",
        "/api/piles/PILE-1",
        "/api/orders",
        f"/api/orders?device_id={pile.device_id}",
        "/api/orders?site_id=S&state=Settled",
        "/api/settlements?flagged=true",
        f"/api/events?device_id={pile.device_id}",
        "/api/audit",
        *(f"/api/audit?{column}=PILE-1" for column in audit.COLUMNS),
        "/api/audit?actor=anna&action=UserAdded&from_at=5",
        "/api/audit?from_at=5&until_at=19000",
    ):
        assert operator("GET", path).status_code == 200, path
    phone.client.post("/api/orders", json=phone.body(connector=2), headers=new_key())
    assert scanned(cloud, statements) == []


def test_telling_receivers_of_an_order_scans_nothing_whatever_waits_for_them(
    statements: dict[str, Any], cloud: Cloud, phone: Phone, pile: FakePile
):
    def do(unit: Any) -> Any:
        return cloud.writer.submit(unit).result()

    now = now_s()
    do(lambda tx: receivers.subscribe(tx, "books", ["order"], 1, now))
    phone.order()
    pile.order_status(phone.order_id, "Accepted")
    pile.settle(phone.message(pile))
    (row,) = do(lambda tx: receivers.next_rows(tx.conn, "books", 10, now_s() + 1))
    do(lambda tx: receivers.lease(tx, [row], now, now))
    do(lambda tx: receivers.failed(tx, row, now, "away"))
    do(lambda tx: receivers.done(tx, row))
    do(lambda tx: receivers.hurry(tx, "books", now))
    do(lambda tx: receivers.drop_older(tx, "books", 0, now))
    cloud.jobs.run_once(now, sweep=True)
    assert sum("outbox" in each for each in statements) > 12
    assert scanned(cloud, statements) == []


def test_a_scan_would_be_found(statements: dict[str, Any], cloud: Cloud, phone: Phone, pile: FakePile):
    with cloud.store.reading.connect() as conn:
        conn.exec_driver_sql("SELECT * FROM settlements WHERE total_minor = 7").all()
    phone.order()
    pile.settle(phone.message(pile))
    found = [step.split(":")[0] for step in scanned(cloud, statements)]
    assert found == ["SCAN settlements" if cloud.store.is_sqlite else "Seq Scan on settlements"]


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "statement, step",
    [
        # SQLite walks the primary key for the order and leaves the index of pending orders aside.
        (
            "SELECT * FROM orders WHERE state = 'Pending' AND expires_at < 5 ORDER BY order_id",
            "SCAN orders USING INDEX sqlite_autoindex_orders_1",
        ),
        ("SELECT count(*) FROM settlements", "SCAN settlements USING COVERING INDEX settlements_by_end"),
        ("DELETE FROM meter_samples WHERE at < 5", "SCAN meter_samples"),
        ("SELECT * FROM orders WHERE reason = 'x' ORDER BY order_id DESC LIMIT 5", "SCAN orders"),
    ],
)
def test_a_walk_through_a_whole_index_is_a_scan(cloud: Cloud, statement: str, step: str):
    with cloud.store.reading.connect() as conn:
        conn.exec_driver_sql("DROP INDEX orders_by_state")
        (found,) = plans.scanned_by_sqlite(conn, statement, ())
    assert found.startswith(step)


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM orders WHERE state = 'Pending' AND expires_at < 5 ORDER BY expires_at LIMIT 500",
        "SELECT * FROM orders ORDER BY orders.order_id DESC LIMIT 5",
        "SELECT * FROM piles",
    ],
)
def test_what_ends_by_itself_is_no_scan(cloud: Cloud, statement: str):
    with cloud.store.reading.connect() as conn:
        assert plans.scanned_by_sqlite(conn, statement, ()) == []
