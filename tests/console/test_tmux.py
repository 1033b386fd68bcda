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

import psutil
import pytest

from pile_protocol import topics
from tests.console import kit
from tools import ROOT
from tools.harness.broker import Broker
from tools.harness.tap import Tap

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

    def child(self) -> psutil.Process:
        """What the shell of the window runs."""
        shell = psutil.Process(int(self._tmux("list-panes", "-F", "#{pane_pid}")))
        [child] = shell.children()
        return child

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


def command(data: Path, port: int) -> str:
    """Starts the console; what stands there afterwards tells its exit code, and who has the terminal."""
    env = ["env", "-u", "COLUMNS", "-u", "LINES", "LC_ALL=C.UTF-8"]
    env += [f"RATELOCK_DATA={data}", f"RATELOCK_MQTT_PORT={port}"]
    console = [sys.executable, str(ROOT / "tools" / "console")]
    return f"{shlex.join([*env, *console])}; echo left with $?; exec cat"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path / "the data") as broker:
        yield broker


def test_the_screen_shows_a_pile_survives_its_broker_and_gives_the_terminal_back(
    broker: Broker, tmp_path: Path
) -> None:
    terminal = Terminal(command(broker.folder.parent, broker.port))
    tap = Tap(broker)
    try:
        terminal.wait_for(lambda text: f"● {broker.url}" in text and "Messages" in text)
        for name in (topics.RATE, topics.STATUS, topics.ORDER, topics.METER):
            tap.publish(kit.DEVICE, name, kit.payload(name))
        words = (
            "Piles",
            "PILE-1",
            "1 online",
            "1 charging",
            "1.98 CNY",
            "18.02 CNY left",
            "? o-1  conn",
            "q Quit",
        )
        terminal.wait_for(lambda text: all(word in text for word in words))
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


def test_a_console_that_is_told_to_end_gives_the_terminal_back(tmp_path: Path) -> None:
    terminal = Terminal(command(tmp_path, 1))
    try:
        terminal.wait_for(lambda text: "no connection: " in text and "Messages" in text)
        terminal.child().terminate()
        terminal.wait_for(lambda text: "left with 143" in text and "Messages" not in text)
    finally:
        terminal.close()


def test_a_console_whose_terminal_is_closed_ends(tmp_path: Path) -> None:
    """It had lingered: the thread that draws had gone with the terminal, and everything waited for it."""
    terminal = Terminal(command(tmp_path, 1))
    try:
        terminal.wait_for(lambda text: "no connection: " in text and "Messages" in text)
        console = terminal.child()
    finally:
        terminal.close()
    console.wait(TIMEOUT_S)
