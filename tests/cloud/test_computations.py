"""What a settlement says beside what its locked rate gives."""

import json
from typing import Any

from pile_protocol import pricing
from tests.cloud.conftest import Phone, settled
from tests.cloud.fakes import FakePile


def test_both_computations_stand_side_by_side(operator: Any, phone: Phone, pile: FakePile):
    settled(phone, pile, 2_500_000, total_minor=9_999)
    listed = operator("GET", "/api/settlements?flagged=true").json()["items"]
    found = operator("GET", f"/api/settlements/{listed[0]['id']}").json()
    rate = found["order"]["rate"]
    total, fee, periods = pricing.bill(rate, [(0, 2_500_000)])
    assert found["total_minor"] == 9_999
    assert found["computed"] == {"total_minor": total, "session_fee_minor": fee, "periods": periods}
    assert found["flags"] == ["TotalMismatch"]
    assert phone.token not in json.dumps(found)


def test_there_is_nothing_computed_without_an_order_or_its_periods(
    operator: Any, phone: Phone, pile: FakePile
):
    phone.order()
    message = phone.message(pile)
    pile.settle(message | {"order_id": "nobody"}, 1_000_000)
    pile.settle(message, 1_000_000, periods=[[message["issued_at"], 1, 1, "flat", 1_000_000, 0, 0]])
    strange, unknown = (
        operator("GET", f"/api/settlements/{each['id']}").json()
        for each in operator("GET", "/api/settlements").json()["items"]
    )
    assert (unknown["order"], unknown["computed"]) == (None, None)
    assert strange["order"]["device_id"] == "PILE-1"
    assert strange["computed"] is None
    missing = operator("GET", "/api/settlements/99")
    assert (missing.status_code, missing.json()["code"]) == (404, "UnknownSettlement")
