"""`make demo` holds what it tells, and would notice if it did not."""

import contextlib
import re
import socket
import subprocess
import sys
import threading
import time

import pytest

from pile_protocol import pricing
from tools import ROOT
from tools.api_client import ApiError, Client, Event
from tools.demo import __main__ as demo
from tools.demo import receipt, screen, story
from tools.phone import PhoneOrder


@pytest.mark.system
def test_the_demo_ends_well_and_says_so_on_its_last_line() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools.demo"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    last = done.stdout.splitlines()[-1]
    assert re.fullmatch(r"DEMO OK order=\S+ energy_kwh=\d+\.\d{3} total=\d+\.\d\d CNY rate=\S+", last)
    assert "\x1b" not in done.stdout  # no colour where it is no terminal


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
    monkeypatch.setattr(demo, "System", broken)
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
