"""The life of an order as a table: every state against every event."""

import re

import pytest

from cloud_stub.base.clock import now_s
from cloud_stub.cloud import Cloud
from cloud_stub.db.rows import OrderRow
from cloud_stub.orders import lookup, states
from cloud_stub.orders.transitions import apply_event
from tests.cloud.conftest import Phone, unknown_events
from tests.cloud.fakes import WAIT_S, FakePile
from tools import ROOT

# However the table is called where it is imported.
UPDATES_ORDERS = re.compile(
    r"update\(\s*(orders|orders_table)\s*\)|UPDATE orders\b|\borders(_table)?\.update\("
)

EVENTS = (
    "pile:Accepted",
    "pile:Rejected",
    "pile:Charging",
    "pile:Finishing",
    "pile:Settled",
    "settlement stored",
    "payment made",
    "nothing to pay",
    "time ran out",
    "user cancelled",
    "order lost",
)
# One column an event, in the order above; "-" is harmless and changes nothing, "!" cannot happen.
EXPECTED = {
    "Pending": "Accepted Rejected Charging Finishing Finishing Settled ! ! Expired Cancelled Lost",
    "Accepted": "- ! Charging Finishing Finishing Settled ! ! ! ! Lost",
    "Charging": "- ! - Finishing Finishing Settled ! ! ! ! Lost",
    "Finishing": "- ! - - - Settled ! ! ! ! Lost",
    "Settled": "- ! - - - ! Paid Paid ! ! -",
    "Paid": "- ! - - - ! ! ! ! ! -",
    "Rejected": "! - ! ! ! Settled ! ! ! ! -",
    "Expired": "Accepted - Charging Finishing Finishing Settled ! ! ! ! -",
    "Cancelled": "Accepted - Charging Finishing Finishing Settled ! ! ! ! -",
    "Lost": "- ! - - - Settled ! ! ! ! -",
}


def after(state: str, event: str) -> str:
    try:
        return states.next_state(state, event) or "-"
    except states.UnknownEvent:
        return "!"


@pytest.mark.parametrize("state", states.STATES)
def test_every_event_leads_where_the_table_says(state: str):
    assert states.EVENTS == EVENTS
    assert " ".join(after(state, event) for event in EVENTS) == EXPECTED[state]


def test_no_order_that_runs_ever_goes_back():
    rank = {"Pending": 0, "Accepted": 1, "Charging": 2, "Finishing": 3, "Settled": 4, "Paid": 5}
    for state, before in rank.items():
        for event in EVENTS:
            then = after(state, event)
            assert then not in rank or rank[then] > before


def test_the_protocol_page_draws_every_step_and_no_other():
    page = (ROOT / "docs" / "protocol.md").read_text()
    drawing = page[page.index("stateDiagram-v2") :].partition("```")[0]
    drawn = set(re.findall(r"^ +(\w+) --> (\w+)", drawing, re.MULTILINE))
    assert drawn == {(state, then) for state, steps in states.TRANSITIONS.items() for then in steps.values()}


def test_one_module_updates_orders():
    """And with them their version number, by which watchers see that an order has changed. The site of an
    order of one release back is none of what watchers see.
    """
    house = ROOT / "cloud_stub"
    writers = {
        str(path.relative_to(house))
        for path in house.rglob("*.py")
        if "migrations" not in path.parts and UPDATES_ORDERS.search(path.read_text())
    }
    assert writers == {"orders/transitions.py", "orders/places.py"}
    assert (house / "orders" / "transitions.py").read_text().count("version + 1") == 1


def test_an_event_that_a_state_does_not_know_raises(cloud: Cloud, phone: Phone, pile: FakePile):
    row = charging(cloud, phone, pile)
    with pytest.raises(states.UnknownEvent, match="'payment made' in state Charging"):
        happens(cloud, row, states.PAYMENT_MADE)
    cloud.settings.raise_unknown_events = False  # the fixture would fail this test


def test_in_production_such_an_event_is_counted_and_logged_and_changes_nothing(
    cloud: Cloud, phone: Phone, pile: FakePile, capsys: pytest.CaptureFixture[str]
):
    cloud.settings.raise_unknown_events = False
    row = charging(cloud, phone, pile)
    happens(cloud, row, states.TIME_RAN_OUT)
    pile.order_status(row.order_id, "Rejected", "NotPlugged")
    assert phone.get()["version"] == row.version
    assert unknown_events(cloud) == 2
    assert 'ratelock_order_events_unknown_total{event="pile:Rejected"} 1.0' in cloud.metrics.text().decode()
    logged = [line for line in capsys.readouterr().out.splitlines() if "order_event_unknown" in line]
    assert len(logged) == 2
    assert "pile:Rejected" in logged[1] and row.order_id in logged[1]


def charging(cloud: Cloud, phone: Phone, pile: FakePile) -> OrderRow:
    phone.order()
    pile.order_status(phone.order_id, "Charging")
    with cloud.store.reading.connect() as conn:
        return lookup.get(conn, phone.order_id)


def happens(cloud: Cloud, row: OrderRow, event: str) -> None:
    cloud.writer.submit(lambda tx: apply_event(tx, cloud.context, row, event, now_s())).result(WAIT_S)
