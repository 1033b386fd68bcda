"""Webhooks: what is sent, that it is signed, in order, again after failures, and never where it must not."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import select
from standardwebhooks import Webhook

from cloud_stub.base.clock import now_s
from cloud_stub.bridges import courier
from cloud_stub.cloud import Cloud
from cloud_stub.db.tables import outbox
from cloud_stub.settings import Settings
from tests.cloud.conftest import Phone, settled
from tests.cloud.fakes import WAIT_S, FakePile
from tests.cloud.test_webhook_sending import post
from tests.cloud.webhook_peer import Peer
from tools import ROOT

Add = Callable[..., str]


@pytest.fixture
def peer() -> Iterator[Peer]:
    with contextlib.closing(Peer()) as made:
        yield made


@pytest.fixture
def add(operator: Any, settings: Settings) -> Add:
    """`add(url, *kinds)`: adds the webhook `books`; returns its secret."""
    settings.webhook_private = True
    settings.webhook_s = 1

    def call(url: str, *kinds: str, name: str = "books") -> str:
        made = operator("POST", "/api/webhooks", {"name": name, "url": url, "kinds": kinds or ("order",)})
        assert made.status_code == 201, made.text
        return made.json()["secret"]

    return call


def shown(operator: Any, name: str = "books") -> dict[str, Any]:
    return operator("GET", f"/api/webhooks/{name}").json()


def test_an_order_from_confirmation_to_payment_signed_and_in_order(
    cloud: Cloud, phone: Phone, pile: FakePile, peer: Peer, add: Add, operator: Any
):
    secret = add(peer.url, "order", "settlement")
    settled(phone, pile, 2_500_000)
    total = phone.get()["settlement"]["total_minor"]
    assert phone.pay(total).status_code == 200
    cloud.courier.run_once(now_s() + 1)
    assert peer.kinds() == [
        *("OrderPending", "OrderAccepted", "SettlementStored", "OrderSettled", "OrderPaid"),
    ]
    for each in peer.received:
        body = Webhook(secret).verify(each.data, each.headers)  # raises where the signature is wrong
        assert body["event_id"] == each.headers["webhook-id"]
        assert (each.path, each.headers["content-type"]) == ("/hook?t=1", "application/json")
    last = peer.received[-1].body
    assert last["order"]["settlement"]["total_minor"] == total
    assert last["order"]["state"] == "Paid"
    assert last["time"] == time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(last["at"]))
    assert phone.token not in peer.received[-1].data.decode()
    view = shown(operator)
    assert (view["delivered"], view["waiting"], view["answer"]) == (5, 0, "204")
    assert "secret" not in view


def test_piles_faults_and_flagged_bills_are_told(
    cloud: Cloud, phone: Phone, pile: FakePile, peer: Peer, add: Add
):
    add(peer.url, "pile", "fault", "flagged")
    settled(phone, pile, 2_500_000, total_minor=1)
    pile.online(fault="GroundFailure", status="Faulted")
    pile.offline()
    cloud.courier.run_once(now_s() + 1)
    assert sorted(peer.kinds()) == ["FaultReported", "PileOffline", "SettlementFlagged"]
    fault = next(each.body for each in peer.received if each.body["kind"] == "FaultReported")
    assert (fault["device_id"], fault["order"]) == ("PILE-1", None)
    assert fault["detail"] == "connector 1: GroundFailure"


@pytest.mark.parametrize(
    "status, said", [(500, "500"), (301, "301 (redirects are not followed)"), (404, "404")]
)
def test_a_refusal_holds_back_the_same_order_only_and_waits_grow(
    cloud: Cloud,
    phone: Phone,
    pile: FakePile,
    peer: Peer,
    add: Add,
    operator: Any,
    status: int,
    said: str,
):
    add(peer.url)
    phone.order()
    bad = phone.order_id
    pile.order_status(bad, "Accepted")
    phone.order(connector=2)
    peer.answer = lambda received: status if received.body["order_id"] == bad else 204
    now = now_s() + 1
    cloud.courier.run_once(now)
    assert [(each.body["order_id"], each.body["kind"]) for each in peer.received] == [
        (bad, "OrderPending"),
        (phone.order_id, "OrderPending"),
    ]
    waiting = shown(operator)["next"]
    assert [(each["kind"], each["attempts"]) for each in waiting] == [
        ("OrderPending", 1),
        ("OrderAccepted", 0),
    ]
    assert (waiting[0]["reason"], shown(operator)["answer"]) == (said, "204")
    for attempt, wait_s in enumerate(courier.WAITS_S, 2):
        cloud.courier.run_once(now + wait_s - 2)
        assert len(peer.received) == attempt
        now += wait_s + 1
        cloud.courier.run_once(now)
        assert len(peer.received) == attempt + 1
    assert len({each.headers["webhook-id"] for each in peer.received if each.body["order_id"] == bad}) == 1
    peer.answer = lambda received: 200
    cloud.courier.run_once(now + courier.WAITS_S[-1] + 1)
    assert peer.kinds()[-2:] == ["OrderPending", "OrderAccepted"]
    assert shown(operator)["waiting"] == 0


def test_whoever_is_away_is_tried_once_and_gets_everything_later(
    cloud: Cloud, phone: Phone, pile: FakePile, add: Add, operator: Any
):
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as closed:
        port = closed.getsockname()[1]
    add(f"http://127.0.0.1:{port}/")
    phone.order()
    phone.order(connector=2)
    now = now_s() + 1
    cloud.courier.run_once(now)
    view = shown(operator)
    assert view["answer"] == "Connection refused"
    metrics = cloud.metrics.text().decode()
    assert 'ratelock_receiver_waiting{receiver="webhook:books"} 2.0' in metrics
    assert 'ratelock_webhook_calls_total{outcome="away",webhook="books"} 1.0' in metrics
    assert sorted(each["attempts"] for each in view["next"]) == [0, 1]
    with contextlib.closing(Peer()) as peer, cloud.store.writing.begin() as conn:
        conn.exec_driver_sql(f"UPDATE webhooks SET url = '{peer.url}'")
        conn.commit()
        cloud.courier.run_once(now + courier.AWAY_WAITS_S[0] - 1)
        assert peer.kinds() == []
        cloud.courier.run_once(now + courier.AWAY_WAITS_S[0] + 1)
        assert peer.kinds() == ["OrderPending"] * 2


def test_one_that_takes_nothing_for_days_is_disabled_and_resend_enables_it(
    cloud: Cloud, phone: Phone, pile: FakePile, peer: Peer, add: Add, operator: Any
):
    add(peer.url)
    peer.answer = lambda received: 503
    phone.order()
    now = now_s() + 1
    days = cloud.settings.webhook_days * 86_400
    cloud.courier.run_once(now)
    cloud.courier.run_once(now + days - 10)
    assert shown(operator)["disabled_at"] is None
    pile.order_status(phone.order_id, "Accepted")
    with cloud.store.writing.begin() as conn:
        conn.exec_driver_sql(f"UPDATE outbox SET created_at = {now + days} WHERE name = 'OrderAccepted'")
    cloud.courier.run_once(now + days + 60)  # what is older is given up, and the next is refused too
    assert shown(operator)["disabled_at"] is not None
    kinds = [each["kind"] for each in operator("GET", "/api/events").json()["items"]]
    assert {"WebhookDisabled", "EventsDropped"} <= set(kinds)
    assert operator("GET", "/api/audit?action=WebhookDisabled").json()["items"][0]["actor"] == "webhooks"
    phone.order(connector=2)
    assert shown(operator)["waiting"] <= 1  # nothing new waits for it
    peer.answer = lambda received: 204
    peer.received.clear()
    back = operator("POST", "/api/webhooks/books/resend").json()
    assert (back["disabled_at"], back["failing_since"]) == (None, None)
    pile.order_status(phone.order_id, "Accepted", connector=2)
    cloud.courier.run_once(now_s() + 1)
    assert peer.kinds() == ["OrderAccepted"] * 2


def test_a_kill_between_sending_and_marking_sends_it_again_with_the_same_id(
    cloud: Cloud, phone: Phone, pile: FakePile, peer: Peer, add: Add, settings: Settings
):
    add(peer.url)
    phone.order()
    told = {"data": str(settings.data), "operator_token": settings.operator_token, "webhook_private": True}
    script = (
        "from cloud_stub.cloud import Cloud; from cloud_stub.settings import Settings; import sys, json;"
        "from tests.cloud.fakes import FakeLink;"
        "cloud = Cloud(Settings.model_validate(json.loads(sys.argv[1])), FakeLink());"
        f"cloud.writer.start(); cloud.courier.run_once({now_s() + 1})"
    )
    argument = json.dumps(told | {"database_url": settings.database})
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([*sys.path, os.getcwd()])}
    with subprocess.Popen([sys.executable, "-c", script, argument], env=environment) as process:
        peer.answer = lambda received: (process.kill(), process.wait(), 204)[-1]
        assert process.wait(WAIT_S * 3) == -signal.SIGKILL
    peer.answer = lambda received: 204
    cloud.courier.run_once(now_s() + 2)
    assert len(peer.received) == 1  # it is on lease
    cloud.courier.run_once(now_s() + 2 + courier.LEASE_S)
    first, second = peer.received
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body["event_id"] == second.body["event_id"]
    with cloud.store.reading.connect() as conn:
        assert conn.execute(select(outbox.c.id).where(outbox.c.receiver.is_not(None))).all() == []


def test_two_workers_do_not_send_the_same(
    cloud: Cloud, phone: Phone, pile: FakePile, peer: Peer, add: Add, settings: Settings, link: Any
):
    add(peer.url)
    for connector in (1, 2):
        phone.order(connector=connector)
    other = Cloud(settings, link)
    other.writer.start()

    def meanwhile(_: Any) -> int:
        other.courier.run_once(now_s() + 1)
        return 204

    peer.answer = meanwhile
    cloud.courier.run_once(now_s() + 1)
    other.writer.stop()
    other.store.close()
    assert peer.kinds() == ["OrderPending"] * 2


def test_the_courier_sends_by_itself(
    cloud: Cloud, phone: Phone, pile: FakePile, peer: Peer, add: Add, settings: Settings, link: Any
):
    settings.duty_period_s = 1
    add(peer.url)
    other = Cloud(settings, link)
    other.writer.start()
    other.courier.start()
    phone.order()
    assert peer.wait().body["kind"] == "OrderPending"
    other.courier.stop()
    other.writer.stop()
    other.store.close()


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_the_receiver_of_the_docs_takes_what_is_sent_and_refuses_the_rest(
    cloud: Cloud,
    phone: Phone,
    pile: FakePile,
    add: Add,
    operator: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    text = (ROOT / "docs" / "webhooks.md").read_text(encoding="utf-8")
    monkeypatch.setenv("SECRET", add("http://127.0.0.1:9/"))
    of_docs: dict[str, Any] = {"__name__": "docs"}
    exec(text.partition("```python\n")[2].partition("```")[0], of_docs)
    of_docs["Receiver"].log_message = lambda *_: None
    server = of_docs["ThreadingHTTPServer"](("127.0.0.1", 0), of_docs["Receiver"])
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/"
    with cloud.store.writing.begin() as conn:
        conn.exec_driver_sql(f"UPDATE webhooks SET url = '{url}'")
    settled(phone, pile, 2_500_000)
    cloud.courier.run_once(now_s() + 1)
    assert shown(operator)["answer"] == "204"
    assert "OrderSettled PILE-1 350" in capsys.readouterr().out
    assert post(url).status == 401
    lines = text.partition("```sh\n")[2].partition("```")[0]
    lines = lines.replace("whsec_...", os.environ["SECRET"]).replace("http://127.0.0.1:5000/", url)
    done = subprocess.run(["sh", "-c", lines], capture_output=True, text=True, timeout=WAIT_S, check=True)
    server.shutdown()
    server.server_close()
    assert "204" in done.stdout.splitlines()[0], done.stdout
    assert "Test None None" in capsys.readouterr().out


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/",
        "ftp://example.org/",
        "https:///x",
        "https://user:word@example.org/",
        "https://example.org/#x",
        "https://example.org:0/",
        "https://example.org:99999/",
        "https://exam ple.org/",
        "https://example.org/\r\nX: y",
        "https://bücher.example/",
        "https://[::1",
        "https://127.0.0.1/",
        "https://[::ffff:10.0.0.1]/",
        "https://example.org/" + "x" * 500,
        "",
    ],
)
@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_an_address_that_cannot_be_used_is_refused(operator: Any, url: str):
    made = operator("POST", "/api/webhooks", {"name": "books", "url": url, "kinds": ["order"]})
    assert (made.status_code, made.json()["code"]) == (422, "InvalidRequest")
    assert "url" in made.json()["errors"][0]["field"]


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_commands_and_what_they_refuse(run: Any, peer: Peer, monkeypatch: pytest.MonkeyPatch):
    refused = run("webhook", "add", peer.url, "--kinds", "order")
    assert "must begin with https://" in refused
    monkeypatch.setenv("RATELOCK_WEBHOOK_PRIVATE", "true")
    (made,) = run("webhook", "add", peer.url, "--name", "books", "--kinds", "order", "PileLost")
    assert made["secret"].startswith("whsec_") and made["kinds"] == ["PileLost", "order"]
    assert "has that name" in run("webhook", "add", peer.url, "--name", "books", "--kinds", "order")
    assert "neither a kind" in run("webhook", "add", peer.url, "--name", "x", "--kinds", "orders")
    assert "name: must have" in run("webhook", "add", peer.url, "--name", "X!", "--kinds", "order")
    (listed,) = run("webhook", "list")
    assert (listed["name"], listed["waiting"]) == ("books", 0) and "secret" not in listed
    (tested,) = run("webhook", "test", "books")
    assert tested == {"taken": True, "status": 204, "answer": "204"}
    received = peer.wait()
    assert Webhook(made["secret"]).verify(received.data, received.headers)["kind"] == "Test"
    assert run("webhook", "resend", "books")[0]["next"] == []
    assert run("webhook", "remove", "books") == [{"name": "books"}]
    assert "no webhook" in run("webhook", "show", "books")
