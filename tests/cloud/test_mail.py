"""Receipts by e-mail, to a real SMTP server: what is in them, who may ask, what is tried again."""

import contextlib
import email
import email.policy
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from pydantic import SecretStr, ValidationError

from cloud_stub.base.clock import now_s
from cloud_stub.bridges import courier
from cloud_stub.bridges.mail import channel, receipt, requests, texts
from cloud_stub.cloud import Cloud
from cloud_stub.settings import Settings
from tests.cloud.conftest import Phone, settled
from tests.cloud.fakes import FakePile
from tools.harness.certs import Ca

TO = "driver@example.org"


class Inbox:
    """Takes every message, or answers with `refuses` to a recipient."""

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []
        self.refuses: str | None = None
        self.hangs = threading.Event()

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if self.refuses is not None:
            return self.refuses
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        parsed = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(parsed, EmailMessage)
        self.messages.append(parsed)
        return "250 OK"


@contextlib.contextmanager
def serving_mail(inbox: Inbox, **options: Any) -> Iterator[int]:
    """An SMTP server on the port that it yields."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = Controller(inbox, hostname="localhost", port=port, **options)
    controller.start()
    try:
        yield port
    finally:
        controller.stop()


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def serve(inbox: Inbox, settings: Settings) -> Iterator[Callable[..., None]]:
    """`serve(**options)`: starts an SMTP server, to which the cloud sends from then on."""
    with contextlib.ExitStack() as ended:

        def start(**options: Any) -> None:
            port = ended.enter_context(serving_mail(inbox, **options))
            settings.mail_host, settings.mail_port = "localhost", port
            settings.mail_security, settings.mail_from = "none", "RateLock@example.com"

        yield start


@pytest.fixture
def ask(phone: Phone) -> Callable[..., Any]:
    """`ask(address, **headers)`: the driver asks for a receipt."""

    def call(address: str = TO, **headers: str) -> Any:
        path = f"/api/orders/{phone.order_id}/receipt"
        headers = {"Authorization": "Bearer " + phone.token} | headers
        return phone.client.post(path, json={"email": address}, headers=headers)

    return call


def texts_of(messages: list[EmailMessage]) -> list[str]:
    return [each.get_content() for each in messages]


def in_outbox(cloud: Cloud) -> list[str]:
    with cloud.store.reading.connect() as conn:
        query = "SELECT payload FROM outbox WHERE receiver = 'mail'"
        return list(conn.exec_driver_sql(query).scalars())


def events(operator: Any) -> list[tuple[str, str]]:
    return [
        (each["kind"], each["detail"])
        for each in operator("GET", "/api/events").json()["items"]
        if each["kind"].startswith(("Receipt", "EventsDropped"))
    ]


def test_a_receipt_is_sent_once_and_the_address_is_gone(
    cloud: Cloud, phone: Phone, pile: FakePile, inbox: Inbox, serve: Any, ask: Any, operator: Any
):
    serve()
    assert operator("GET", "/api/piles/PILE-1").json()["mail"] is True
    settled(phone, pile, 2_500_000)
    asked = ask()
    assert (asked.status_code, asked.json()) == (202, {"state": "Queued"})
    assert TO in in_outbox(cloud)[0]
    cloud.courier.run_once(now_s() + 1)
    cloud.courier.run_once(now_s() + 1000)
    (message,) = inbox.messages
    assert (message["To"], message["From"]) == (TO, "RateLock@example.com")
    assert message["Subject"] == "Receipt: 3.50 CNY, PILE-1"
    text = message.get_content()
    for line in (
        "Total: 3.50 CNY",
        "2.500 kWh, flat, from ",
        "  Electricity, 0.80 CNY per kWh: 2.00 CNY",
        "To pay: 3.50 CNY",
        f"Order: {phone.order_id}",
        f"/p/PILE-1?order={phone.order_id}#{phone.token}",
    ):
        assert line in text, text
    assert in_outbox(cloud) == []
    with cloud.store.reading.connect() as conn:
        for table in ("events", "audit", "outbox"):
            assert TO not in str(conn.exec_driver_sql(f"SELECT * FROM {table}").all())
    assert events(operator) == [("ReceiptRequested", "")]


def test_it_is_in_the_language_of_the_page(
    cloud: Cloud, phone: Phone, pile: FakePile, inbox: Inbox, serve: Any, ask: Any
):
    serve()
    settled(phone, pile, 2_500_000)
    assert ask(**{"Accept-Language": "zh-CN,en;q=0.5"}).status_code == 202
    cloud.courier.run_once(now_s() + 1)
    assert inbox.messages[0]["Subject"] == texts.ZH_CN.subject.format(total="3.50 CNY", pile="PILE-1")
    assert "电费, 0.80 CNY 每度: 2.00 CNY" in texts_of(inbox.messages)[0]


def test_every_component_the_tax_the_hold_and_the_notice_are_in_it():
    bill = {
        "periods": [[0, 1_000_000, 200_000, "peak", 2_500_000, 250, 50], [60, 500_000, 0, "valley", 1, 0, 0]],
        "times": [[0, 3_000_000, 3_600_000, 300]],
        "tiers": [[200_000, 1_000_000, 1_800_500, 50], [400_000, 2_000_000, 0, 0]],
        "idle": {"since_at": 90, "until_at": 99, "time_ms": 60_000, "idle_minor": 7},
        "session_fee_minor": 100,
        "top_up_minor": 3,
        "tax_minor": 121,
        "net_minor": 639,
        "total_minor": 760,
        "currency": "EUR",
        "minor_digits": 2,
        "connector": 1,
        "rate_id": "r-1",
        "started_at": 30,
        "ended_at": 90,
        "order_id": "o-1",
        "energy_mwh": 2_500_001,
        "start_register_mwh": 1_000_000,
        "end_register_mwh": 3_500_001,
    }
    payment = {"amount_minor": 760, "is_test": True, "held_minor": 2000, "captured_minor": 760}
    payment |= {"released_minor": 1240, "refunded_minor": 60}
    view = {"settlement": bill, "payment": payment, "credits": [{"amount_minor": 60}], "due_minor": 0}
    view["rate"] = {"idle": {"price": 400_000}}
    subject, text = receipt.message(view, "Gate\r\nBcc: x@y.zz", "Europe/Berlin", "https://x/p/P", texts.EN)
    assert subject == "Receipt: 7.60 EUR, Gate Bcc: x@y.zz"
    for line in (
        "TEST - no money moves",
        "2.500 kWh, peak, from 01:00",
        "  Electricity, 1.00 EUR per kWh: 2.50 EUR",
        "  Service, 0.20 EUR per kWh: 0.50 EUR",
        "0.000 kWh, off-peak, from 01:01",
        "Charging time, 1:00:00, 3.00 EUR per hour: 3.00 EUR",
        "Up to 200 W, 0:30:00, 1.00 EUR per hour: 0.50 EUR",
        "Staying plugged in, after free time, 0:01:00, 0.40 EUR per hour: 0.07 EUR",
        "Fee per charge: 1.00 EUR",
        "Up to the minimum: 0.03 EUR",
        "Total: 7.60 EUR",
        "  Without tax: 6.39 EUR",
        "  Tax in the total: 1.21 EUR",
        "Credit: -0.60 EUR",
        "Total less credits: 7.00 EUR",
        "Paid: 7.60 EUR",
        "  Held before the start: 20.00 EUR",
        "  Taken: 7.60 EUR",
        "  Released: 12.40 EUR",
        "  Given back: 0.60 EUR",
        "Started: 1970-01-01 01:00:30 (Europe/Berlin)",
        "Meter: 1.000 kWh - 3.500 kWh",
        "https://x/p/P",
    ):
        assert line in text.splitlines(), (line, text)
    assert "Up to 400 W" not in text
    assert vars(texts.EN).keys() == vars(texts.ZH_CN).keys()
    assert texts.ZH_CN.test in receipt.message(view, "P", "Asia/Shanghai", "https://x", texts.ZH_CN)[1]


def test_who_may_not_ask_and_when_there_is_nothing_to_send(
    phone: Phone, pile: FakePile, serve: Any, ask: Any, operator: Any
):
    phone.order()
    assert (ask().status_code, ask().json()["code"]) == (409, "MailNotSet")
    serve()
    assert (ask().status_code, ask().json()["code"]) == (409, "NotSettled")
    for token in ("wrong", "operator-token-of-the-tests"):
        refused = ask("a@example.org", Authorization="Bearer " + token)
        assert (refused.status_code, refused.json()["code"]) == (404, "UnknownOrder")
    pile.order_status(phone.order_id, "Accepted")
    pile.settle(phone.message(pile), total_minor=1)
    assert ask("b@example.org").json()["code"] == "SettlementFlagged"


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "address",
    [
        *("", "x", "a@b", "a@b.c", "@example.org", "a@.org", "a b@example.org", "a@exa mple.org"),
        *("a@example.org\r\nBcc: b@example.org", "a@example.org\n", "a@example.org,b@example.org"),
        *('"a b"@example.org', "a@[127.0.0.1]", "a@-example.org", "a..b@example.org", ".a@example.org"),
        *("A <a@example.org>", "ü@example.org", "a@bücher.example", "a@example.org\x00", "a" * 250 + "@b.cc"),
    ],
)
def test_what_is_no_address_is_refused(phone: Phone, pile: FakePile, serve: Any, ask: Any, address: str):
    phone.order()
    answer = ask(address)
    assert (answer.status_code, answer.json()["code"]) == (422, "InvalidRequest")


def test_an_order_and_an_address_have_bounds(
    cloud: Cloud, phone: Phone, pile: FakePile, inbox: Inbox, serve: Any, ask: Any
):
    serve()
    settled(phone, pile, 2_500_000)
    for number in range(requests.PER_ORDER):
        assert ask(f"d{number}@example.org").status_code == 202
    refused = ask("other@example.org")
    assert (refused.status_code, refused.json()["code"]) == (429, "TooManyRequests")
    assert refused.headers["retry-after"] == "86400"
    asked = []
    for _ in range(2):
        assert phone.pay(phone.get()["due_minor"]).status_code == 200
        settled(phone, pile, 2_500_000)
        asked += [ask(address).status_code for address in (TO, TO.upper(), TO)]
    assert asked == [202] * requests.PER_HOUR + [429]
    cloud.courier.run_once(now_s() + 1)
    assert len(inbox.messages) == requests.PER_ORDER + requests.PER_HOUR


@pytest.mark.parametrize(
    "answer, sent_again", [("550 no such user", False), ("451 greylisted", True)], ids=["for ever", "for now"]
)
def test_a_refusal_for_ever_is_given_up_and_one_for_now_tried_again(
    cloud: Cloud,
    phone: Phone,
    pile: FakePile,
    inbox: Inbox,
    serve: Any,
    ask: Any,
    operator: Any,
    answer: str,
    sent_again: bool,
):
    serve()
    settled(phone, pile, 2_500_000)
    inbox.refuses = answer
    ask()
    now = now_s() + 1
    cloud.courier.run_once(now)
    assert len(in_outbox(cloud)) == sent_again
    inbox.refuses = None
    cloud.courier.run_once(now + courier.AWAY_WAITS_S[-1] + 1)
    assert len(inbox.messages) == sent_again
    assert in_outbox(cloud) == []
    told = [] if sent_again else [("ReceiptNotSent", "the mail server refused the address: 550")]
    assert events(operator)[:-1] == told


def test_a_server_that_is_away_slow_or_talks_nonsense_is_tried_again_for_a_day(
    cloud: Cloud, phone: Phone, pile: FakePile, settings: Settings, serve: Any, ask: Any, operator: Any
):
    serve()
    settled(phone, pile, 2_500_000)
    ask()
    settings.mail_s = 1
    now = now_s() + 1
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as silent:
        settings.mail_host, settings.mail_port = silent.getsockname()
        cloud.courier.run_once(now)
        assert reason(cloud) == "no answer of the mail server: SMTPServerDisconnected"
    now += 100
    cloud.courier.run_once(now)  # nobody listens there
    assert reason(cloud) == "no answer of the mail server: ConnectionRefusedError"
    cloud.courier.run_once(now + channel.GIVE_UP_AFTER_S)
    assert in_outbox(cloud) == []
    assert ("EventsDropped", "1 for mail: not taken for too long") in events(operator)


def reason(cloud: Cloud) -> str:
    with cloud.store.reading.connect() as conn:
        return conn.exec_driver_sql("SELECT reason FROM outbox WHERE receiver = 'mail'").scalar_one()


def test_tls_and_a_login(
    cloud: Cloud,
    phone: Phone,
    pile: FakePile,
    inbox: Inbox,
    settings: Settings,
    serve: Any,
    ask: Any,
    tmp_path_factory: Any,
    monkeypatch: pytest.MonkeyPatch,
):
    ca = Ca(tmp_path_factory.mktemp("ca"))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*ca.issue("server", ("localhost",)))

    def is_known(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        return AuthResult(success=(data.login, data.password) == (b"cloud", b"right"), handled=False)

    serve(tls_context=tls, require_starttls=True, auth_required=True, authenticator=is_known)
    settled(phone, pile, 2_500_000)
    ask()
    now = now_s() + 1
    cloud.courier.run_once(now)
    assert inbox.messages == []  # it is not sent in the clear
    settings.mail_security, settings.mail_user, settings.mail_password = "starttls", "cloud", SecretStr("x")
    cloud.courier.run_once(now + 100)
    assert reason(cloud) == "no answer of the mail server: SSLCertVerificationError"
    monkeypatch.setenv("SSL_CERT_FILE", str(ca.certificate_path))
    cloud.courier.run_once(now + 200)
    assert reason(cloud) == "the mail server refused the login: 535"
    settings.mail_password = SecretStr("right")
    cloud.courier.run_once(now + 300)
    assert len(inbox.messages) == 1


@pytest.mark.parametrize(
    "wrong, why",
    [
        ({"mail_host": "mail.example.org"}, "needs RATELOCK_MAIL_FROM"),
        ({"mail_user": "x"}, "must be set together"),
        ({"mail_user": "x", "mail_password": "y", "mail_security": "none"}, "starttls or tls"),
        ({"mail_from": "x@example.org\r\nBcc: y@example.org"}, "pattern"),
    ],
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, str], why: str):
    with pytest.raises(ValidationError, match=why):
        Settings.model_validate(wrong)
