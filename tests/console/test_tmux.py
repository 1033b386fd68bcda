"""The full screen in a real terminal: started, looked at, used and left."""

from __future__ import annotations

import secrets
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pile_protocol import topics
from tests.console import kit
from tools import ROOT
from tools.broker import Broker
from tools.tap import Tap

TIMEOUT_S = 60

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")


class Terminal:
    """One tmux server with one window, 150 x 44."""

    def __init__(self, command: str):
        self._base = ["tmux", "-L", "ratelock-" + secrets.token_hex(6), "-f", "/dev/null"]
        self._tmux("new-session", "-d", "-x", "150", "-y", "44", "sh", "-c", command)

    def _tmux(self, *arguments: str) -> str:
        done = subprocess.run([*self._base, *arguments], capture_output=True, text=True, timeout=TIMEOUT_S)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def text(self) -> str:
        return self._tmux("capture-pane", "-p")

    def press(self, *keys: str) -> None:
        self._tmux("send-keys", *keys)

    def wait_for(self, holds: Callable[[str], bool]) -> str:
        deadline = time.monotonic() + TIMEOUT_S
        while not holds(text := self.text()):
            assert time.monotonic() < deadline, text
            time.sleep(0.05)
        return text

    def close(self) -> None:
        subprocess.run([*self._base, "kill-server"], capture_output=True, timeout=TIMEOUT_S)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path / "the data") as broker:
        yield broker


def test_the_screen_shows_a_pile_survives_its_broker_and_gives_the_terminal_back(
    broker: Broker, tmp_path: Path
) -> None:
    console = [sys.executable, str(ROOT / "tools" / "console.py")]
    env = [
        *("env", "-u", "COLUMNS", "-u", "LINES"),
        "LC_ALL=C.UTF-8",
        f"RATELOCK_DATA={broker.folder.parent}",
        f"RATELOCK_MQTT_PORT={broker.port}",
    ]
    # What stands on the screen afterwards tells the exit code, and that the shell has its terminal back.
    terminal = Terminal(f"{shlex.join([*env, *console])}; echo left with $?; exec cat")
    tap = Tap(broker)
    try:
        terminal.wait_for(lambda text: f"● {broker.url}" in text and "Messages" in text)
        for name in (topics.RATE, topics.STATUS, topics.ORDER, topics.METER):
            tap.publish(kit.DEVICE, name, kit.payload(name))
        text = terminal.wait_for(lambda text: "1.98 CNY" in text and "Connector 1" in text)
        for words in (
            "Piles",
            "PILE-1",
            "1 online",
            "1 charging",
            "18.02 CNY left",
            "? o-1  connector 1",
            "q Quit",
        ):
            assert words in text, f"{words!r} is not in\n{text}"
        terminal.press("f")
        terminal.wait_for(lambda text: "Topic: any part of it" in text)
        terminal.press("meter", "Enter")
        terminal.wait_for(lambda text: "topic meter" in text and "2 of the last" in text)
        tap.close()
        broker.kill()
        terminal.wait_for(lambda text: f"○ {broker.url}" in text and "connection lost" in text)
        broker.start()
        terminal.wait_for(lambda text: f"● {broker.url}" in text and "1 broker losses" in text)
        terminal.press("q")
        terminal.wait_for(lambda text: "left with 0" in text and "Piles" not in text)
    finally:
        tap.close()
        terminal.close()
