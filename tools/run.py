"""`make run`: broker, cloud and one simulated pile, until Ctrl-C.

RATELOCK_DATA, RATELOCK_HTTP_PORT, RATELOCK_MQTT_PORT and RATELOCK_OPERATOR_TOKEN override the defaults; the
cloud has its other settings from the environment too (docs/operation.md). For piles and phones of the
network: RATELOCK_LISTEN, where HTTP and mqtts (RATELOCK_MQTTS_PORT) listen.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from tools import certs, mosquitto
from tools.api_client import ApiError
from tools.broker import port_setting
from tools.processes import ProcessError, exit_on_signals
from tools.system import DEMO_RATE, PileIdentity, System

DEVICE_ID = "PILE-1"
CONNECTORS = 2
WATCH_INTERVAL_S = 0.5


class RunError(Exception):
    """A setting that cannot be used, told to the person at the terminal."""


def simulated_pile(system: System) -> PileIdentity:
    """PILE-1 and its key, kept in the data folder over restarts; registered, with a rate, where it is new."""
    kept = system.data / "piles" / f"{DEVICE_ID}.json"
    if system.phone.get(f"/api/piles/{DEVICE_ID}").status == 404:
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


def tell(system: System) -> None:
    """Where everything is."""
    token_place = "RATELOCK_OPERATOR_TOKEN" if os.environ.get("RATELOCK_OPERATOR_TOKEN") else "operator.token"
    rows = (
        ("phone page", f"{system.base_url}/p/{DEVICE_ID}"),
        ("console", f"{system.base_url}/console    (token: {token_place})"),
        ("API docs", f"{system.base_url}/docs"),
        ("MQTT", system.broker.url),
        *([("for piles", system.broker.tls_url)] if system.broker.tls_port else []),
        ("data, logs", str(system.data)),
    )
    for name, place in rows:
        print(f"  {name:<11} {place}")
    print("Ctrl-C ends everything.", flush=True)


def tls_port() -> int | None:
    """Where piles of the network connect; None where nobody asked for that."""
    wanted = os.environ.get("RATELOCK_LISTEN") or os.environ.get("RATELOCK_MQTTS_PORT")
    return port_setting("RATELOCK_MQTTS_PORT", 8883) if wanted else None


def main() -> int:
    exit_on_signals()
    try:
        with System(
            Path(os.environ.get("RATELOCK_DATA") or ".ratelock"),
            http_port=port_setting("RATELOCK_HTTP_PORT", 8080),
            mqtt_port=port_setting("RATELOCK_MQTT_PORT", 1883),
            operator_token=os.environ.get("RATELOCK_OPERATOR_TOKEN") or None,
            env={"RATELOCK_HTTP_HOST": mosquitto.network_address()},
            tls_port=tls_port(),
            listen=mosquitto.network_address(),
            inherit=True,
        ) as system:
            pile = system.start_pile(simulated_pile(system))
            tell(system)
            while True:
                system.check_alive()
                pile.check_alive()
                time.sleep(WATCH_INTERVAL_S)
    except (RunError, ApiError, ProcessError, mosquitto.NoBroker, certs.CertsError, OSError) as error:
        print(f"run: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nrun: everything has ended")
        return 0


if __name__ == "__main__":
    sys.exit(main())
