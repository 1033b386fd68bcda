"""The cloud is killed (SIGKILL) between the provider and the database; what is left ends right.

A process of its own makes the call and is killed before or after the provider has done it, by the provider
`test` itself. Another cloud on the same database then goes on.
"""

import json
import os
import signal
import subprocess
import sys
from typing import Any

import pytest

from cloud_stub.base.clock import now_s
from cloud_stub.cloud import Cloud
from cloud_stub.settings import Settings
from tests.cloud.conftest import Phone, settled
from tests.cloud.fakes import FakePile, new_key
from tests.cloud.test_holds import balanced, behave, books, confirm, credit, run, settings  # noqa: F401

# What the process of the cloud does before it is killed: it confirms, or does what is due.
_CONFIRM = """
import asyncio
from cloud_stub.orders.create import OrderBody
body = OrderBody.model_validate_json(given["body"])
cloud.link.connected = True
async def confirm():
    await cloud.confirmations.confirm(body, given["key"], None)
asyncio.run(confirm())
"""
_DO = "cloud.cashier.run_once(given['now'])\n"
_START = """
import json, sys
from cloud_stub.cloud import Cloud
from cloud_stub.settings import Settings
from tests.cloud.fakes import FakeLink
given = json.loads(sys.argv[1])
cloud = Cloud(Settings.model_validate(given["settings"]), FakeLink())
cloud.writer.start()
"""


@pytest.fixture(autouse=True)
def by_hand(cloud: Cloud) -> None:
    cloud.context.hub.ended = lambda order_id: None


def killed(settings: Settings, script: str, **given: Any) -> None:  # noqa: F811
    """A process of the cloud on the same database, which is killed within the script."""
    told = {"data": str(settings.data), "payment": "test", "payment_call_s": 1}
    told |= {"operator_token": settings.operator_token, "database_url": settings.database}
    argument = json.dumps(given | {"settings": told, "now": now_s()})
    done = subprocess.run(
        [sys.executable, "-c", _START + script, argument],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([*sys.path, os.getcwd()])},
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr[-2000:]


@pytest.mark.parametrize("goes_on", [True, False], ids=["the phone asks again", "the phone is gone"])
@pytest.mark.parametrize("point", ["before", "after"])
def test_a_kill_at_the_hold_ends_as_an_order_or_a_release(
    cloud: Cloud,
    phone: Phone,
    pile: FakePile,
    settings: Settings,  # noqa: F811
    behave: Any,  # noqa: F811
    books: Any,  # noqa: F811
    point: str,
    goes_on: bool,
):
    key = new_key()
    behave(kill={point: "authorize"})
    body = json.dumps(phone.body(cost_minor=1000))
    killed(settings, _CONFIRM, body=body, key=key["Idempotency-Key"])
    assert len(books("SELECT * FROM calls")) == (point == "after")
    behave()
    order_id = None
    if goes_on:
        made = confirm(phone, key, cost_minor=1000)
        assert (made.status_code, made.json()["payment"]["state"]) == (201, "Held")
        order_id = made.json()["order_id"]
        assert books("SELECT kind, times FROM calls") == [("authorize", 1)]
    run(cloud, after_s=10)
    run(cloud, after_s=200)
    assert books("SELECT state FROM holds") == [("Held",)] if goes_on else [("Released",)]
    if order_id is not None:
        pile.order_status(order_id, "Rejected", reason="ConnectorBusy")
        run(cloud, after_s=200)
    assert books("SELECT state FROM holds") == [("Released",)]
    balanced(cloud, books)


@pytest.mark.parametrize(
    "then", ["answers", *(pytest.param(each, marks=pytest.mark.long) for each in ("late", "silent"))]
)
@pytest.mark.parametrize("point", ["before", "after"])
@pytest.mark.parametrize("kind", ["capture", "release", "refund"])
def test_a_kill_at_a_later_call_neither_loses_nor_doubles_it(
    cloud: Cloud,
    phone: Phone,
    pile: FakePile,
    settings: Settings,  # noqa: F811
    behave: Any,  # noqa: F811
    books: Any,  # noqa: F811
    kind: str,
    point: str,
    then: str,
):
    """After the kill the provider answers, or does it and answers too late, or neither for some time."""
    settled(phone, pile, 0 if kind == "release" else 2_500_000)
    if kind == "refund":
        run(cloud)
        credit(phone, 100)
    behave(kill={point: kind})
    killed(settings, _DO)
    if then != "answers":
        behave(**{then: [kind]})
        run(cloud, after_s=10)
    behave()
    run(cloud, after_s=20)
    payment = phone.get()["payment"]
    assert payment["state"] == ("Released" if kind == "release" else "Captured")
    assert payment["captured_minor"] == (0 if kind == "release" else 350)
    assert payment["refunded_minor"] == (100 if kind == "refund" else 0)
    balanced(cloud, books)
