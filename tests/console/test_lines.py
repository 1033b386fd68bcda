"""--plain, --json, --record and --replay as processes, against a real mosquitto."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pile_protocol import topics
from tests.console import kit
from tools import ROOT
from tools.console.__main__ import parse, run
from tools.console.capture import Message, Reader, Recorder
from tools.console.errors import ConsoleError
from tools.harness import mosquitto
from tools.harness.broker import Broker
from tools.harness.ports import free_port
from tools.harness.processes import Child, Children
from tools.harness.tap import Tap

TIMEOUT_S = 60
CONNECTED = '"link": "up"'


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with Broker(tmp_path_factory.mktemp("a broker"), tls_port=0) as broker:
        yield broker


@pytest.fixture
def children() -> Iterator[Children]:
    with Children() as children:
        yield children


@pytest.fixture
def publisher(broker: Broker) -> Iterator[Tap]:
    tap = Tap(broker)
    yield tap
    tap.close()


def environment(broker: Broker | None) -> dict[str, str]:
    """What the console finds: the broker's folder, where one is given, and no database."""
    data = str(broker.folder.parent) if broker else str(ROOT / "no such folder")
    return {
        "RATELOCK_DATA": data,
        "RATELOCK_MQTT_PORT": str(broker.port if broker else 1),
        "RATELOCK_MQTT_PASSWORD": "",
    }


def start(children: Children, *arguments: str, broker: Broker | None = None) -> Child:
    """The console as a person starts it: as a file, from another folder."""
    argv = [sys.executable, str(ROOT / "tools" / "console"), *arguments]
    return children.start("console", argv, env=environment(broker), cwd="/")


def finished(*arguments: str, broker: Broker | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tools.console", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment(broker)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )


def publish(tap: Tap, name: str, raw: bytes | None = None, **changes: Any) -> None:
    tap.publish(kit.DEVICE, name, kit.payload(name, **changes) if raw is None else raw)


def keys_file(folder: Path) -> str:
    (folder / "keys.json").write_text(json.dumps({kit.DEVICE: kit.KEY.hex()}))
    return str(folder / "keys.json")


def test_json_lines_record_and_replay_tell_the_same(
    broker: Broker, publisher: Tap, children: Children, tmp_path: Path
) -> None:
    capture = tmp_path / "a capture.jsonl"
    keys = keys_file(tmp_path)
    console = start(
        children, "--json", "--count", "5", "--record", str(capture), "--keys", keys, broker=broker
    )
    console.wait_for_line(CONNECTED, TIMEOUT_S)
    publish(publisher, topics.METER)
    publish(publisher, topics.ORDER)
    publish(publisher, topics.ORDER, key=bytes(32))
    publish(publisher, topics.STATUS, raw=b"\xff\x1b[31m")
    publish(publisher, topics.SETTLEMENT)
    assert console.wait(TIMEOUT_S) == 0
    live = [json.loads(line) for line in console.lines]
    told = [(each["name"], each["seal"], each["problem"] is None) for each in live if "name" in each]
    assert told == [
        ("meter", "unsealed", True),
        ("order", "good", True),
        ("order", "bad", False),
        ("status", "unsealed", False),
        ("settlement", "good", True),
    ]
    assert live[1]["message"] == kit.VALID[topics.METER]
    assert len([event for event in Reader(capture).events() if isinstance(event, Message)]) == 5

    again = finished("--json", "--replay", str(capture), "--fast", "--keys", keys)
    assert (again.returncode, again.stderr) == (0, "")
    replayed = [json.loads(line) for line in again.stdout.splitlines()]
    assert [each for each in replayed if "name" in each] == [each for each in live if "name" in each]

    plain = finished("--plain", "--replay", str(capture), "--fast", "--keys", keys)
    assert plain.returncode == 0
    lines = plain.stdout.splitlines()
    assert len(lines) == 5
    assert all(kit.is_harmless(line) for line in lines)
    assert "seal:good o-1  connector 1" in lines[1]
    assert "\\xff\\x1b[31m" in lines[3]
    assert "connected" in plain.stderr


def test_it_survives_a_broker_that_restarts_and_says_so(tmp_path: Path, children: Children) -> None:
    with Broker(tmp_path / "data") as broker:
        console = start(children, "--plain", broker=broker)
        console.wait_for_line("+++ connected", TIMEOUT_S)
        broker.kill()
        console.wait_for_line("--- connection lost", TIMEOUT_S)
        console.wait_for_line("--- no connection: ", TIMEOUT_S)
        count = console.line_count
        broker.start()
        console.wait_for_line("+++ connected", TIMEOUT_S, after=count)
        tap = Tap(broker)
        publish(tap, topics.METER)
        tap.close()
        console.wait_for_line("7.01 kW", TIMEOUT_S)
        assert console.stop() == 143


def test_a_bare_anonymous_mosquitto_is_enough(children: Children, tmp_path: Path) -> None:
    way = mosquitto.find(print)
    if isinstance(way, mosquitto.Docker):
        pytest.skip("the broker runs in a container here: a bare mosquitto program is needed")
    port = free_port()
    bare = children.start("bare mosquitto", [way.program, "-p", str(port)], env=way.env, cwd=tmp_path)
    bare.wait_for_line("running", TIMEOUT_S)
    console = start(children, "--plain", "--mqtt", f"mqtt://127.0.0.1:{port}", "--topic", "#")
    console.wait_for_line("+++ connected", TIMEOUT_S)
    sent = finished_publish(port)
    console.wait_for_line("stranger/topic", TIMEOUT_S)
    console.wait_for_line("7.01 kW", TIMEOUT_S)
    assert sent == 0


def finished_publish(port: int) -> int:
    """Publishes a message of a pile and one of a stranger, without any credentials."""
    code = (
        "import sys, paho.mqtt.publish as p\n"
        "messages = [('stranger/topic', b'x', 1, False), ('pile/v1/PILE-1/meter', sys.argv[2], 1, False)]\n"
        "p.multiple(messages, hostname='127.0.0.1', port=int(sys.argv[1]))"
    )
    argv = [sys.executable, "-c", code, str(port), kit.payload(topics.METER).decode()]
    return subprocess.run(argv, timeout=TIMEOUT_S).returncode


def test_tls_is_verified(broker: Broker, publisher: Tap, children: Children, tmp_path: Path) -> None:
    ca = broker.folder.parent / "certs" / "ca.pem"
    password = tmp_path / "password"
    password.write_text(broker.cloud_password + "\n")
    who = ["--username", "cloud", "--password-file", str(password), "--mqtt", broker.tls_url]
    console = start(children, "--plain", *who, "--ca", str(ca))
    console.wait_for_line("+++ connected", TIMEOUT_S)
    publish(publisher, topics.METER)
    console.wait_for_line("7.01 kW", TIMEOUT_S)
    stranger = start(children, "--plain", *who)  # no CA of ours among the system's
    stranger.wait_for_line("--- no connection: ", TIMEOUT_S)
    assert "CERTIFICATE_VERIFY_FAILED" in "\n".join(stranger.lines)


def test_a_broker_that_refuses_us_ends_it(broker: Broker) -> None:
    done = finished("--plain", "--mqtt", broker.url)
    assert done.returncode == 1
    assert "the broker refuses us: Not authorized" in done.stderr


def test_a_burst_passes_whole_through_a_pipe(tmp_path: Path) -> None:
    """More than the event_queue between its threads can hold: a replay waits, and loses nothing."""
    count = 30_000
    capture = tmp_path / "burst"
    message = kit.message(topics.METER, raw=kit.payload(topics.METER, padding="x" * 900))
    with Recorder(capture) as recorder:
        recorder.write([message] * count)
    done = finished("--json", "--replay", str(capture), "--fast")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == count


def test_a_reader_that_leaves_ends_it_quietly(tmp_path: Path) -> None:
    capture = tmp_path / "capture"
    with Recorder(capture) as recorder:
        recorder.write([kit.message(topics.METER)] * 20_000)
    argv = [sys.executable, "-m", "tools.console", "--plain", "--replay", str(capture), "--fast"]
    process = subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout and process.stderr
    assert "PILE-1" in process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(TIMEOUT_S) == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--mqtt", "http://host"], "is not mqtt://host:port"),
        (["--mqtt", "mqtt://host:99999"], "is not mqtt://host:port"),
        (["--mqtt", "mqtt://me:secret@host"], "a password in the address"),
        (["--mqtt", "mqtt://host", "--ca", "ca.pem"], "--ca goes with mqtts://"),
        (["--mqtt", "mqtts://host", "--ca", "missing.pem"], "the CA in missing.pem cannot be used"),
        (["--mqtt", "mqtt://host", "--password-file", "missing"], "missing cannot be read"),
        (["--replay", "missing"], "missing cannot be read"),
        (["--keys", "missing"], "missing cannot be read"),
        (["--replay", "a", "--mqtt", "mqtt://host"], "not both"),
        (["--json", "--plain"], "not both"),
        (["--fast"], "goes with --replay"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment(None).items():
        monkeypatch.setenv(name, value)
    with pytest.raises((ConsoleError, SystemExit)) as refused:
        run(parse(arguments))
    assert words in capsys.readouterr().err + str(refused.value)


def test_what_is_refused_is_said_on_stderr() -> None:
    done = finished("--replay", "missing")
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(r"console: missing cannot be read: .+\n", done.stderr)
