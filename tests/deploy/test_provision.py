"""`make provision` against the unix port behind a pty, and against a real cloud."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cloud_stub.base.tokens import key_id
from drivers.files import FileStore
from pile.outbox import Outbox
from tests.deploy.conftest import QUIET_S
from tools.board import provision
from tools.board.deploy import DeployError
from tools.board.deploy.__main__ import deploy
from tools.board.deploy.line import Line
from tools.harness.phone import Phone
from tools.harness.system import DEMO_RATE, System

KEY = "5a" * 32
PLAIN = "--unencrypted"
WIFI = ("--ssid", "Courtyard")


@pytest.fixture(autouse=True)
def no_secrets_around(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("RATELOCK_DATA", str(tmp_path / "data"))
    for name in (provision.KEY_VARIABLE, provision.TOKEN_VARIABLE, provision.PASSWORD_VARIABLE):
        monkeypatch.delenv(name, raising=False)


def run(board, *words: str, answers: dict[str, str] | None = None) -> list[str]:
    """Provisions; returns what was asked for. `answers`: by a part of the question."""
    asked = []

    def ask(question: str) -> str:
        asked.append(question)
        return next(answer for part, answer in (answers or {}).items() if part in question)

    options = provision.parser().parse_args([board.port, "--quiet-s", str(QUIET_S), *words])
    provision.provision(options, ask)
    return asked


def settle(board, count: int, acknowledged: int) -> None:
    """The pile has made settlements, and the cloud has stored some of them."""
    outbox = Outbox(FileStore(str(board.flash / "flash")))
    outbox.load([])
    for seq in range(1, count + 1):
        body = b'{"order_id":"o%d","seq":%d' % (seq, seq)
        outbox.add(body + b',"mac":"%064x"}' % seq)
    for seq in range(1, acknowledged + 1):
        assert outbox.acknowledge(seq, f"{seq:064x}")


def on_board(board) -> dict:
    return json.loads((board.flash / "config.json").read_text())


def test_a_new_pile_is_asked_for_its_secrets_and_shows_none(pty_board, sim, capsys) -> None:
    deploy(sim, pty_board.port, restart=False)
    asked = run(
        pty_board, "--device-id", "PILE-1", "--broker", "127.0.0.1:1883", *WIFI, "--no-restart",
        answers={"password": "correct horse", "key": KEY},
    )  # fmt: skip
    assert len(asked) == 2
    assert on_board(pty_board) == {
        "device_id": "PILE-1", "key": KEY, "broker": {"host": "127.0.0.1", "port": 1883},
        "wifi": {"ssid": "Courtyard", "password": "correct horse"},
    }  # fmt: skip
    shown = capsys.readouterr()
    assert KEY not in shown.out + shown.err
    assert "correct horse" not in shown.out + shown.err


def test_a_wifi_has_a_name_of_any_script(pty_board) -> None:
    """As characters: MicroPython's JSON does not join the two halves that an escaped one may have."""
    words = ("--device-id", "PILE-1", "--broker", "a.example:1883", PLAIN, "--no-restart")
    run(pty_board, *words, "--ssid", "院子 🔌",
        answers={"password": "correct horse", "key": KEY})  # fmt: skip
    assert on_board(pty_board)["wifi"]["ssid"] == "院子 🔌"
    assert "院子 🔌".encode() in (pty_board.flash / "config.json").read_bytes()


def test_provisioning_again_keeps_key_journal_and_what_is_not_given(pty_board) -> None:
    run(pty_board, "--device-id", "PILE-1", "--broker", "a.example:1883", PLAIN, *WIFI, "--no-restart",
        answers={"password": "old", "key": KEY})  # fmt: skip
    journal = pty_board.flash / "flash" / "order-1"
    journal.parent.mkdir()
    journal.write_bytes(b"an order that runs")
    asked = run(pty_board, *WIFI, "--no-restart", answers={"password": "new password"})
    assert len(asked) == 1
    assert on_board(pty_board)["wifi"]["password"] == "new password"
    assert on_board(pty_board)["key"] == KEY
    assert journal.read_bytes() == b"an order that runs"


def test_a_pile_that_still_owes_settlements_does_not_become_another(pty_board) -> None:
    run(
        pty_board,
        "--device-id",
        "PILE-1",
        "--broker",
        "a.example:1883",
        "--unencrypted",
        "--no-wifi",
        "--no-restart",
        answers={"key": KEY},
    )
    settle(pty_board, count=2, acknowledged=1)
    with pytest.raises(DeployError, match="not settled"):
        run(pty_board, "--device-id", "PILE-2", "--no-wifi", "--no-restart", answers={"key": KEY})
    assert on_board(pty_board)["device_id"] == "PILE-1"


def test_a_pile_whose_settlements_are_all_stored_may_become_another(pty_board) -> None:
    """The newest segment of its outbox is still in flash: it holds the chain's end."""
    words = ("--broker", "a.example:1883", PLAIN, "--no-wifi", "--no-restart")
    run(pty_board, "--device-id", "PILE-1", *words, answers={"key": KEY})
    settle(pty_board, count=2, acknowledged=2)
    assert (pty_board.flash / "flash" / "out-00000001").exists()
    run(pty_board, "--device-id", "PILE-2", *words, answers={"key": KEY})
    assert on_board(pty_board)["device_id"] == "PILE-2"


def test_a_pile_that_has_an_open_order_does_not_become_another(pty_board) -> None:
    words = ("--broker", "a.example:1883", PLAIN, "--no-wifi", "--no-restart")
    run(pty_board, "--device-id", "PILE-1", *words, answers={"key": KEY})
    settle(pty_board, count=2, acknowledged=2)
    (pty_board.flash / "flash" / "order-1").write_bytes(b"an order that runs")
    with pytest.raises(DeployError, match=r"order-1"):
        run(pty_board, "--device-id", "PILE-2", *words, answers={"key": KEY})


@pytest.mark.parametrize("way", [("--from",), ("--cloud", "http://127.0.0.1:1")])
def test_a_pile_that_still_owes_settlements_keeps_the_key_they_are_sealed_with(
    pty_board, tmp_path, monkeypatch, way
) -> None:
    monkeypatch.setattr(provision.CloudPile, "has_key_of_board", lambda _: False)
    monkeypatch.setattr(
        provision.CloudPile, "new_key", lambda *_: pytest.fail("the cloud was asked for a key")
    )
    run(pty_board, "--device-id", "PILE-1", "--broker", "a.example:1883", PLAIN, "--no-wifi", "--no-restart",
        answers={"key": KEY})  # fmt: skip
    settle(pty_board, count=2, acknowledged=1)
    other = tmp_path / "other.json"
    other.write_text(json.dumps({"device_id": "PILE-1", "key": "6b" * 32}))
    words = (*way, str(other)) if way == ("--from",) else way
    with pytest.raises(DeployError, match="another key"):
        run(pty_board, *words, "--no-wifi", "--no-restart", answers={"token": "operator"})
    assert on_board(pty_board)["key"] == KEY
    run(pty_board, "--from", str(other), "--no-wifi", "--no-restart", "--force")
    assert on_board(pty_board)["key"] == "6b" * 32


@pytest.mark.system
def test_the_same_command_again_mends_what_went_wrong(pty_board, system: System, monkeypatch, capsys) -> None:
    """A cable out in the middle, or a config that was lost: each time the key was lost for good."""
    monkeypatch.setenv(provision.TOKEN_VARIABLE, system.operator_token)
    words = ("--device-id", "P-again", "--broker", "a.example:1883", PLAIN, "--no-wifi", "--no-restart")
    words += ("--cloud", system.base_url)
    write = Line.write

    def unplugged(*_: object) -> None:
        raise DeployError("the cable is out")

    def key_at_cloud() -> str:
        return system.operator.get("/api/piles/P-again/report").json()["key_id"]

    def key_on_board() -> str:
        return key_id(bytes.fromhex(on_board(pty_board)["key"]))

    monkeypatch.setattr(Line, "write", unplugged)
    with pytest.raises(DeployError, match="cable"):
        run(pty_board, *words)
    monkeypatch.setattr(Line, "write", write)
    first = key_at_cloud()
    run(pty_board, *words)
    second = key_at_cloud()
    assert key_on_board() == second != first
    run(pty_board, *words)
    assert key_on_board() == key_at_cloud() == second, "a key that is right was changed"
    (pty_board.flash / "config.json").unlink()
    run(pty_board, *words)
    assert key_on_board() == key_at_cloud() != second
    actions = [each["action"] for each in system.operator.get("/api/audit?device_id=P-again").json()["items"]]
    assert actions == ["BoardReplaced", "BoardReplaced", "PileAdded"]
    shown = capsys.readouterr()
    assert on_board(pty_board)["key"] not in shown.out + shown.err


def test_a_cloud_that_does_not_answer_changes_nothing(pty_board) -> None:
    words = ("--device-id", "PILE-1", "--broker", "a.example:1883", PLAIN, "--no-wifi", "--no-restart")
    with pytest.raises(DeployError, match="the cloud at"):
        run(pty_board, *words, "--cloud", "http://127.0.0.1:1", answers={"token": "operator"})
    assert not (pty_board.flash / "config.json").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--device-id", "a b", "--broker", "x:1", PLAIN), "device_id"),
        (("--device-id", "PILE-1", "--broker", "x:99999", PLAIN), "broker.port"),
        (("--device-id", "PILE-1", "--broker", "x", PLAIN), "HOST:PORT"),
        (("--device-id", "PILE-1", "--broker", "x:\u00b2", PLAIN), "HOST:PORT"),
    ],
)
def test_what_the_pile_would_refuse_is_not_written(pty_board, words, says: str) -> None:
    with pytest.raises(DeployError, match=says):
        run(pty_board, *words, "--no-wifi", "--no-restart", answers={"key": KEY})
    assert not (pty_board.flash / "config.json").exists()


def test_a_key_that_is_none_is_not_written(pty_board) -> None:
    with pytest.raises(DeployError, match="key"):
        run(
            pty_board,
            "--device-id",
            "PILE-1",
            "--broker",
            "x:1",
            "--unencrypted",
            "--no-wifi",
            answers={"key": "short"},
        )
    assert not (pty_board.flash / "config.json").exists()


def test_from_a_file_with_a_ca(pty_board, tmp_path) -> None:
    given = {"device_id": "PILE-1", "key": KEY, "broker": {"host": "b.example", "port": 8883}}
    (tmp_path / "pile.json").write_text(json.dumps(given))
    ca = tmp_path / "broker ca.pem"
    ca.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    run(pty_board, "--from", str(tmp_path / "pile.json"), "--ca", str(ca), "--no-wifi", "--no-restart")
    assert on_board(pty_board)["broker"] == {"host": "b.example", "port": 8883, "ca": "ca.pem"}
    assert (pty_board.flash / "ca.pem").read_text() == ca.read_text()


def test_a_pile_without_tls_may_have_a_cloud_of_an_own_ca(pty_board, tmp_path) -> None:
    """A classic ESP32 has no memory for TLS, but the cloud of `make site` is HTTPS of its own CA."""
    ca = tmp_path / "ca.pem"
    ca.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    run(pty_board, "--device-id", "PILE-1", "--broker", "b.example:1883", PLAIN, "--ca", str(ca), "--no-wifi",
        "--no-restart", answers={"key": KEY})  # fmt: skip
    assert on_board(pty_board)["broker"] == {"host": "b.example", "port": 1883}
    assert not (pty_board.flash / "ca.pem").exists()


def break_nothing(flash: Path) -> None:
    pass


def break_start(flash: Path) -> None:
    (flash / "a" / "start.mpy").write_bytes(b"noise")


def break_config(flash: Path) -> None:
    (flash / "a" / "config.mpy").write_bytes(b"noise")


@pytest.mark.parametrize(
    ("breaks", "says"),
    [
        (break_nothing, None),
        pytest.param(break_start, None, marks=pytest.mark.long),
        pytest.param(break_config, "the firmware on the board does not run (", marks=pytest.mark.long),
    ],
)
def test_the_firmware_in_the_slot_reads_what_was_written(
    pty_board, sim, capsys, breaks: Callable[[Path], None], says: str | None
) -> None:
    """At work, or restarting every few seconds because its start fails."""
    deploy(sim, pty_board.port, restart=False)
    breaks(pty_board.flash)
    with Line(pty_board.port) as line:
        line.restart()
        shown = line.lines(QUIET_S, 10)
    assert any("slot a" in text for text in shown), shown
    capsys.readouterr()
    words = ("--device-id", "PILE-1", "--broker", "127.0.0.1:1", "--no-wifi", "--no-restart")
    run(pty_board, *words, answers={"key": KEY})
    said = capsys.readouterr().out
    assert on_board(pty_board)["key"] == KEY
    assert "PILE-1 is provisioned" in said
    assert "no firmware" not in said
    assert (says in said) if says else ("does not run" not in said), said


def test_a_board_without_firmware_is_provisioned_and_told_so(pty_board, capsys) -> None:
    words = ("--device-id", "PILE-1", "--broker", "127.0.0.1:1", "--no-wifi", "--no-restart")
    run(pty_board, *words, answers={"key": KEY})
    assert "there is no firmware on the board yet: `make deploy`" in capsys.readouterr().out


@pytest.mark.long
def test_what_the_firmware_in_the_slot_refuses_is_an_error(pty_board, sim, monkeypatch) -> None:
    """A board with another release than this repository judges by its own rules."""
    deploy(sim, pty_board.port, restart=False)
    monkeypatch.setattr(provision, "judge", lambda _: None)
    with pytest.raises(DeployError, match="the pile does not take what was written"):
        run(pty_board, "--device-id", "PILE-1", "--broker", "127.0.0.1:0", "--no-wifi", "--no-restart",
            answers={"key": KEY})  # fmt: skip


def test_a_broker_on_the_network_needs_its_ca_or_a_word_that_it_does_not(pty_board) -> None:
    words = ("--device-id", "PILE-1", "--broker", "a.example:8883", *WIFI)
    with pytest.raises(DeployError, match="--ca"):
        run(pty_board, *words, answers={"password": "correct horse"})
    assert not (pty_board.flash / "config.json").exists()


@pytest.mark.parametrize("foreign", ['{"broker": "a.example", "wifi": "Courtyard"}', '{"broker": []}', "[1]"])
def test_a_config_of_some_other_program_is_replaced_by_what_is_asked_for(pty_board, foreign: str) -> None:
    (pty_board.flash / "config.json").write_text(foreign)
    words = ("--device-id", "PILE-1", "--broker", "b.example:8883", PLAIN, *WIFI, "--no-restart")
    run(pty_board, *words, answers={"password": "correct horse", "key": KEY})
    assert on_board(pty_board)["broker"] == {"host": "b.example", "port": 8883}


@pytest.mark.parametrize("text", ["7", "[1]", "null", '{"broker": 7}'])
def test_a_file_that_holds_no_configuration_is_refused_in_a_sentence(pty_board, tmp_path, text: str) -> None:
    (tmp_path / "pile.json").write_text(text)
    with pytest.raises(DeployError):
        run(pty_board, "--from", str(tmp_path / "pile.json"), "--device-id", "PILE-1", "--no-wifi",
            "--broker", "b.example:1", PLAIN, "--no-restart", answers={"key": KEY})  # fmt: skip
    assert not (pty_board.flash / "config.json").exists()


@pytest.mark.system
def test_deployed_and_provisioned_in_two_commands_it_takes_orders(
    pty_board, sim, system: System, monkeypatch, capsys
) -> None:
    """The whole way of a stranger: the firmware, then the pile and its cloud in one step; then a phone."""
    deploy(sim, pty_board.port, restart=False)
    (pty_board.flash / "sim.json").write_text(json.dumps({"speed": 600}))
    monkeypatch.setenv(provision.TOKEN_VARIABLE, system.operator_token)
    device_id = "P-from-the-box"
    words = (
        "--device-id",
        device_id,
        "--broker",
        f"127.0.0.1:{system.broker.port}",
        "--no-wifi",
        "--cloud",
        system.base_url,
    )
    assert run(pty_board, *words) == []
    said = capsys.readouterr().out
    assert "connected to the broker" in said
    assert on_board(pty_board)["key"] not in said
    assert f"{system.base_url}/p/{device_id}" in said
    assert "missing:   a rate" in said and "label" in said
    system.set_rate(device_id, DEMO_RATE)
    order = Phone(system.base_url).order(device_id, limits={"energy_mwh": 1_000_000})
    assert order.wait_for_state("Settled")["reason"] == "EnergyLimitReached"
    key = on_board(pty_board)["key"]
    run(pty_board, *words, "--force")  # the acknowledgement may still be on its way to its journal
    assert on_board(pty_board)["key"] == key
    with Line(pty_board.port) as line:  # interrupted: the journal is there, and nothing runs
        assert "flash" in line.listdir(".")
