"""`make run`: broker, cloud and one simulated pile, until Ctrl-C.

RATELOCK_DATA, RATELOCK_HTTP_PORT, RATELOCK_MQTT_PORT and RATELOCK_OPERATOR_TOKEN override the defaults; the
cloud has its other settings from the environment too (docs/operation.md). For piles and phones of the
network: RATELOCK_LISTEN, where HTTP and mqtts (RATELOCK_MQTTS_PORT) listen.

While it is up, run.json in the data folder tells other programs where (`announced`).
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from cloud_stub.base.os_errors import in_words
from tools import ROOT
from tools.harness import certs, mosquitto
from tools.harness.api_client import ApiError
from tools.harness.broker import port_setting
from tools.harness.processes import HOST, ProcessError, exit_on_signals
from tools.harness.system import DEMO_RATE, PileIdentity, System

DEVICE_ID = "PILE-1"
CONNECTORS = 2
WATCH_INTERVAL_S = 0.5
RUN_FILE = "run.json"
# If one of these is set, a run may serve other people than the one who started it.
SERVES_OTHERS = ("DATABASE_URL", "RATELOCK_LISTEN", "RATELOCK_PUBLIC_URL")


class RunError(Exception):
    """A setting that cannot be used. The text is for the person at the terminal."""


@dataclass(frozen=True)
class Run:
    """The content of run.json: where a run is, and what it runs."""

    pid: int
    http_port: int  # on 127.0.0.1, as is the next
    mqtt_port: int
    code: str  # code_mark() of what it runs
    serves_others: list[str]  # names of the settings by which it does


def data_folder() -> Path:
    return Path(os.environ.get("RATELOCK_DATA") or ".ratelock")


def code_mark() -> str:
    """Changes with any file of the cloud and of what it shares with the piles."""
    digest = hashlib.sha256()
    for folder in (ROOT / "cloud_stub", ROOT / "firmware" / "pile_protocol"):
        for file in sorted(folder.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(f"{file.relative_to(ROOT)}\0".encode() + file.read_bytes() + b"\0")
    return digest.hexdigest()


@contextmanager
def announced(system: System, code: str) -> Iterator[None]:
    """Writes run.json, which says where the system is, and locks it. A killed run leaves the file without a
    lock.
    """
    others = [name for name in SERVES_OTHERS if os.environ.get(name) not in (None, "", HOST)]
    run = Run(os.getpid(), system.http_port, system.broker.port, code, others)
    path = system.data / RUN_FILE
    with open(path, "a", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # a reader holds it only for a moment
        file.truncate(0)
        json.dump(asdict(run), file)
        file.flush()
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def running(data: Path) -> Run | None:
    """The run that is up over a data folder; None where none is."""
    try:
        with open(data / RUN_FILE) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return Run(**json.load(file))
            return None
    except (OSError, ValueError, TypeError):  # none there, one just being written, or one of other members
        return None


def simulated_pile(system: System) -> PileIdentity:
    """PILE-1 and its key, kept in the data folder over restarts; registered, with a rate, where it is new."""
    kept = system.data / "piles" / f"{DEVICE_ID}.json"
    known = system.phone.get(f"/api/piles/{DEVICE_ID}")
    if known.code == "PileRemoved":
        raise RunError(
            f"{DEVICE_ID} was removed, and its id is never used again: choose another RATELOCK_DATA"
        )
    if known.code == "UnknownPile":
        identity = system.add_pile(DEVICE_ID, CONNECTORS, "Simulated pile")
        kept.parent.mkdir(parents=True, exist_ok=True)
        with open(kept, "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            json.dump({"key": identity.key, "connectors": identity.connectors}, file)
    if system.phone.get(f"/api/piles/{DEVICE_ID}/rate").code == "NoRate":
        system.set_rate(DEVICE_ID, DEMO_RATE)
    try:
        stored = json.loads(kept.read_text())
        return PileIdentity(DEVICE_ID, stored["key"], stored["connectors"])
    except (OSError, ValueError, KeyError) as error:
        raise RunError(
            f"the cloud knows {DEVICE_ID}, but its key is not in {kept}: choose another RATELOCK_DATA"
        ) from error


def print_addresses(system: System) -> None:
    """Prints the addresses of pages, API and broker, and the folder of data and logs."""
    given = os.environ.get("RATELOCK_OPERATOR_TOKEN")
    token_place = "RATELOCK_OPERATOR_TOKEN" if given else "operator.token in the data folder"
    rows = (
        ("phone page", f"{system.base_url}/p/{DEVICE_ID}"),
        ("console", f"{system.base_url}/console    (token: {token_place})"),
        ("a new board", f"{system.base_url}/console/flash"),
        ("API docs", f"{system.base_url}/docs"),
        ("MQTT", system.broker.url),
        *([("for piles", system.broker.tls_url)] if system.broker.tls_port else []),
        ("data, logs", str(system.data)),
    )
    for name, place in rows:
        print(f"  {name:<11} {place}")
    print("Ctrl-C ends everything.", flush=True)


def tls_port() -> int | None:
    """The port at which piles of the network connect over TLS; None if no setting asks for it."""
    wanted = os.environ.get("RATELOCK_LISTEN") or os.environ.get("RATELOCK_MQTTS_PORT")
    return port_setting("RATELOCK_MQTTS_PORT", 8883) if wanted else None


def main() -> int:
    exit_on_signals()
    code = code_mark()
    try:
        with System(
            data_folder(),
            http_port=port_setting("RATELOCK_HTTP_PORT", 8080),
            mqtt_port=port_setting("RATELOCK_MQTT_PORT", 1883),
            operator_token=os.environ.get("RATELOCK_OPERATOR_TOKEN") or None,
            env={
                "RATELOCK_HTTP_HOST": mosquitto.network_address(),
                "RATELOCK_PAYMENT": os.environ.get("RATELOCK_PAYMENT") or "test",
            },
            tls_port=tls_port(),
            listen=mosquitto.network_address(),
            inherit=True,
        ) as system:
            system.make_board_packages()
            pile = system.start_pile(simulated_pile(system))
            with announced(system, code):
                print_addresses(system)
                while True:
                    system.check_alive()
                    pile.check_alive()
                    time.sleep(WATCH_INTERVAL_S)
    except (RunError, ApiError, ProcessError, mosquitto.NoBroker, certs.CertsError, OSError) as error:
        print(f"run: {in_words(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nrun: everything has ended")
        return 0


if __name__ == "__main__":
    sys.exit(main())
