"""What orders ask for is told once and in order, whatever happens to the central system or to the gateway."""

import json
import os
import signal
import subprocess
import sys
from typing import Any

import pytest

from cloud_stub.base.clock import now_s
from cloud_stub.cloud import Cloud
from cloud_stub.db.writer import Transaction
from cloud_stub.messaging import receivers
from cloud_stub.settings import Settings
from tests.cloud.conftest import Phone
from tests.cloud.fakes import FakeLink, FakePile, open_sealed
from tests.cloud.ocpp_central import NO_ANSWER, Central, Refusal, Running, charging
from tests.cloud.test_credits import credit
from tests.cloud.test_ocpp import central, gateway  # noqa: F401

STEPS = ("StartTransaction", "Rate", "MeterValues", "StopTransaction", "Receipt")


def step_of(action: str, payload: dict[str, Any]) -> str:
    return payload.get("messageId", action) if action == "DataTransfer" else action


def steps(central: Central, *wanted: str) -> list[tuple[str, Any]]:  # noqa: F811
    """(step, connector or transaction) of what was told, each message once, in its order."""
    found = [(step_of(action, payload), payload) for _, action, payload in central.calls]
    return [
        (step, payload.get("connectorId", payload.get("transactionId")))
        for step, payload in found
        if step in wanted
    ]


def settle(link: FakeLink, pile: FakePile, order_id: str, mwh: int, start_mwh: int = 0, **more: Any) -> None:
    orders = [open_sealed("order", data, pile.key) for data in link.sent("PILE-1", "order")]
    (order,) = [each for each in orders if each["order_id"] == order_id]
    registers = {"start_register_mwh": start_mwh, "end_register_mwh": start_mwh + mwh}
    pile.settle(order, mwh, connector=order["connector"], **registers, **more)


def all_told(gateway: Running, count: int) -> None:  # noqa: F811
    gateway.central.wait(lambda: len(gateway.central.transfers("Receipt")) == count, "receipts")
    gateway.central.wait(lambda: gateway.points()["PILE-1"]["unsent"] == 0, "end of the queue")


def test_what_happened_while_the_central_system_was_away_is_told_afterwards_in_its_order(
    gateway: Running,  # noqa: F811
    central: Central,  # noqa: F811
    pile: FakePile,
    phone: Phone,
    link: FakeLink,
):
    gateway.start()
    central.wait_for("StatusNotification", 3)
    gateway.did(central.stop())
    a = charging(phone, pile, 1)
    b = charging(phone, pile, 2)
    settle(link, pile, a, 1_000_400)
    c = charging(phone, pile, 1)
    settle(link, pile, b, 700)
    settle(link, pile, c, 1_000_400, start_mwh=1_000_400)
    assert gateway.points()["PILE-1"]["unsent"] >= 3
    gateway.did(central.start(central.port))
    all_told(gateway, 3)
    told = steps(central, "StartTransaction", "StopTransaction")
    assert told == [
        ("StartTransaction", 1),
        ("StartTransaction", 2),
        ("StopTransaction", 100),
        ("StartTransaction", 1),
        ("StopTransaction", 101),
        ("StopTransaction", 102),
    ]
    starts, stops = central.of("StartTransaction"), central.of("StopTransaction")
    of_first = [
        (starts[0]["meterStart"], stops[0]["meterStop"]),
        (starts[2]["meterStart"], stops[2]["meterStop"]),
    ]
    assert of_first == [(0, 1000), (1000, 2001)]  # the rounded registers, not rounded energies


@pytest.mark.parametrize("how", ["gone", pytest.param("silent", marks=pytest.mark.long)])
def test_a_call_whose_answer_is_lost_is_repeated_with_its_message_id_and_content(
    gateway: Running,  # noqa: F811
    central: Central,  # noqa: F811
    pile: FakePile,
    phone: Phone,
    link: FakeLink,
    how: str,
):
    seen: set[str] = set()

    def lose_the_first(action: str) -> Any:
        async def answer(message_id: str, payload: dict[str, Any]) -> Any:
            known = central.usual(message_id, action)
            if message_id in seen or payload.get("messageId") == "Cost":
                return known
            seen.add(message_id)
            if how == "gone":
                await central.connections["PILE-1"].close()
            return NO_ANSWER

        return answer

    for action in ("StartTransaction", "DataTransfer", "MeterValues", "StopTransaction"):
        central.answers[action] = lose_the_first(action)
    gateway.start()
    order_id = charging(phone, pile, at=1_800_000_000)
    pile.meter(order_id, 500_000, at=1_800_000_060)
    settle(link, pile, order_id, 1_000_000)
    all_told(gateway, 1)
    assert [step for step, _ in steps(central, *STEPS)] == list(STEPS)
    assert central.repeats >= 5 and not central.altered


def test_a_transaction_that_the_central_system_keeps_refusing_is_told_of_and_holds_up_no_other(
    gateway: Running,  # noqa: F811
    central: Central,  # noqa: F811
    pile: FakePile,
    phone: Phone,
    link: FakeLink,
    run: Any,
    operator: Any,
):
    first: list[str] = []

    def refuse_the_first(message_id: str, payload: dict[str, Any]) -> Any:
        first.append(payload["idTag"])
        if payload["idTag"] == first[0]:
            raise Refusal("no such tag")
        return central.usual(message_id, "StartTransaction")

    central.answers["StartTransaction"] = refuse_the_first
    gateway.start()
    a = charging(phone, pile, 1)
    settle(link, pile, a, 1_000_000)
    b = charging(phone, pile, 2)
    settle(link, pile, b, 1_000_000)
    all_told(gateway, 1)
    assert central.transfers("Receipt")[0]["order_id"] == b
    assert first.count(first[0]) == 5
    events = operator("GET", f"/api/events?order_id={a}").json()["items"]
    assert [each["detail"] for each in events if each["kind"] == "OcppRefused"] == [
        "CallError: StartTransaction: InternalError no such tag"
    ]
    del central.answers["StartTransaction"]
    assert run("ocpp", "retry", a) == [{"order_id": a}]
    all_told(gateway, 2)
    assert "has not refused" in run("ocpp", "retry", a)


def test_an_id_tag_that_is_refused_ends_no_order_and_is_an_event(
    gateway: Running,  # noqa: F811
    central: Central,  # noqa: F811
    pile: FakePile,
    phone: Phone,
    link: FakeLink,
    operator: Any,
):
    blocked = {"idTagInfo": {"status": "Blocked"}}
    central.answers["Authorize"] = lambda *_: blocked
    central.answers["StartTransaction"] = lambda *_: blocked | {"transactionId": 7}
    gateway.start()
    order_id = charging(phone, pile)
    central.wait(lambda: central.transfers("Rate"), "rate")
    assert phone.get()["state"] == "Charging" and link.sent("PILE-1", "command") == []
    events = operator("GET", f"/api/events?order_id={order_id}").json()["items"]
    assert ("OcppTagRefused", "Blocked") in [(each["kind"], each["detail"]) for each in events]


def test_an_answer_that_no_database_can_hold_is_a_refusal(
    gateway: Running,  # noqa: F811
    central: Central,  # noqa: F811
    pile: FakePile,
    phone: Phone,
):
    numbers = iter((2**80, -(2**80), 41))
    central.answers["StartTransaction"] = lambda message_id, _: (
        central.usual(message_id, "StartTransaction") | {"transactionId": next(numbers)}
    )
    gateway.start()
    charging(phone, pile)
    central.wait(lambda: central.transfers("Rate"), "rate")
    assert "transactionId has more than 32 bits" in gateway.points()["PILE-1"]["last_error"]


def test_an_order_that_charges_when_the_gateway_is_first_started_is_told_too(
    gateway: Running,  # noqa: F811
    central: Central,  # noqa: F811
    pile: FakePile,
    phone: Phone,
    link: FakeLink,
):
    order_id = charging(phone, pile)
    gateway.start()
    central.wait(lambda: central.transfers("Rate"), "rate")
    settle(link, pile, order_id, 900_000)
    all_told(gateway, 1)


def test_a_lost_order_ends_at_its_last_reading_and_its_settlement_is_told_when_it_comes(
    gateway: Running,  # noqa: F811
    central: Central,  # noqa: F811
    pile: FakePile,
    phone: Phone,
    link: FakeLink,
    operator: Any,
):
    gateway.start()
    order_id = charging(phone, pile, at=1_800_000_000)
    pile.meter(order_id, 300_000, at=1_800_000_030)
    central.wait(lambda: central.transfers("Rate"), "rate")
    pile.offline()
    assert operator("POST", f"/api/orders/{order_id}/close", {"reason": "stolen"}).status_code == 200
    (stop,) = central.wait_for("StopTransaction")
    assert (stop["meterStop"], stop["reason"]) == (300, "Other")
    pile.online()
    settle(link, pile, order_id, 900_000)
    all_told(gateway, 1)
    assert len(central.of("StopTransaction")) == 1
    assert central.transfers("Receipt")[0]["energy_mwh"] == 900_000


def test_the_receipt_is_told_again_when_the_bill_is_corrected_and_no_order_from_before_the_gateway_is(
    gateway: Running,  # noqa: F811
    central: Central,  # noqa: F811
    pile: FakePile,
    phone: Phone,
    link: FakeLink,
    operator: Any,
):
    def correct(order_id: str, credit_minor: int) -> None:
        items = operator("GET", "/api/settlements").json()["items"]
        (found,) = [each["id"] for each in items if each["order_id"] == order_id]
        review = {"decision": "release", "note": "computed"}
        assert operator("POST", f"/api/settlements/{found}/review", review).status_code == 201
        phone.order_id = order_id
        assert credit(phone, credit_minor).status_code == 201

    before = charging(phone, pile, 2)
    settle(link, pile, before, 1_000_000, total_minor=9999)
    gateway.start()
    central.wait_for("StatusNotification", 3)
    order_id = charging(phone, pile)
    settle(link, pile, order_id, 1_000_000, total_minor=9999)
    all_told(gateway, 1)
    correct(before, 5)
    correct(order_id, 7)
    central.wait(lambda: "credits" in central.transfers("Receipt")[-1], "the credit note")
    all_told(gateway, len(central.transfers("Receipt")))
    told = central.transfers("Receipt")
    assert {each["order_id"] for each in told} == {order_id} and len(central.of("StartTransaction")) == 1
    assert (told[0]["flagged"], told[0]["total_minor"]) == (True, 9999)
    assert (told[-1]["flagged"], told[-1]["review"], told[-1]["total_minor"]) == (False, "Released", 170)
    assert [each["amount_minor"] for each in told[-1]["credits"]] == [7]


def test_a_transaction_that_is_open_is_ended_though_its_event_was_dropped(
    gateway: Running,  # noqa: F811
    central: Central,  # noqa: F811
    pile: FakePile,
    phone: Phone,
    link: FakeLink,
    cloud: Cloud,
    run: Any,
):
    gateway.start()
    order_id = charging(phone, pile)
    central.wait(lambda: central.transfers("Rate"), "rate")
    assert run("ocpp", "off") == []  # from here on no event comes
    settle(link, pile, order_id, 900_000)
    central.wait(lambda: central.transfers("Receipt"), "receipt")


def test_events_beyond_the_bound_are_dropped_and_told_and_the_rest_goes_on(
    gateway: Running,  # noqa: F811
    central: Central,  # noqa: F811
    pile: FakePile,
    phone: Phone,
    link: FakeLink,
    cloud: Cloud,
    operator: Any,
):
    gateway.start(bound=2)
    central.wait_for("StatusNotification", 3)
    gateway.did(central.stop())
    order_ids = [charging(phone, pile, connector) for connector in (1, 2)]
    for order_id in order_ids:
        settle(link, pile, order_id, 900_000)
    with cloud.store.writing.begin() as conn:
        receivers.tidy(Transaction(conn), now_s())
    events = operator("GET", "/api/events?device_id=PILE-1").json()["items"]
    assert [each["detail"] for each in events if each["kind"] == "EventsDropped"] == [
        "2 for ocpp: more than 2 wait"
    ]
    gateway.did(central.start(central.port))
    all_told(gateway, 2)  # their ends were not dropped, and an end tells the start too


# -- kills

_KILLED = """
import asyncio, json, os, signal, sys
from cloud_stub.bridges.ocpp import gateway, rpc, session
from cloud_stub.bridges.ocpp.station import Timing
from cloud_stub.bridges.ocpp.target import Target
from cloud_stub.cloud import Cloud
from cloud_stub.settings import Settings
from tests.cloud.fakes import FakeLink
from tests.cloud.ocpp_central import QUICK
from tests.cloud.test_ocpp_queue import step_of

given = json.loads(sys.argv[1])
cloud = Cloud(Settings.model_validate(given["settings"]), FakeLink())

def kill(point, action, payload):
    if (point, step_of(action, payload)) == (given["point"], given["step"]):
        os.kill(os.getpid(), signal.SIGKILL)

call, send = rpc.Rpc.call, session.Session._send
async def killed_call(self, message_id, action, payload):
    kill("stored", action, payload)
    answering = asyncio.ensure_future(call(self, message_id, action, payload))
    if given["point"] == "sent":
        while self._awaited is None:
            await asyncio.sleep(0)
        for _ in range(20):
            await asyncio.sleep(0)
        kill("sent", action, payload)
    answer = await answering
    kill("answered", action, payload)
    return answer
done = []
async def killed_send(self, request):
    if done:
        kill("committed", *done.pop())  # the next call is stored, and with it the answer to this one
    answered = await send(self, request)
    if answered:
        done.append((request.action, request.payload))
    return answered
rpc.Rpc.call, session.Session._send = killed_call, killed_send
asyncio.run(gateway.Gateway(cloud.store, cloud.context, Target(given["url"]), QUICK).run())
"""


def killed(settings: Settings, url: str, point: str, step: str) -> None:
    """A gateway on the same database, in a process of its own, killed (SIGKILL) at a point of a step."""
    told = {"data": str(settings.data), "database_url": settings.database, "operator_token": "x" * 20}
    argument = json.dumps({"settings": told, "url": url, "point": point, "step": step})
    done = subprocess.run(
        [sys.executable, "-c", _KILLED, argument],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([*sys.path, os.getcwd()])},
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr[-3000:]


POINTS = ("stored", "sent", "answered", "committed")


@pytest.mark.parametrize(
    ("killed_steps", "points"),
    [(STEPS[:1], POINTS[1:3]), pytest.param(STEPS, POINTS, marks=pytest.mark.long)],
    ids=["at its start", "at each step"],
)
def test_a_gateway_that_is_killed_at_any_point_loses_and_doubles_nothing(
    gateway: Running,  # noqa: F811
    central: Central,  # noqa: F811
    pile: FakePile,
    phone: Phone,
    link: FakeLink,
    settings: Settings,
    killed_steps: tuple[str, ...],
    points: tuple[str, ...],
):
    gateway.start()
    central.wait_for("StatusNotification", 3)
    gateway.stop()
    order_id = charging(phone, pile, at=1_800_000_000)
    pile.meter(order_id, 500_000, at=1_800_000_060)
    settle(link, pile, order_id, 1_000_000)
    for step in killed_steps:
        for point in points:
            if (step, point) != ("Receipt", "committed"):  # nothing follows the last one
                killed(settings, central.url, point, step)
    gateway.start()
    all_told(gateway, 1)
    assert [step for step, _ in steps(central, *STEPS)] == list(STEPS)
    assert central.repeats >= 2 * len(killed_steps) and not central.altered
