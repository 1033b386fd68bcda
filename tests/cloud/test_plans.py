"""No statement of the daily work reads a growing table from end to end, whatever has been stored."""

from typing import Any

import pytest
from sqlalchemy import event

from cloud_stub.cloud import Cloud
from tests.cloud.conftest import Phone
from tests.cloud.fakes import FakePile, new_key

pytestmark = pytest.mark.parametrize("settings", ["sqlite"], indirect=True)

# Those that grow with the orders, for ever. (A newest-first list walks an index, and ends at its LIMIT.)
GROWING = ("orders", "settlements", "meter_samples", "payments", "events")


@pytest.fixture
def statements(cloud: Cloud) -> dict[str, Any]:
    """Every statement that runs from now on, with parameters of one execution."""
    seen: dict[str, Any] = {}

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, _x: Any, many: bool) -> None:
        seen[statement] = parameters[0] if many else parameters

    for engine in (cloud.store.writing, cloud.store.reading):
        event.listen(engine, "before_cursor_execute", note)
    return seen


def scanned(cloud: Cloud, statements: dict[str, Any]) -> list[str]:
    """What stands in the plans of the statements as a scan of a growing table without an index."""
    found = []
    for statement, parameters in list(statements.items()):
        if not statement.startswith(("SELECT", "UPDATE", "DELETE", "WITH")):
            continue
        with cloud.store.writing.connect() as conn:
            plan = conn.connection.cursor().execute("EXPLAIN QUERY PLAN " + statement, parameters)
            for *_, step in plan.fetchall():
                if step.startswith("SCAN") and step.split()[1] in GROWING and "INDEX" not in step:
                    found.append(f"{step}: {statement}")
    return found


def test_an_order_from_confirmation_to_payment_scans_nothing(
    statements: dict[str, Any], cloud: Cloud, phone: Phone, pile: FakePile
):
    pile.hello()
    phone.order()
    message = phone.message(pile)
    for state in ("Accepted", "Charging", "Finishing"):
        pile.order_status(phone.order_id, state)
        pile.online(status="Charging", order_id=phone.order_id)
    pile.meter(phone.order_id, 1)
    phone.stop()
    pile.settle(message)
    phone.get()
    total = phone.get()["settlement"]["total_minor"]
    assert phone.pay(total).status_code == 200
    pile.hello()
    cloud.duties.run_once(message["issued_at"], sweep=True)
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
        "/api/settlements?flagged=true",
        f"/api/events?device_id={pile.device_id}",
    ):
        assert operator("GET", path).status_code == 200, path
    phone.client.post("/api/orders", json=phone.body(connector=2), headers=new_key())
    assert scanned(cloud, statements) == []


def test_a_scan_would_be_found(statements: dict[str, Any], cloud: Cloud, phone: Phone, pile: FakePile):
    with cloud.store.reading.connect() as conn:
        conn.exec_driver_sql("SELECT * FROM settlements WHERE total_minor = 7").all()
    assert [step.split(":")[0] for step in scanned(cloud, statements)] == ["SCAN settlements"]
