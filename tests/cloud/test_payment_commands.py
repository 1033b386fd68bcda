"""The commands `payment ...` and `free ...`, and why a code makes nothing free."""

from typing import Any

import pytest

from cloud_stub.base.clock import now_s
from cloud_stub.cloud import Cloud
from tests.cloud.conftest import Phone, settled
from tests.cloud.fakes import FakePile, new_key
from tests.cloud.test_holds import behave, by_hand, settings  # noqa: F401
from tests.cloud.test_holds import run as run_due
from tests.cloud.test_operator import problem

pytestmark = pytest.mark.parametrize("settings", ["sqlite"], indirect=True)


def test_a_refused_capture_is_found_and_made_again(
    cloud: Cloud,
    phone: Phone,
    pile: FakePile,
    behave: Any,  # noqa: F811
    run: Any,
    operator: Any,
):
    behave(refuse={"capture": "expired"})
    settled(phone, pile, 2_500_000)
    run_due(cloud)
    behave()
    (hold,) = run("payment", "list", "--state", "CaptureRefused", "--limit", "1")
    assert (hold["order_id"], hold["reason"], hold["notice"]) == (
        *(phone.order_id, "expired"),
        "TEST - no money moves",
    )
    assert run("payment", "list", "--state", "Captured") == []
    shown = run("payment", "show", hold["hold_id"])[0]
    assert [(call["kind"], call["state"]) for call in shown["calls"]] == [
        ("authorize", "Done"),
        ("capture", "Refused"),
    ]
    assert run("payment", "retry", hold["hold_id"])[0]["state"] == "Held"
    assert "Nothing of this hold was refused" in run("payment", "retry", hold["hold_id"])
    run_due(cloud)
    assert phone.get()["payment"]["captured_minor"] == 350
    (line,) = operator("GET", "/api/audit?action=PaymentRetried").json()["items"]
    assert line["actor_kind"] == "cli"
    for command in ("show", "retry"):
        assert "There is no hold with that id" in run("payment", command, "h-none")


def test_free_vend_by_command(cloud: Cloud, phone: Phone, pile: FakePile, run: Any, operator: Any):
    def ask(code: str) -> Any:
        return phone.client.post("/api/orders", json=phone.body() | {"code": code}, headers=new_key())

    def why_not(code: str) -> str:
        return problem(ask(code), 409, "FreeCodeInvalid")["reason"]

    site = {"site_id": "north", "name": "North", "time_zone": "UTC"}
    assert operator("POST", "/api/sites", site).status_code == 201
    once = run("free", "grant", "Guests", "--uses", "1")[0]
    late = run("free", "grant", "Last week", "--until", str(now_s()))[0]
    there = run("free", "grant", "Staff", "--site", "north")[0]
    everybody = run("free", "grant", "Opening day", "--site", "north", "--everybody")[0]
    assert everybody["code"] is None and len(once["code"]) == 12
    assert "is needed where there is no code" in run("free", "grant", "Nobody", "--everybody")
    assert "There is no site with that id" in run("free", "grant", "Nobody", "--site", "south")
    listed = [each["grant_id"] for each in run("free", "list", "--limit", "3")]
    assert listed == [each["grant_id"] for each in (everybody, there, late)]
    made = ask(once["code"])
    assert made.status_code == 201
    pile.order_status(made.json()["order_id"], "Rejected", reason="ConnectorBusy")
    assert [why_not(each["code"]) for each in (once, late, there)] == ["UsedUp", "Expired", "Elsewhere"]
    assert why_not("nobody-s") == "Unknown"
    assert run("free", "revoke", there["grant_id"]) == []
    assert why_not(there["code"]) == "Revoked"
    assert "There is no free vend with that id" in run("free", "revoke", "f-none")
    with pytest.raises(SystemExit):
        run("free", "grant", "Nobody", "--until", "tomorrow")
