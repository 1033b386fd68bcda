"""The way of an order through the cloud's files is the one that docs/cloud.md lists."""

import re
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

import pytest
from fastapi.testclient import TestClient

from cloud_stub.app import create_app
from cloud_stub.cloud import Cloud
from tests.cloud.conftest import AS_OPERATOR, Phone
from tests.cloud.fakes import FLAT_RATE, FakeLink, FakePile
from tools import ROOT

HOUSE = str(ROOT / "cloud_stub") + "/"


@pytest.fixture
def passed() -> Iterator[set[str]]:
    """The cloud's files in which a function is called, on any thread that starts from here on."""
    files: set[str] = set()

    def note(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(HOUSE):
            files.add(frame.f_code.co_filename.removeprefix(HOUSE))

    before = sys.getprofile()
    threading.setprofile(note)
    sys.setprofile(note)
    yield files
    sys.setprofile(before)
    threading.setprofile(before)


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_an_order_passes_the_files_of_its_page_and_no_other(cloud: Cloud, link: FakeLink, passed: set[str]):
    with TestClient(create_app(cloud)) as client:
        phone = Phone(client, link)
        key = client.post("/api/piles", json={"device_id": "PILE-1"}, headers=AS_OPERATOR).json()["key"]
        client.put("/api/piles/PILE-1/rate", json=FLAT_RATE, headers=AS_OPERATOR)
        pile = FakePile(
            "PILE-1", bytes.fromhex(key), lambda name, data: link.deliver("pile/v1/PILE-1/" + name, data)
        )
        pile.online()
        body = phone.body()
        passed.clear()
        placed = client.post(
            "/api/orders", json=body, headers={"Idempotency-Key": "of-this-test-only"}
        ).json()
        phone.order_id, phone.token = placed["order_id"], placed["token"]
        link.on_puback(link.last_mid)
        for state in ("Accepted", "Charging", "Finishing"):
            pile.order_status(phone.order_id, state)
            pile.meter(phone.order_id, pile.register_mwh(connector=1))
        pile.settle(phone.message(pile))
        assert phone.pay(phone.get()["total_minor"]).json()["state"] == "Paid"
        found = set(passed)
    page = (ROOT / "docs" / "cloud.md").read_text()
    listed = set(re.findall(r"`([a-z_/]+\.py)`", page))
    assert {path for path in listed if not (ROOT / "cloud_stub" / path).is_file()} == set()
    assert found - listed == set()
    # Missing may be what is done once for many orders, and the connection to the broker: a fake here.
    once = {"messaging/mqtt.py", "rates/expansion.py", "db/json_lists.py", "piles/keys.py"}
    assert listed - found - once == set()
