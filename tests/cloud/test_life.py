"""The life of an order as a table: every state against every event."""

import re

import pytest

from cloud_stub.orders import states
from tools import ROOT

EVENTS = (
    "pile:Accepted",
    "pile:Rejected",
    "pile:Charging",
    "pile:Finishing",
    "pile:Settled",
    "settlement stored",
    "payment made",
    "time ran out",
    "user cancelled",
)
# One column an event, in the order above; "-" is no change.
EXPECTED = {
    "Pending": "Accepted Rejected Charging Finishing Finishing Settled - Expired Cancelled",
    "Accepted": "- - Charging Finishing Finishing Settled - - -",
    "Charging": "- - - Finishing Finishing Settled - - -",
    "Finishing": "- - - - - Settled - - -",
    "Settled": "- - - - - - Paid - -",
    "Paid": "- - - - - - - - -",
    "Rejected": "- - - - - Settled - - -",
    "Expired": "Accepted - Charging Finishing Finishing Settled - - -",
    "Cancelled": "Accepted - Charging Finishing Finishing Settled - - -",
}


@pytest.mark.parametrize("state", states.STATES)
def test_every_event_leads_where_the_table_says(state: str):
    got = [states.next_state(state, event) or "-" for event in EVENTS]
    assert " ".join(got) == EXPECTED[state]


def test_no_order_that_runs_ever_goes_back():
    rank = {"Pending": 0, "Accepted": 1, "Charging": 2, "Finishing": 3, "Settled": 4, "Paid": 5}
    for state, before in rank.items():
        for event in EVENTS:
            then = states.next_state(state, event)
            assert then is None or then not in rank or rank[then] > before


def test_the_protocol_page_draws_every_step_and_no_other():
    page = (ROOT / "docs" / "protocol.md").read_text()
    drawing = page[page.index("stateDiagram-v2") :].partition("```")[0]
    drawn = set(re.findall(r"^ +(\w+) --> (\w+)", drawing, re.MULTILINE))
    assert drawn == {
        (state, after) for state, steps in states.TRANSITIONS.items() for after in steps.values()
    }
