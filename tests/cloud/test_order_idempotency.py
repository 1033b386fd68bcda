"""The same confirmation again, and many at once: one order each, one order a connector."""

import threading
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.cloud.conftest import Phone
from tests.cloud.fakes import FakeLink, FakePile, new_key


@pytest.mark.parametrize("key", [None, "short", "x" * 129, "with-a-cöntrol-char-"])
def test_an_idempotency_key_is_needed_and_must_be_hard_to_guess(
    client: TestClient, phone: Phone, pile: FakePile, key: str | None
):
    headers = {} if key is None else {b"Idempotency-Key": key.encode("latin-1")}
    answer = client.post("/api/orders", json=phone.body(), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "InvalidRequest")
    assert answer.json()["errors"][0]["field"] == "Idempotency-Key"


def test_the_same_request_again_is_the_same_order_and_token(
    client: TestClient, phone: Phone, pile: FakePile, link: FakeLink
):
    headers, body = new_key(), phone.body(energy_mwh=1)
    first = client.post("/api/orders", json=body, headers=headers)
    pile.offline()  # whatever has changed meanwhile
    again = client.post("/api/orders", json=body, headers=headers)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["order_id"] == again.json()["order_id"]
    assert first.json()["token"] == again.json()["token"]
    assert len(link.sent("PILE-1", "order")) == 1


def test_the_same_request_again_is_its_order_also_once_the_pile_was_removed(
    client: TestClient, phone: Phone, pile: FakePile, operator: Any
):
    headers, body = new_key(), phone.body()
    first = client.post("/api/orders", json=body, headers=headers).json()
    pile.order_status(first["order_id"], "Rejected", "NoMeter")
    assert operator("DELETE", "/api/piles/PILE-1").status_code == 200
    again = client.post("/api/orders", json=body, headers=headers)
    assert (again.status_code, again.json()["order_id"]) == (200, first["order_id"])
    another = client.post("/api/orders", json=body, headers=new_key())
    assert (another.status_code, another.json()["code"]) == (410, "PileRemoved")


def test_the_same_key_with_another_body_is_refused(client: TestClient, phone: Phone, pile: FakePile):
    headers = new_key()
    assert client.post("/api/orders", json=phone.body(energy_mwh=1), headers=headers).status_code == 201
    answer = client.post("/api/orders", json=phone.body(energy_mwh=2), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "IdempotencyKeyReused")


def together(count: int, call: Any) -> list[Any]:
    """The results of `count` calls that start at the same moment, each on a thread."""
    barrier, results = threading.Barrier(count), []

    def run(i: int) -> None:
        barrier.wait()
        results.append(call(i))

    threads = [threading.Thread(target=run, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_of_many_phones_at_one_connector_one_gets_it(
    client: TestClient, phone: Phone, pile: FakePile, link: FakeLink
):
    body = phone.body()
    answers = together(8, lambda i: client.post("/api/orders", json=body, headers=new_key()))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
    assert len(link.sent("PILE-1", "order")) == 1


def test_one_request_sent_many_times_at_once_makes_one_order(
    client: TestClient, phone: Phone, pile: FakePile, link: FakeLink
):
    body, headers = phone.body(), new_key()
    answers = together(8, lambda i: client.post("/api/orders", json=body, headers=headers))
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
    assert len({answer.json()["token"] for answer in answers}) == 1
    assert len(link.sent("PILE-1", "order")) == 1
