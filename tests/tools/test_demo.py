"""`make demo` holds what it tells, and would notice if it did not."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

import psutil
import pytest

from pile_protocol import pricing
from tests.processes import wait_until_gone
from tools import ROOT, run
from tools.demo import __main__ as demo
from tools.demo import demo_system, receipt, screen, story
from tools.demo.running_system import RunningSystem
from tools.harness import tap
from tools.harness.api_client import ApiError, Client, Event
from tools.harness.broker import Broker
from tools.harness.phone import PhoneOrder
from tools.harness.ports import free_port
from tools.harness.system import System

OPEN = ("Pending", "Accepted", "Charging", "Finishing")


def environment(data: Path, **changes: str) -> dict[str, str]:
    """For a demo that finds no `make run` but one over that folder."""
    return {**os.environ, "RATELOCK_DATA": str(data), "RATELOCK_HTTP_PORT": str(free_port()), **changes}


def demonstrate(env: dict[str, str]) -> list[str]:
    """The lines of a demo that ends well."""
    done = subprocess.run(
        [sys.executable, "-m", "tools.demo"],
        cwd=ROOT,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    lines = done.stdout.splitlines()
    assert re.fullmatch(r"DEMO OK order=\S+ energy_kwh=\d+\.\d{3} total=\d+\.\d\d CNY rate=\S+", lines[-1])
    return lines


@pytest.fixture(scope="module")
def holding(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system that holds money before an order, as `make run` does."""
    with System(tmp_path_factory.mktemp("holding"), env={"RATELOCK_PAYMENT": "test"}) as running:
        yield running


@pytest.fixture
def up(holding: System) -> Iterator[System]:
    """A system that is announced as `make run` announces its own."""
    with run.announced(holding, run.code_mark()):
        yield holding


@pytest.mark.system
def test_the_demo_ends_well_and_says_so_on_its_last_line(tmp_path: Path) -> None:
    lines = demonstrate(environment(tmp_path / "nobody's"))
    assert "`make run`" in lines[-2]
    assert "\x1b" not in "".join(lines)  # no colour where it is no terminal
    assert not (tmp_path / "nobody's").exists()


@pytest.mark.system
@pytest.mark.long
def test_a_run_whose_token_is_another_is_left_alone(up: System) -> None:
    piles = up.operator.get("/api/piles?q=DEMO-").json()["items"]
    lines = demonstrate(environment(up.data, RATELOCK_OPERATOR_TOKEN="the token of another system"))
    assert "operator token" in lines[0]
    assert "http://" not in lines[-2]
    assert up.operator.get("/api/piles?q=DEMO-").json()["items"] == piles


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.system
def test_an_interrupted_demo_leaves_no_process_and_in_the_end_no_open_order(up: System, number: int) -> None:
    env = environment(up.data)
    demo = subprocess.Popen(
        [sys.executable, "-m", "tools.demo"], cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True
    )
    assert demo.stdout is not None
    told = next(line for line in demo.stdout if "confirms exactly that rate" in line)
    order_id = told.split()[-1]
    next(line for line in demo.stdout if "closes the relay" in line)
    started = psutil.Process(demo.pid).children(recursive=True)
    assert len(started) >= 2  # the pile and the watchdog
    demo.send_signal(number)
    demo.communicate()
    assert demo.returncode in (130, 128 + number, -number)
    wait_until_gone(started)

    def state() -> str:
        return up.operator.get(f"/api/orders/{order_id}").json()["state"]

    if number == signal.SIGKILL:  # it had no time for that; the next one has
        assert state() in OPEN
        device_id = up.operator.get(f"/api/orders/{order_id}").json()["device_id"]
        deadline = time.monotonic() + 20
        while up.phone.get(f"/api/piles/{device_id}").json()["online"] and time.monotonic() < deadline:
            time.sleep(0.02)
        lines = demonstrate(env)
        assert any("was left in the middle of an order" in line for line in lines)
    assert state() in ("Settled", "Paid")  # paid: nothing had flowed yet


@pytest.fixture
def staged(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """What a demo says where it tells its story on a system of its own, which is not really started."""

    def one(data: Path, **changes: str) -> str:
        for name, value in {"RATELOCK_DATA": str(data), **changes}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(demo_system, "_own", lambda *_, **options: options)
        with demo_system.choose(screen.Screen()) as own:
            assert isinstance(own, dict), "the story would be told on the system that is up"
        return capsys.readouterr().out

    return one


def announcement(system: System, **changes: object) -> run.Run:
    return replace(run.Run(1, system.http_port, system.broker.port, run.code_mark(), []), **changes)


REASONS: dict[str, tuple[dict[str, object], str]] = {
    "other code": ({"code": "0" * 64}, "other code"),
    "for others": ({"serves_others": ["DATABASE_URL"]}, "DATABASE_URL may make it more than a trial"),
    "no cloud": ({"http_port": 1}, "refused"),
    "no broker": ({"mqtt_port": 1}, "refused"),
}


@pytest.mark.parametrize("reason", REASONS)
@pytest.mark.system
def test_a_run_that_is_not_for_the_demo_is_left_alone_and_told_why(
    up: System, staged: Callable[..., str], monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    changes, words = REASONS[reason]
    monkeypatch.setattr(demo_system, "running", lambda _: announcement(up, **changes))
    last = staged(up.data).splitlines()[-1]
    assert "the `make run` that is up is not used" in last
    assert words in last


@pytest.mark.system
def test_a_broker_that_lets_nobody_in_is_left_alone(
    up: System, staged: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Broker, "cloud_password", "of another broker")
    monkeypatch.setattr(tap, "CONNECT_TIMEOUT_S", 0.5)
    assert "the `make run` that is up is not used" in staged(up.data).splitlines()[-1]


def test_a_stranger_on_the_port_is_left_alone(tmp_path: Path, staged: Callable[..., str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        (line,) = staged(tmp_path, RATELOCK_HTTP_PORT=port).splitlines()
    assert f"what has port {port} is no `make run`" in line


def test_what_a_killed_run_left_is_no_run(tmp_path: Path, staged: Callable[..., str]) -> None:
    (tmp_path / run.RUN_FILE).write_text(json.dumps(asdict(run.Run(1, 8080, 1883, run.code_mark(), []))))
    assert run.running(tmp_path) is None
    assert staged(tmp_path, RATELOCK_HTTP_PORT=str(free_port())) == ""


@pytest.mark.system
def test_what_a_run_says_of_itself_is_found_while_it_is_up_and_for_its_owner_alone(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RATELOCK_LISTEN", "0.0.0.0")
    with run.announced(system, "its mark"):
        found = run.running(system.data)
        assert found == run.Run(
            os.getpid(), system.http_port, system.broker.port, "its mark", ["RATELOCK_LISTEN"]
        )
        assert (system.data / run.RUN_FILE).stat().st_mode & 0o777 == 0o600
    assert run.running(system.data) is None


@pytest.mark.system
def test_a_pile_that_is_somebody_elses_is_not_taken(up: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RATELOCK_DATA", str(up.data))
    with demo_system.choose(screen.Screen()) as first:
        device_id = first.identity.device_id
    (up.data / "demo" / device_id / "key.json").write_text("")
    with demo_system.choose(screen.Screen()) as other:
        assert other.identity.device_id != device_id


@pytest.mark.system
def test_a_pile_that_was_removed_is_left_removed(up: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RATELOCK_DATA", str(up.data))
    with demo_system.choose(screen.Screen()) as first:
        device_id = first.identity.device_id
    removed = up.operator.request("DELETE", f"/api/piles/{device_id}?force=true")
    assert removed.status == 200
    with demo_system.choose(screen.Screen()) as other:
        assert type(other.system) is RunningSystem
        assert other.identity.device_id != device_id


@pytest.mark.system
def test_a_second_demo_at_once_takes_another_pile_and_the_next_one_the_same_again(
    up: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RATELOCK_DATA", str(up.data))
    with demo_system.choose(screen.Screen()) as first, demo_system.choose(screen.Screen()) as second:
        ids = [first.identity.device_id, second.identity.device_id]
        assert len(set(ids)) == 2
        assert {type(first.system), type(second.system)} == {RunningSystem}
    with demo_system.choose(screen.Screen()) as again:
        assert again.identity == first.identity


def test_a_claim_that_does_not_hold_ends_the_story() -> None:
    story.claim(1 == 1, "sums")
    with pytest.raises(story.ClaimFailed, match="sums"):
        story.claim(1 == 2, "sums")


class EndedOrder(PhoneOrder):
    """An order whose car was full before the story had its meter events."""

    def __init__(self, state: str):
        super().__init__(Client("http://127.0.0.1:1"), {"order_id": "o-1", "token": "t"})
        self.state = state

    def events(self, timeout_s: float = 20, lasts_s: float | None = None):
        assert lasts_s is not None
        yield Event("order", {"state": "Charging", "reason": None}, None)
        yield Event("order", {"state": self.state, "reason": "EVFull"}, None)
        pytest.fail("the story goes on reading events of an order that has ended")


@pytest.mark.parametrize("state", ["Finishing", "Settled"])
def test_a_charge_that_ends_early_fails_the_story(state: str) -> None:
    told = story.Story.__new__(story.Story)
    with pytest.raises(story.ClaimFailed, match="EVFull"):
        told._charging(EndedOrder(state), {})


def test_a_stream_of_heartbeats_alone_does_not_last_for_ever() -> None:
    """Heartbeats come faster than the silence that ends a stream."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def beat() -> None:
            connection, _ = server.accept()
            with connection, contextlib.suppress(OSError):
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
                while True:
                    connection.sendall(b": ping\n\n")
                    time.sleep(0.01)

        beating = threading.Thread(target=beat)
        beating.start()
        client = Client(f"http://127.0.0.1:{server.getsockname()[1]}")
        with pytest.raises(ApiError, match="not over"):
            list(client.events("/events", 20, lasts_s=0.1))
        beating.join(10)


def test_a_mistake_of_the_demo_itself_fails_it(monkeypatch, capsys) -> None:
    def broken(*_: object) -> None:
        raise KeyError("reason")

    monkeypatch.setattr(demo, "exit_on_signals", lambda: None)
    monkeypatch.setattr(demo, "choose", broken)
    assert demo.main() == 1
    assert "DEMO FAILED: KeyError" in capsys.readouterr().out


@pytest.mark.parametrize("mwh", [0, 1, 416_666, 416_667, 5_080_000, 123_456_789])
def test_the_receipt_comes_to_what_the_price_engine_comes_to(mwh: int) -> None:
    rate = {"steps": [[0, 800_000, 400_000, "flat"]], "minor_digits": 2, "session_fee_minor": 50}
    total, fee, periods = pricing.bill(rate, [(0, mwh)])
    assert receipt.total_minor(periods, 50, 2) == total
    assert receipt.lines_minor({"periods": periods, "session_fee_minor": fee}) == total


def test_another_rate_prices_the_same_energy() -> None:
    dearer = {"periods": [[0, 2_000_000, 0, "flat"]]}
    assert receipt.repriced([[0, 1, 1, "flat", 10**6, 0, 0]], dearer) == [
        [0, 2_000_000, 0, "flat", 10**6, 0, 0]
    ]


def test_amounts_are_written_as_people_write_them() -> None:
    assert [screen.money(5, 2), screen.money(660, 2), screen.money(12, 0), screen.money(1, 3)] == [
        "0.05",
        "6.60",
        "12",
        "0.001",
    ]
    assert (screen.kwh(5_080_999), screen.unit_price(800_000), screen.unit_price(1_234_500)) == (
        "5.080",
        "0.80",
        "1.2345",
    )


@pytest.mark.long
def test_the_demo_of_updates_holds_what_it_tells(tmp_path: Path):
    argv = [sys.executable, "-m", "tools.demo", "update"]
    done = subprocess.run(argv, cwd=ROOT, env=environment(tmp_path), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    for said in (
        "release 2: Confirmed",
        "release 3: FellBack (ValueError)",
        "release 4: Refused (BadSignature)",
    ):
        assert said in done.stdout
    assert done.stdout.splitlines()[-1].startswith("DEMO OK release 2 confirmed")


@pytest.mark.long
def test_the_demo_of_an_e_bike_holds_what_it_tells(tmp_path: Path):
    argv = [sys.executable, "-m", "tools.demo", "ebike"]
    done = subprocess.run(argv, cwd=ROOT, env=environment(tmp_path), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "DEMO OK e-bike: 1.00 and 0.50 CNY"
