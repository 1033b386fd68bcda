"""The command `home-assistant`: the bridge to a Home Assistant, a process of its own."""

import argparse
import re
import signal
import ssl
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ..base.log_lines import lines
from ..base.problems import invalid
from ..bridges.home_assistant.bridge import Bridge
from ..bridges.home_assistant.entities import Topics
from ..messaging.client import Client
from ..settings import Settings
from .tools import Commands, idle_cloud, print_json

PORTS = {"mqtt": 1883, "mqtts": 8883}
_TOPIC = r"[A-Za-z0-9_-]{1,32}"


def add(commands: Commands) -> None:
    parser = commands.add_parser("home-assistant", help="show the piles in a Home Assistant, over its broker")
    parser.add_argument(
        "--broker", required=True, metavar="mqtts://USER@HOST:PORT", help="the broker of Home Assistant"
    )
    parser.add_argument("--password-file", type=Path, help="else RATELOCK_HOME_ASSISTANT_PASSWORD")
    parser.add_argument("--ca", type=Path, help="the CA of the broker's certificate, in PEM")
    parser.add_argument(
        "--prefix", default="homeassistant", help="the discovery prefix set in Home Assistant"
    )
    parser.add_argument("--topic", default="ratelock", help="above all values; each cloud needs its own")
    parser.add_argument("--interval", type=int, default=5, metavar="SECONDS", help="between two rounds")
    parser.add_argument(
        "--out-of-service-switch",
        action="store_true",
        help="let Home Assistant take connectors out of service, and put those back",
    )
    parser.set_defaults(command=_run)


def _run(settings: Settings, options: argparse.Namespace) -> int:
    topics = _topics(options.prefix, options.topic)
    connect = _connection(settings, options)
    if not 1 <= options.interval <= 3600:
        raise invalid(("--interval", "must be 1 to 3600"))
    with idle_cloud(settings) as cloud:
        bridge = Bridge(
            cloud.store, cloud.context, topics, connect, options.interval, options.out_of_service_switch
        )
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: bridge.stop())
        lines.start(cloud.threads)
        print_json({"publishing": f"{topics.prefix}/device/{topics.base}_+/config"})
        has_ended_well = bridge.run()
    lines.stop()
    return 0 if has_ended_well else 1


def _topics(prefix: str, base: str) -> Topics:
    """Raises Problem (InvalidRequest)."""
    if not re.fullmatch(rf"{_TOPIC}(/{_TOPIC}){{0,4}}", prefix):
        raise invalid(("--prefix", "must be letters, digits, - and _, with / between levels"))
    if not re.fullmatch(_TOPIC, base):
        raise invalid(("--topic", "must be 1 to 32 letters, digits, - and _"))
    return Topics(prefix, base)


def _connection(settings: Settings, options: argparse.Namespace) -> Callable[[tuple[str, bytes]], Client]:
    """What connects with a given will. Raises Problem (InvalidRequest), OSError."""
    host, port, user, has_tls = _broker(options.broker)
    if options.ca is not None and not has_tls:
        raise invalid(("--ca", "needs a broker with mqtts://"))
    password = None
    if options.password_file is not None:
        password = options.password_file.read_text().strip()
    elif settings.home_assistant_password is not None:
        password = settings.home_assistant_password.get_secret_value()
    if user is not None and password is None:
        raise invalid(("--password-file", "or RATELOCK_HOME_ASSISTANT_PASSWORD must be there"))
    tls = ssl.create_default_context(cafile=options.ca) if has_tls else None
    # The broker ends an older connection with the same id: one bridge for each topic.
    client_id = f"ratelock-bridge-{options.topic}"
    return lambda will: Client(host, port, user, password, client_id, True, tls, will)


def _broker(address: str) -> tuple[str, int, str | None, bool]:
    """Host, port, user, and whether it is TLS. Raises Problem (InvalidRequest)."""
    wrong = invalid(("--broker", "must be mqtts://USER@HOST:PORT or mqtt://USER@HOST:PORT"))
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        raise wrong from None
    if parts.scheme not in PORTS or not parts.hostname or parts.path.strip("/") or parts.query:
        raise wrong
    if parts.password is not None:
        # Every user of this machine can see it there.
        raise invalid(("--broker", "must have no password; use RATELOCK_HOME_ASSISTANT_PASSWORD"))
    user = unquote(parts.username) if parts.username else None
    return parts.hostname, port or PORTS[parts.scheme], user, parts.scheme == "mqtts"
