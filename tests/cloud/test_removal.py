"""Removing a pile: asked for first, let in nowhere afterwards, and everything billed there stays."""

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

from cloud_stub.base.problems import Problem
from cloud_stub.cloud import Cloud
from cloud_stub.orders import lookup
from cloud_stub.orders.transitions import lose_with_pile
from cloud_stub.piles import removal
from cloud_stub.piles.credentials import sync_credentials
from cloud_stub.settings import Settings
from pile_protocol import seal
from tests.cloud.conftest import Phone
from tests.cloud.fakes import ACTOR, FLAT_RATE, WAIT_S, FakeLink, FakePile, new_key
from tests.cloud.test_operator import problem


def users(settings: Settings) -> list[str]:
    return [line.split(":")[0] for line in (settings.broker_folder / "passwd").read_text().splitlines()]


def charged(phone: Phone, pile: FakePile) -> dict[str, Any]:
    phone.order(pile.device_id)
    pile.settle(phone.message(pile))
    return phone.get()


def test_a_removed_pile_is_gone_everywhere_and_its_receipts_stay(
    operator: Any, client: TestClient, phone: Phone, pile: FakePile, settings: Settings
):
    receipt = charged(phone, pile)
    done = operator("DELETE", "/api/piles/PILE-1")
    assert (done.status_code, done.json()["device_id"]) == (200, "PILE-1")
    removed_at = done.json()["removed_at"]
    body = {"device_id": "PILE-1", "connector": 1, "rate_id": receipt["rate_id"], "limits": {}}
    for answer in (
        client.get("/api/piles/PILE-1"),
        client.get("/api/piles/PILE-1/rate"),
        client.post("/api/orders", json=body, headers=new_key()),
        operator("PUT", "/api/piles/PILE-1/rate", FLAT_RATE),
        operator("POST", "/api/piles/PILE-1/reset", {"connector": 1}),
        operator("GET", "/api/piles/PILE-1/label"),
    ):
        assert problem(answer, 410, "PileRemoved")["removed_at"] == removed_at
    assert users(settings) == ["cloud"]
    listed = operator("GET", "/api/piles").json()
    assert (listed["items"], listed["summary"]["piles"], listed["summary"]["removed"]) == ([], 0, 1)
    (item,) = operator("GET", "/api/piles?state=removed").json()["items"]
    assert (item["device_id"], item["removed_at"], item["online"]) == ("PILE-1", removed_at, False)
    # What was billed there stays to be seen, and to be paid.
    assert operator("GET", "/api/piles/PILE-1/report").json()["removed_at"] == removed_at
    assert len(operator("GET", "/api/piles/PILE-1/rates").json()["items"]) == 1
    assert len(operator("GET", "/api/orders?device_id=PILE-1").json()["items"]) == 1
    assert phone.get()["settlement"] == receipt["settlement"]
    assert phone.pay(receipt["total_minor"]).json()["state"] == "Paid"
    assert operator("GET", "/api/events?device_id=PILE-1").json()["items"][0]["kind"] == "PileRemoved"


def test_removing_again_changes_nothing(operator: Any, pile: FakePile):
    first = operator("DELETE", "/api/piles/PILE-1").json()
    assert operator("DELETE", "/api/piles/PILE-1").json() == first
    kinds = [each["kind"] for each in operator("GET", "/api/events").json()["items"]]
    assert kinds.count("PileRemoved") == 1
    problem(operator("DELETE", "/api/piles/PILE-9"), 404, "UnknownPile")


def test_its_id_is_not_given_twice(operator: Any, pile: FakePile):
    """A printed label and an old receipt must never come to mean another pile."""
    operator("DELETE", "/api/piles/PILE-1")
    answer = operator("POST", "/api/piles", {"device_id": "PILE-1"})
    assert "was removed" in problem(answer, 409, "PileExists")["title"]


def test_a_pile_is_not_removed_while_an_order_holds_it(operator: Any, phone: Phone, pile: FakePile):
    phone.order()
    problem(operator("DELETE", "/api/piles/PILE-1?force=true"), 409, "PileInUse")
    pile.order_status(phone.order_id, "Charging")
    problem(operator("DELETE", "/api/piles/PILE-1?force=true"), 409, "PileInUse")
    pile.settle(phone.message(pile))
    assert operator("DELETE", "/api/piles/PILE-1").status_code == 200


def test_settlements_at_the_pile_are_given_up_only_by_force(operator: Any, link: FakeLink, pile: FakePile):
    status = {"connector": 1, "status": "Available", "fault": None, "plugged": False, "order_id": None}
    link.deliver(
        "pile/v1/PILE-1/status", json.dumps({"online": True, "connectors": [status], "outbox": 2}).encode()
    )
    answer = operator("DELETE", "/api/piles/PILE-1")
    assert problem(answer, 409, "SettlementsWaiting")["settlements"] == 2
    assert operator("GET", "/api/piles/PILE-1/report").json()["removed_at"] is None
    assert operator("DELETE", "/api/piles/PILE-1?force=true").status_code == 200
    event = operator("GET", "/api/events").json()["items"][0]
    assert (event["kind"], event["detail"]) == ("PileRemoved", "2 settlements given up")


def test_an_order_that_was_never_settled_counts_as_one_too(
    operator: Any, cloud: Cloud, phone: Phone, pile: FakePile
):
    """Its window is over, so it keeps nobody from the connector; but the pile may hold its settlement."""
    phone.order()
    pile.order_status(phone.order_id, "Charging")
    with cloud.store.reading.connect() as conn:
        row = lookup.find(conn, phone.order_id)
    assert row is not None
    later = row.window_end_at
    lose = lose_with_pile(cloud.context)

    def remove(force: bool) -> Any:
        unit = lambda tx: removal.remove(tx, ACTOR, cloud.dispatch, lose, "PILE-1", force, later)  # noqa: E731
        return cloud.writer.submit(unit)

    with pytest.raises(Problem, match="SettlementsWaiting"):
        remove(False).result(WAIT_S)
    assert remove(True).result(WAIT_S).removed_at == later
    kinds = {each["kind"] for each in operator("GET", "/api/events").json()["items"]}
    assert kinds >= {"OrderLost", "PileRemoved"}


def test_what_the_broker_keeps_of_it_is_cleared(operator: Any, link: FakeLink, pile: FakePile):
    operator("DELETE", "/api/piles/PILE-1")
    cleared = {(name, retain) for device, name, data, retain in link.published if not data}
    assert cleared == {("rate", True), ("status", True)}
    # The broker publishes its last will as it ends the connection: that is cleared too.
    before = len(link.published)
    pile.offline()
    assert link.published[before:] == [("PILE-1", "status", b"", True)]
    link.deliver("pile/v1/PILE-1/status", b"")  # as it comes back to whoever listens
    assert len(link.published) == before + 1


def test_what_a_removed_pile_still_says_is_refused(
    operator: Any, client: TestClient, phone: Phone, pile: FakePile, link: FakeLink
):
    """EMQX asks only at a connection's beginning: until its end the pile goes on."""
    order = charged(phone, pile)
    message = phone.message(pile)
    operator("DELETE", "/api/piles/PILE-1")
    sent = len(link.published)
    pile.hello()
    pile.order_status(order["order_id"], "Charging")
    pile.settle(message | {"order_id": "another"})
    assert [name for _, name, _, _ in link.published[sent:]] == []
    reasons = [each["reason"] for each in operator("GET", "/api/rejects").json()["items"]]
    assert reasons == ["UnknownPile"] * 3
    assert len(operator("GET", "/api/settlements").json()["items"]) == 1


def test_a_broker_that_asks_lets_it_in_no_more(
    operator: Any, client: TestClient, pile: FakePile, settings: Settings
):
    settings.broker_token = "the-brokers-own-token"
    said = {"username": "PILE-1", "password": seal.mqtt_password(pile.key)}

    def asked() -> str:
        headers = {"Authorization": "Bearer the-brokers-own-token"}
        return client.post("/broker/auth", json=said, headers=headers).json()["result"]

    assert asked() == "allow"
    operator("DELETE", "/api/piles/PILE-1")
    assert asked() == "deny"


def test_a_restarted_cloud_leaves_it_out(operator: Any, cloud: Cloud, pile: FakePile, add_pile: Any):
    add_pile("PILE-2", rate=None, online=False)
    operator("DELETE", "/api/piles/PILE-1")
    (cloud.settings.broker_folder / "passwd").unlink()
    sync_credentials(cloud.store, cloud.settings)
    assert users(cloud.settings) == ["cloud", "PILE-2"]


@pytest.mark.parametrize("token", [None, "Bearer wrong"])
def test_only_the_operator_removes(client: TestClient, pile: FakePile, token: str | None):
    headers = {"Authorization": token} if token else {}
    problem(client.request("DELETE", "/api/piles/PILE-1", headers=headers), 401, "Unauthorized")
    assert client.get("/api/piles/PILE-1").status_code == 200
