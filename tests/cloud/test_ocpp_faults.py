"""A central system that is away, slow, wrong or hostile: each is a typed error that is counted, the cloud
goes on, no relay moves, and the gateway goes on by itself once the central system is well.
"""

import asyncio
import http
import itertools
import json
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import structlog

from cloud_stub.base.problems import Problem
from cloud_stub.bridges.ocpp import target
from cloud_stub.bridges.ocpp.rpc import FRAGMENTS_MAX, FRAMES
from cloud_stub.cli.tools import alone
from cloud_stub.settings import Settings
from tests.cloud.conftest import Phone
from tests.cloud.fakes import FakeLink, FakePile
from tests.cloud.ocpp_central import NO_ANSWER, Central, Refusal, Running, charging
from tests.cloud.test_ocpp import central, gateway, wait_for_error  # noqa: F401
from tools.harness.certs import Ca


@pytest.fixture
def goes_on(pile: FakePile, phone: Phone, link: FakeLink, gateway: Running) -> Callable[[], None]:  # noqa: F811
    """Checks that the cloud goes on, that no relay was moved, and that the gateway is well again."""

    def check() -> None:
        assert link.sent("PILE-1", "order") == [] and link.sent("PILE-1", "command") == []
        gateway.cloud.dispatch.send_unsent()
        order_id = charging(phone, pile)
        assert len(link.sent("PILE-1", "order")) == 1 and link.sent("PILE-1", "command") == []
        gateway.central.wait(
            lambda: any(each["rate"]["rate_id"] for each in gateway.central.transfers("Rate")), "the order"
        )
        assert gateway.central.transfers("Rate")[0]["order_id"] == order_id

    return check


Http = Callable[..., Any]


def refuse_with(status: http.HTTPStatus) -> Http:
    return lambda connection, _request: connection.respond(status, "no")


def redirect_to(address: str) -> Http:
    def answer(connection: Any, _request: Any) -> Any:
        response = connection.respond(http.HTTPStatus.FOUND, "elsewhere")
        response.headers["Location"] = address
        return response

    return answer


@pytest.mark.parametrize(
    ("request_of", "kind"),
    [
        (refuse_with(http.HTTPStatus.UNAUTHORIZED), "Unauthorized"),
        (refuse_with(http.HTTPStatus.NOT_FOUND), "HandshakeRefused"),
        (refuse_with(http.HTTPStatus.OK), "HandshakeRefused"),
        (redirect_to("https://login.example.org/"), "HandshakeRefused"),
        (lambda connection, _request: connection.transport.abort(), "HandshakeRefused"),
    ],
    ids=["401", "404", "not a websocket", "to a login page", "closes in the handshake"],
)
def test_a_central_system_that_refuses_the_connection_is_asked_again(
    gateway: Running,  # noqa: F811
    central: Central,  # noqa: F811
    goes_on: Callable[[], None],
    request_of: Http,
    kind: str,
):
    central.process_request = request_of
    gateway.start()
    wait_for_error(gateway, kind)
    central.process_request = None
    goes_on()


def test_a_central_system_that_is_away_or_knows_no_ocpp_is_asked_again(
    gateway: Running,  # noqa: F811
    central: Central,  # noqa: F811
    goes_on: Callable[[], None],
):
    port = central.port
    gateway.did(central.stop())
    with structlog.testing.capture_logs() as logged:
        gateway.start()
        wait_for_error(gateway, "Unreachable")
        central.wait(lambda: gateway.points()["PILE-1"]["errors"]["Unreachable"] > 2, "attempts")
    assert [each["event"] for each in logged].count("ocpp_connection") == 1
    central.subprotocols = None
    gateway.did(central.start(port))
    wait_for_error(gateway, "NoSubprotocol")
    gateway.did(central.stop())
    central.subprotocols = ["ocpp1.6"]
    gateway.did(central.start(port))
    goes_on()


def test_answers_that_come_too_late_are_the_answers_to_the_repeated_call(
    gateway: Running,  # noqa: F811
    central: Central,  # noqa: F811
    goes_on: Callable[[], None],
):
    async def slow(message_id: str, payload: dict[str, Any]) -> Any:
        await asyncio.sleep(0.7)  # answer_s is 0.5
        return central.usual(message_id, "StartTransaction")

    central.answers["StartTransaction"] = slow
    gateway.start()
    goes_on()
    assert len(central.of("StartTransaction")) == 1 and central.repeats >= 1
    wait_for_error(gateway, "NoAnswer")


HUGE = json.dumps([2, "1", "DataTransfer", {"vendorId": "v", "data": "x" * 70_000}])
DEEP = "[" * 30_000 + "]" * 30_000
_START = {"connectorId": 1, "idTag": "ANY"}
NAUGHTY = {
    "not JSON": (["{", "nonsense", ""], "BadFrame"),
    "not OCPP": (
        ['{"a":1}', "[]", '[9,"1",{}]', "[2]", '[2,1,"Reset",{}]', '[3,"1",[]]', '[2,"1",["a"],{}]'],
        "BadFrame",
    ),
    "binary": ([b"\x00\xff", b'[3,"1",{}]'], "BadFrame"),
    "empty fragments": ([[""] * FRAGMENTS_MAX], "fragments"),  # and a last one
    "deep": ([DEEP], "BadFrame"),
    "a number without end": (["[" + "9" * 60_000 + "]"], "BadFrame"),
    "an answer to nothing": (['[3,"nobody",{}]', '[4,"nobody","InternalError","",{}]'], "UnknownAnswer"),
    "calls that are no calls": (
        ['[2,"1","../../etc/passwd",{}]', '[2,"2","Authorize",{"idTag":"x"}]'],
        "UnknownCall",
    ),
    "calls off their schema": (
        ['[2,"1","Reset",{"type":"Now"}]', '[2,"2","RemoteStartTransaction",{}]'],
        "BadCall",
    ),
    "texts that no database holds": ([json.dumps([2, "1", "\ud800\0", {}])], "UnknownCall: ??"),
    "a remote start whose tag is no text": (
        [json.dumps([2, "1", "RemoteStartTransaction", {"connectorId": 1.0, "idTag": "\ud800"}])] * 2
        + [json.dumps([2, "2", "RemoteStartTransaction", _START | {"connectorId": 1.0}])],
        "RemoteStartNotAgreed",
    ),
    "a huge frame": ([HUGE], "Unreachable"),
    "remote starts with any tag": (
        [
            json.dumps([2, str(n), "RemoteStartTransaction", _START | {"idTag": f"TAG-{n}"}])
            for n in range(30)
        ],
        "Rejected",
    ),
    "a flood of calls": (
        [json.dumps([2, str(n), "GetConfiguration", {}]) for n in range(FRAMES + 2)],
        "TooManyCalls",
    ),
    "a flood of answers": ([f'[3,"{n}",{{}}]' for n in range(FRAMES + 2)], "TooManyCalls"),
}


@pytest.mark.parametrize("what", NAUGHTY)
def test_frames_that_are_wrong_or_hostile_are_counted_and_change_nothing(
    gateway: Running,  # noqa: F811
    central: Central,  # noqa: F811
    goes_on: Callable[[], None],
    what: str,
):
    frames, kind = NAUGHTY[what]
    central.is_wrong = True
    gateway.start()
    central.wait_for("StatusNotification", 3)

    async def send() -> None:
        for each in frames:
            await central.send("PILE-1", each)

    gateway.did(send())
    wait_for_error(gateway, kind)
    goes_on()


@pytest.mark.parametrize(
    "action", ["BootNotification", "StatusNotification", "Heartbeat", "Authorize", "DataTransfer"]
)
@pytest.mark.parametrize("how", ["CallError", "BadAnswer", "NoAnswer"])
def test_a_wrong_answer_is_counted_and_the_call_is_sent_again_or_given_up(
    gateway: Running,  # noqa: F811
    central: Central,  # noqa: F811
    goes_on: Callable[[], None],
    action: str,
    how: str,
):
    turn = itertools.count()

    def answer(message_id: str, payload: dict[str, Any]) -> Any:
        if next(turn):
            return central.usual(message_id, action)
        if how == "CallError":
            raise Refusal("not now \ud800\0")  # no database holds that text
        return NO_ANSWER if how == "NoAnswer" else {"status": 7, "currentTime": [], "idTagInfo": None}

    central.answers[action], central.is_wrong = answer, True
    gateway.start()
    if action == "Heartbeat":
        central.wait_for("StatusNotification", 3)
        assert gateway.status("TriggerMessage", requestedMessage="Heartbeat") == "Accepted"
    if action in ("Authorize", "DataTransfer"):
        goes_on()
        wait_for_error(gateway, how)
    else:
        wait_for_error(gateway, how)
        goes_on()
    assert next(turn) >= 1


# -- basic authentication and TLS


def test_each_pile_signs_in_with_its_name_and_password(
    gateway: Running,  # noqa: F811
    central: Central,  # noqa: F811
    pile: FakePile,
    tmp_path: Path,
):
    said: list[str] = []
    central.process_request = lambda _, request: said.append(request.headers["Authorization"])
    passwords = tmp_path / "passwords"
    passwords.write_text("PILE-1 0123456789abcdef\nPILE-2 x\n")
    gateway.start(target.make(central.url, None, target.read_passwords(passwords)))
    central.wait_for("BootNotification")
    assert said == ["Basic UElMRS0xOjAxMjM0NTY3ODlhYmNkZWY="]  # PILE-1:0123456789abcdef


def test_the_certificate_of_the_central_system_is_verified(
    gateway: Running,  # noqa: F811
    central: Central,  # noqa: F811
    goes_on: Callable[[], None],
    tmp_path: Path,
):
    mine, other = Ca(tmp_path / "mine"), Ca(tmp_path / "other")
    mine.issue("server", names=("127.0.0.1",))
    mine.issue("elsewhere", names=("csms.example.org",))
    other.issue("server", names=("127.0.0.1",))
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(tmp_path / "other" / "server.pem", tmp_path / "other" / "server.key")
    gateway.did(central.stop())
    gateway.did(central.start(ssl=served))
    url = central.url.replace("ws://", "wss://")
    gateway.start(target.make(url, tmp_path / "mine" / "ca.pem", {}))
    wait_for_error(gateway, "TlsFailed")
    served.load_cert_chain(tmp_path / "mine" / "elsewhere.pem", tmp_path / "mine" / "elsewhere.key")
    wait_for_error(gateway, "mismatch")
    assert central.frames == []
    served.load_cert_chain(tmp_path / "mine" / "server.pem", tmp_path / "mine" / "server.key")
    goes_on()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://host/", "ws://HOST/PATH"),
        ("wss://", "ws://HOST/PATH"),
        ("wss://user:secret@host/", "--password-file"),
        ("wss://host/?key=1", "ws://HOST/PATH"),
    ],
)
def test_an_address_that_is_none_is_refused(url: str, says: str):
    with pytest.raises(Problem, match=says):
        target.make(url, None, {})


def test_a_second_gateway_on_the_same_data_is_refused(run: Any, settings: Settings):
    with alone(settings.data / "ocpp.lock", "a gateway"):
        assert "a gateway runs" in run("ocpp-gateway", "--csms", "ws://127.0.0.1:9/ocpp")
    assert "ws://HOST/PATH" in run("ocpp-gateway", "--csms", "nonsense")


@pytest.mark.parametrize("text", ["", "PILE-1 a\nPILE-1 b", "one\ntwo", "a b c", "P" * 41, "PILE-1 é"])
def test_a_password_file_that_is_none_is_refused(text: str, tmp_path: Path):
    file = tmp_path / "passwords"
    file.write_text(text)
    with pytest.raises(Problem, match="InvalidRequest"):
        target.read_passwords(file)
