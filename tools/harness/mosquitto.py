"""The ways to run mosquitto 2, in this order: docker compose, an installed program, one fetched for us.

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
    """The address on which HTTP and MQTT over TLS listen. Plain MQTT listens on 127.0.0.1."""
    return os.environ.get("RATELOCK_LISTEN") or HOST


class NoBroker(Exception):
    """mosquitto cannot be run here; the text says what to install."""


class Native:
    """A mosquitto program, run in the broker's folder."""

    start_timeout_s = 20

    def __init__(self, program: str, env: dict[str, str] | None = None):
        self.program = program
        self.env = env or {}

    def listeners(self, port: int, tls_port: int, listen: str) -> tuple[str, str]:
        """The lines of mosquitto.conf for MQTT on 127.0.0.1, and for MQTT over TLS on `listen`."""
        return f"listener {port} {HOST}", f"listener {tls_port} {listen}"

    def plain_listener(self, port: int, listen: str) -> str:
        """The line of mosquitto.conf for MQTT without TLS on `listen`. Raises NoBroker."""
        return f"listener {port} {listen}"

    def command(
        self, folder: Path, port: int, tls_port: int, listen: str
    ) -> tuple[list[str], dict[str, str]]:
        """(the command, what it needs in its environment)."""
        return [self.program, "-c", "mosquitto.conf"], self.env

    def signal(self, folder: Path, child: Child, number: signal.Signals) -> None:
        child.signal(number)

    def clean_up(self, folder: Path) -> None:
        pass


class Docker(Native):
    """compose.yaml, in the foreground, as a project of its own for each data folder."""

    start_timeout_s = 180  # the image may have to be pulled first

    def __init__(self) -> None:
        super().__init__("docker")

    def listeners(self, port: int, tls_port: int, listen: str) -> tuple[str, str]:
        return "listener 1883", "listener 8883"  # inside the container; compose.yaml publishes them

    def plain_listener(self, port: int, listen: str) -> str:
        raise NoBroker(
            "the container has no listener without TLS for the network: set RATELOCK_BROKER=mosquitto"
        )

    def command(
        self, folder: Path, port: int, tls_port: int, listen: str
    ) -> tuple[list[str], dict[str, str]]:
        env = {
            "RATELOCK_BROKER_DIR": str(folder),
            "RATELOCK_MQTT_PORT": str(port),
            "RATELOCK_MQTTS_PORT": str(tls_port),
            "RATELOCK_LISTEN": listen,
            "RATELOCK_UID": str(os.getuid()),
            "RATELOCK_GID": str(os.getgid()),
        }
        return [*self._compose(folder), "up", "--no-log-prefix", "--force-recreate"], env

    def signal(self, folder: Path, child: Child, number: signal.Signals) -> None:
        self._call(folder, "kill", "-s", number.name, "broker")

    def clean_up(self, folder: Path) -> None:
        self._call(folder, "down", "--timeout", "5")

    def _compose(self, folder: Path) -> list[str]:
        project = "ratelock-" + hashlib.sha256(str(folder).encode()).hexdigest()[:12]
        return ["docker", "compose", "-p", project, "-f", str(ROOT / "compose.yaml")]

    def _call(self, folder: Path, *args: str) -> None:
        env = {**os.environ, **self.command(folder, 1883, 8883, HOST)[1]}
        argv = [*self._compose(folder), *args]
        subprocess.run(argv, env=env, stdin=subprocess.DEVNULL, capture_output=True)


def find(say: Callable[[str], None]) -> Native:
    """The first way that works here. `say` prints what is fetched or installed. Raises NoBroker."""
    wanted = os.environ.get("RATELOCK_BROKER", "")
    if wanted not in ("", "docker", "mosquitto"):
        raise NoBroker(f"RATELOCK_BROKER is docker or mosquitto, not {wanted}")
    if wanted != "mosquitto" and _docker_answers():
        return Docker()
    if wanted == "docker":
        raise NoBroker("RATELOCK_BROKER=docker, but no Docker engine with compose answers here")
    found = _on_this_machine() or _obtained(say)
    _check_version(found)
    return found


def _docker_answers() -> bool:
    if shutil.which("docker") is None:
        return False
    try:
        for argv in (["docker", "info"], ["docker", "compose", "version"]):
            subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return False
    return True


def _on_this_machine() -> Native | None:
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *PLACES])
    program = shutil.which("mosquitto", path=path)
    return Native(program) if program else None


def _obtained(say: Callable[[str], None]) -> Native:
    """Debian's package, unpacked into .venv; on macOS what brew installs. Raises NoBroker."""
    if not FETCHED.exists() and debian.available():
        say("no mosquitto here; fetching Debian's package into .venv (nothing is installed on the system)")
        try:
            debian.fetch("mosquitto", FETCHED)
        except (debian.FetchError, OSError) as error:
            raise NoBroker(f"{error}. {ADVICE}") from error
    elif not FETCHED.exists() and shutil.which("brew"):
        say("no mosquitto here; installing it with brew install mosquitto")
        if subprocess.run(["brew", "install", "mosquitto"], stdout=sys.stderr).returncode:
            raise NoBroker(f"brew could not install mosquitto. {ADVICE}")
    program = FETCHED / "usr" / "sbin" / "mosquitto"
    found = Native(str(program), debian.library_path(FETCHED)) if program.exists() else _on_this_machine()
    if found is None:
        raise NoBroker(f"There is no mosquitto on this machine. {ADVICE}")
    return found


def _check_version(found: Native) -> None:
    """Raises NoBroker where the program does not start, or is older than mosquitto 2."""
    env = {**os.environ, **found.env}
    try:
        done = subprocess.run(
            [found.program, "-h"], env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
    except OSError as error:
        raise NoBroker(f"{found.program} does not start: {error}. {ADVICE}") from error
    match = re.search(r"mosquitto version (\d+)", done.stdout + done.stderr)
    if match is None:
        raise NoBroker(f"{found.program} does not start: {done.stderr.strip()[-200:]}. {ADVICE}")
    if int(match[1]) < 2:
        raise NoBroker(f"{found.program} is not mosquitto 2. {ADVICE}")
