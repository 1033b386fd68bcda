"""Broker and cloud for the piles and phones of a network, until Ctrl-C.

    make site NAMES="192.0.2.7 pile.example.org"

NAMES are the names and addresses by which piles and phones know this machine. The first start makes the CA
and a certificate for them; later ones need no NAMES. Both listeners of the network are encrypted: pages and
API over HTTPS, piles over MQTT with TLS. --cert and --key name a certificate that browsers know, for HTTPS;
without them HTTPS has the broker's, and a browser warns unless the CA is installed on it.

TLS does not fit a classic ESP32 without PSRAM (docs/hardware.md, "Heap"). For such piles, in a network that
nobody else can enter, --plain-mqtt PORT listens without TLS too; `make provision` then needs --unencrypted.

RATELOCK_DATA, RATELOCK_HTTP_PORT (8443), RATELOCK_MQTTS_PORT (8883), RATELOCK_LISTEN (0.0.0.0) and
RATELOCK_PUBLIC_URL override the defaults.
"""

from __future__ import annotations

import argparse
import os
import re
import secrets
import subprocess
import sys
import time
from pathlib import Path

from cloud_stub.base.os_errors import in_words
from tools import ROOT
from tools.harness import certs, mosquitto
from tools.harness.api_client import ApiError
from tools.harness.broker import port_number, port_setting
from tools.harness.processes import ProcessError, exit_on_signals
from tools.harness.system import System
from tools.image import BuildError

OWNER = "owner"
PASSWORD_BYTES = 12
EVERY_ADDRESS = "0.0.0.0"
HTTPS_PORT = 8443
MQTTS_PORT = 8883
WATCH_INTERVAL_S = 0.5


class SiteError(Exception):
    """The text says what is missing and how to give it."""


def certificate(folder: Path, names: list[str]) -> list[str]:
    """Makes what is missing in `folder`, a new server certificate where `names` are others than it has.

    Returns its names, without those of this machine alone. All addresses have
    the first one. Raises SiteError, certs.CertsError.
    """
    present = [name for name in certs.names_of(folder / "server.pem") if name not in certs.LOCAL_NAMES]
    if not names and not present:
        raise SiteError(
            'say how piles and phones know this machine: make site NAMES="192.0.2.7 pile.example.org"'
        )
    wanted = names or present
    if not re.fullmatch(r"[^:*]+", wanted[0]):
        raise SiteError(f"{wanted[0]} leads no pile here: begin with a host name or an IPv4 address")
    if wanted != present:
        certs.Ca(folder).issue("server", (*wanted, *certs.LOCAL_NAMES))
    certs.ensure(folder, (*wanted, *certs.LOCAL_NAMES))
    return wanted


def cloud_environment(
    folder: Path, public_url: str, broker: str, options: argparse.Namespace
) -> dict[str, str]:
    """What makes the cloud answer over HTTPS on the network. Raises SiteError."""
    if bool(options.cert) != bool(options.key):
        raise SiteError("--cert and --key belong together: the certificate with its chain, and its key")
    for path in (options.cert, options.key):
        if path and not path.is_file():
            raise SiteError(f"there is no file {path}")
    return {
        "RATELOCK_HTTP_HOST": listen_address(),
        "RATELOCK_HTTP_CERT": str((options.cert or folder / "server.pem").resolve()),
        "RATELOCK_HTTP_KEY": str((options.key or folder / "server.key").resolve()),
        "RATELOCK_PAYMENT": os.environ.get("RATELOCK_PAYMENT") or "test",
        "RATELOCK_PUBLIC_URL": public_url,
        "RATELOCK_PILES_BROKER": broker,
        "RATELOCK_PILES_CA": str((folder / "ca.pem").resolve()),
    }


def first_operator(data: Path) -> str | None:
    """The password of the account OWNER, which is made if there is no account yet; None if there is one.

    Raises SiteError.
    """
    if _cloud(data, "user", "list").strip():
        return None
    password = secrets.token_urlsafe(PASSWORD_BYTES)
    _cloud(data, "user", "add", OWNER, "--role", "owner", "--password-stdin", typed=password + "\n")
    return password


def _cloud(data: Path, *words: str, typed: str = "") -> str:
    """What a command of the cloud prints. Raises SiteError."""
    done = subprocess.run(
        [sys.executable, "-m", "cloud_stub", *words],
        input=typed,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "RATELOCK_DATA": str(data.resolve())},
    )
    if done.returncode:
        raise SiteError(done.stderr.strip())
    return done.stdout


def listen_address() -> str:
    return os.environ.get("RATELOCK_LISTEN") or EVERY_ADDRESS


def print_addresses(system: System, public_url: str, name: str, browser_knows: bool) -> None:
    ca = os.path.relpath(system.broker.certs / "ca.pem")
    broker = f"{name}:{system.broker.tls_port}"
    rows = (
        ("console", f"{public_url}/console"),
        ("a new board", f"{public_url}/console/flash"),
        ("piles", f"mqtts://{broker}"),
        *([("and, plain", f"mqtt://{name}:{system.broker.plain_port}")] if system.broker.plain_port else []),
        ("CA", f"{ca} (onto every pile{'' if browser_knows else '; into the browsers of operators'})"),
        ("scripts", "operator.token in the data folder is the token that `make provision` asks for"),
        ("data, logs", str(system.data)),
    )
    for label, place in rows:
        print(f"  {label:<11} {place}")
    print("A pile on a cable, from this folder in another terminal:")
    print(_provision(broker, f"--ca {ca} --cloud {public_url}"))
    if system.broker.plain_port:
        print("A classic ESP32, which has no memory for TLS:")
        print(
            _provision(f"{name}:{system.broker.plain_port}", f"--unencrypted --ca {ca} --cloud {public_url}")
        )
    print("Ctrl-C ends everything.", flush=True)


def _provision(broker: str, more: str) -> str:
    return f'  make provision PORT=/dev/ttyUSB0 ARGS="--device-id PILE-1 --broker {broker} {more}"'


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python -m tools.site", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("names", nargs="*", metavar="NAME", help="how piles and phones know this machine")
    made.add_argument("--cert", type=Path, metavar="FILE", help="a certificate with its chain, for HTTPS")
    made.add_argument("--key", type=Path, metavar="FILE", help="its key")
    made.add_argument("--plain-mqtt", type=port_number, metavar="PORT", help="also MQTT without TLS")
    return made


def serve(options: argparse.Namespace) -> None:
    """Until Ctrl-C. Raises what the parts raise, and SiteError."""
    data = Path(os.environ.get("RATELOCK_DATA") or ".ratelock")
    http_port = port_setting("RATELOCK_HTTP_PORT", HTTPS_PORT)
    mqtts_port = port_setting("RATELOCK_MQTTS_PORT", MQTTS_PORT)
    names = certificate(data / "certs", options.names)
    if password := first_operator(data):
        print(f"  first operator  {OWNER}, password {password}")
        print(
            f"                  shown once; `python -m cloud_stub user password {OWNER}` sets another",
            flush=True,
        )
    public_url = os.environ.get("RATELOCK_PUBLIC_URL") or f"https://{names[0]}:{http_port}"
    with System(
        data,
        http_port=http_port,
        mqtt_port=port_setting("RATELOCK_MQTT_PORT", None),
        operator_token=os.environ.get("RATELOCK_OPERATOR_TOKEN") or None,
        env=cloud_environment(data / "certs", public_url, f"{names[0]}:{mqtts_port}", options),
        tls_port=mqtts_port,
        listen=listen_address(),
        inherit=True,
        simulated=False,
        plain_port=options.plain_mqtt,
    ) as system:
        system.make_board_packages()
        print_addresses(system, public_url, names[0], bool(options.cert))
        while True:
            system.check_alive()
            time.sleep(WATCH_INTERVAL_S)


def main() -> int:
    options = parser().parse_args()
    exit_on_signals()
    try:
        serve(options)
    except (
        SiteError,
        ApiError,
        ProcessError,
        mosquitto.NoBroker,
        certs.CertsError,
        BuildError,
        OSError,
    ) as error:
        print(f"site: {in_words(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nsite: everything has ended")
    return 0


if __name__ == "__main__":
    sys.exit(main())
