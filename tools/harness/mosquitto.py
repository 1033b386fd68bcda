"""The ways to run mosquitto 2, in this order: docker compose, a program found, one fetched or installed.

RATELOCK_BROKER=docker or RATELOCK_BROKER=mosquitto keeps to one of them.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tools import ROOT
from tools.harness import debian
from tools.harness.processes import HOST, Child

PLACES = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin", "/usr/local/opt/mosquitto/sbin")
FETCHED = ROOT / ".venv" / "mosquitto"
ADVICE = (
    "Install mosquitto 2 (Debian, Ubuntu: apt-get install mosquitto; macOS: brew install mosquitto)"
    " or Docker."
)


def network_address() -> str:
    """Where phones and piles of the network may connect, by HTTP and mqtts; plain MQTT stays here."""
    return os.environ.get("RATELOCK_LISTEN") or HOST


class NoBroker(Exception):
    """There is no way to run mosquitto here; the text says what to install."""


class Native:
    """A mosquitto program, run in the broker's folder."""

    def __init__(self, program: str, libraries: tuple[Path, ...] = ()):
        self.program = program
        self.env = {}
        if libraries:
            self.env["LD_LIBRARY_PATH"] = os.pathsep.join(str(folder) for folder in libraries)
        self.start_timeout_s = 20

    def listener(self, port: int) -> str:
        return f"listener {port} {HOST}"

    def tls_listener(self, port: int, listen: str) -> str:
        return f"listener {port} {listen}"

    def argv(self, folder: Path, port: int) -> list[str]:
        return [self.program, "-c", "mosquitto.conf"]

    def environment(
        self, folder: Path, port: int, tls_port: int | None = None, listen: str = HOST
    ) -> dict[str, str]:
        return self.env

    def signal(self, folder: Path, child: Child, number: signal.Signals) -> None:
        child.signal(number)

    def clean_up(self, folder: Path) -> None:
        pass


class Docker:
    """compose.yaml, in the foreground, as a project of its own for each data folder."""

    start_timeout_s = 180  # the image may have to be pulled first

    def listener(self, port: int) -> str:
        return "listener 1883"  # inside the container; compose.yaml publishes it on 127.0.0.1 alone

    def tls_listener(self, port: int, listen: str) -> str:
        return "listener 8883"  # compose.yaml publishes it on `listen`

    def argv(self, folder: Path, port: int) -> list[str]:
        return [*self._compose(folder), "up", "--no-log-prefix", "--force-recreate"]

    def environment(
        self, folder: Path, port: int, tls_port: int | None = None, listen: str = HOST
    ) -> dict[str, str]:
        return {
            "RATELOCK_BROKER_DIR": str(folder),
            "RATELOCK_MQTT_PORT": str(port),
            "RATELOCK_MQTTS_PORT": str(tls_port or 8883),
            "RATELOCK_LISTEN": listen,
            "RATELOCK_UID": str(os.getuid()),
            "RATELOCK_GID": str(os.getgid()),
        }

    def signal(self, folder: Path, child: Child, number: signal.Signals) -> None:
        self._call(folder, "kill", "-s", number.name, "broker")

    def clean_up(self, folder: Path) -> None:
        self._call(folder, "down", "--timeout", "5")

    def _compose(self, folder: Path) -> list[str]:
        project = "ratelock-" + hashlib.sha256(str(folder).encode()).hexdigest()[:12]
        return ["docker", "compose", "-p", project, "-f", str(ROOT / "compose.yaml")]

    def _call(self, folder: Path, *args: str) -> None:
        env = {**os.environ, **self.environment(folder, 1883)}
        subprocess.run(
            [*self._compose(folder), *args], env=env, stdin=subprocess.DEVNULL, capture_output=True
        )


def find(say: Callable[[str], None]) -> Native | Docker:
    """The first way that works on this machine; `say` tells what is fetched or installed. Raises NoBroker."""
    wanted = os.environ.get("RATELOCK_BROKER", "")
    if wanted not in ("", "docker", "mosquitto"):
        raise NoBroker(f"RATELOCK_BROKER is docker or mosquitto, not {wanted}")
    if wanted != "mosquitto" and _docker_answers():
        return Docker()
    if wanted == "docker":
        raise NoBroker("RATELOCK_BROKER=docker, but no Docker engine with compose answers here")
    found = _on_this_machine() or _fetched() or _obtained(say)
    version = _version(found)
    if version < (2, 0):
        raise NoBroker(f"{found.program} is no mosquitto 2. {ADVICE}")
    return found


def _docker_answers() -> bool:
    if shutil.which("docker") is None:
        return False
    for argv in (["docker", "info"], ["docker", "compose", "version"]):
        try:
            done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=10)
        except (OSError, subprocess.TimeoutExpired):
            return False
        if done.returncode:
            return False
    return True


def _on_this_machine() -> Native | None:
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *PLACES])
    program = shutil.which("mosquitto", path=path)
    return Native(program) if program else None


def _fetched() -> Native | None:
    program = FETCHED / "usr" / "sbin" / "mosquitto"
    if not program.exists():
        return None
    return Native(str(program), tuple(sorted({library.parent for library in FETCHED.rglob("lib*.so.*")})))


def _obtained(say: Callable[[str], None]) -> Native:
    """Fetched beside us with apt-get, which needs no root and starts no service; else installed."""
    if debian.available():
        try:
            say(
                "no mosquitto here; fetching Debian's package into .venv (nothing is installed on the system)"
            )
            part = FETCHED.with_name(f"mosquitto.{os.getpid()}")
            try:
                debian.fetch("mosquitto", part)
                if not FETCHED.exists():
                    part.rename(FETCHED)
            finally:
                shutil.rmtree(part, ignore_errors=True)
        except (debian.FetchError, OSError) as error:
            say(str(error))
            try:
                debian.install("mosquitto", say)
            except debian.FetchError as second:
                raise NoBroker(f"{second}. {ADVICE}") from second
    elif shutil.which("brew"):
        say("no mosquitto here; installing it with brew install mosquitto")
        if subprocess.run(["brew", "install", "mosquitto"], stdout=sys.stderr).returncode:
            raise NoBroker(f"brew could not install mosquitto. {ADVICE}")
    found = _on_this_machine() or _fetched()
    if found is None:
        raise NoBroker(f"There is no mosquitto on this machine. {ADVICE}")
    return found


def _version(way: Native) -> tuple[int, int]:
    try:
        done = subprocess.run(
            [way.program, "-h"],
            env={**os.environ, **way.env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
    except OSError as error:
        raise NoBroker(f"{way.program} does not start: {error}. {ADVICE}") from error
    match = re.search(r"mosquitto version (\d+)\.(\d+)", done.stdout + done.stderr)
    if match is None:
        raise NoBroker(f"{way.program} does not start: {done.stderr.strip()[-200:]}. {ADVICE}")
    return int(match[1]), int(match[2])
