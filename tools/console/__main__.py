#!/usr/bin/env python3
"""Watches piles over MQTT: a live table, each pile in detail, every message. Needs nothing but the broker.

  make console                                    the broker of `make run`
  python -m tools.console --mqtt mqtt://host:1883       any other, as it is in the field
  python -m tools.console --plain | grep settlement     a line a message
  python -m tools.console --record morning.jsonl        keep a capture; --replay plays it again

Without a terminal on stdout it is --plain. Keys in the full screen: press ?.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

if __package__ in (None, ""):  # started as a file
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))
    importlib.import_module("tools")  # puts the firmware's folder on the path

from cloud_stub.base.os_errors import in_words
from pile_protocol import topics
from tools.console import keys
from tools.console.capture import Recorder
from tools.console.errors import ConsoleError
from tools.console.event_queue import EventQueue
from tools.console.line_mode import LineMode, leave_broken_pipe
from tools.console.mqtt_source import Address, Live
from tools.console.replay import Replay
from tools.harness.processes import exit_on_signals

PASSWORD_VARIABLE = "RATELOCK_MQTT_PASSWORD"
PORTS = {"mqtt": 1883, "mqtts": 8883}


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="console", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    where = parser.add_argument_group("where messages come from")
    where.add_argument("--mqtt", metavar="URL", help="mqtt://host[:port] or mqtts://host[:port]")
    where.add_argument("--ca", type=Path, help="the CA behind the broker's certificate (else the system's)")
    where.add_argument("--username", help="(default: nobody; for the broker of `make run`: cloud)")
    where.add_argument("--password-file", type=Path, help=f"the password's file, else ${PASSWORD_VARIABLE}")
    where.add_argument("--topic", action="append", metavar="FILTER", help=f"(default: {topics.PREFIX}#)")
    where.add_argument("--replay", type=Path, metavar="FILE", help="a capture, at the pace it was recorded")
    where.add_argument("--fast", action="store_true", help="replay without waiting")
    how = parser.add_argument_group("what happens to them")
    how.add_argument("--plain", action="store_true", help="print a line a message")
    how.add_argument("--json", action="store_true", help="print a JSON object a message")
    how.add_argument("--count", type=int, metavar="N", help="end after N messages (--plain, --json)")
    how.add_argument("--record", type=Path, metavar="FILE", help="keep a capture in a new file")
    how.add_argument("--keys", type=Path, metavar="FILE", help='device keys, {"PILE-1": "64 hex digits"}')
    options = parser.parse_args(arguments)
    if options.plain and options.json:
        parser.error("--plain or --json, not both")
    if options.replay and options.mqtt:
        parser.error("--replay or --mqtt, not both")
    if options.fast and not options.replay:
        parser.error("--fast goes with --replay")
    if options.count is not None and options.count < 1:
        parser.error("--count must be at least 1")
    return options


def address(options: argparse.Namespace) -> Address:
    """The broker to watch. Raises ConsoleError."""
    data = Path(os.environ.get("RATELOCK_DATA") or ".ratelock")
    username, password = options.username, os.environ.get(PASSWORD_VARIABLE) or None
    if options.password_file:
        password = _read_secret(options.password_file)
    if options.mqtt is None:
        host = os.environ.get("RATELOCK_MQTT_HOST") or "127.0.0.1"
        url = f"mqtt://{host}:{os.environ.get('RATELOCK_MQTT_PORT') or '1883'}"
        own = data / "broker" / "cloud.password"
        # Only here: the cloud's password is not sent to a broker named on the command line.
        if username is None and password is None and own.exists():
            username, password = "cloud", _read_secret(own)
    else:
        url = options.mqtt
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = 0
    if parts.scheme not in PORTS or not parts.hostname or port == 0:
        raise ConsoleError(f"{url} is not mqtt://host:port or mqtts://host:port")
    if parts.password is not None:
        raise ConsoleError(f"a password in the address is there for all to read: use ${PASSWORD_VARIABLE}")
    username = username or parts.username
    if password is not None and username is None:
        raise ConsoleError("a password needs a --username")
    tls = parts.scheme == "mqtts"
    if options.ca and not tls:
        raise ConsoleError("--ca goes with mqtts://")
    return Address(parts.hostname, port or PORTS[parts.scheme], tls, options.ca, username, password)


def _read_secret(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConsoleError(f"{path} cannot be read: {in_words(error)}") from error


def device_keys(options: argparse.Namespace) -> keys.Keys:
    """Raises KeysError."""
    if options.keys:
        return keys.from_file(options.keys)
    if os.environ.get("RATELOCK_DATA") or os.environ.get("DATABASE_URL") or Path(".ratelock").is_dir():
        return keys.from_database()
    return keys.none()


def run(options: argparse.Namespace) -> int:
    """Raises ConsoleError."""
    event_queue = EventQueue()
    at_hand = device_keys(options)
    if options.replay:
        source: Live | Replay = Replay(options.replay, options.fast, event_queue)
    else:
        source = Live(address(options), options.topic or [topics.PREFIX + "#"], event_queue)
    recorder = Recorder(options.record) if options.record else None
    source.start()
    try:
        # The full screen reads keys from stdin and is drawn on stderr.
        on_terminal = all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))
        if options.plain or options.json or options.count or not on_terminal:
            # A character that the locale does not have is printed as an escape.
            sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
            return LineMode(source, event_queue, at_hand, options.json, sys.stdout).run(
                recorder, options.count
            )
        # Imported only here, because --plain starts faster without it.
        from tools.console.app import ConsoleApp

        app = ConsoleApp(source, event_queue, at_hand, recorder)
        app.run()
        return app.return_code or 0
    finally:
        source.stop()
        if recorder:
            recorder.close()


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    exit_on_signals()
    try:
        return run(options)
    except ConsoleError as error:
        print(f"console: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # `| head` has seen enough
        leave_broken_pipe()
        return 0
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
