#!/usr/bin/env python3
"""One simulated pile: the firmware under MicroPython's unix port, with boards/sim as its board.

It runs the files that `make deploy` would write (tools/image), at once; with --slots they lie in a slot, and
the launcher starts them, so that the pile can be updated. RATELOCK_PILE_FORM=sources takes the modules as
they are in firmware/, so that a traceback has their lines.

JSON lines on stdin change its world ({"plug": false}, {"power_w": 0}, {"estop": true}, {"weld": true},
{"meter": false}, ... each with "connector": n where it is not the first); JSON lines on stdout tell what the
hardware did ("relay closed", "relay opened", "register", "log"), with "at_us", Unix time in microseconds.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import string
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

from tools.image import BuildError, cache, files, slot

# Kinds of meter, as settings of boards/sim: pulses; a bus; past 32,768 kWh, with a memory; a metering chip.
METERS: tuple[dict[str, int], ...] = (
    {},
    {"refresh_ms": 300, "interval_ms": 400, "step_mwh": 1_000},
    {"refresh_ms": 500, "interval_ms": 300, "step_mwh": 3_907, "remembers": True},
    {"interval_ms": 500, "step_mwh": 1},
)
ROOT = Path(__file__).resolve().parent.parent.parent
KEY_VARIABLE = "RATELOCK_DEVICE_KEY"
FORM_VARIABLE = "RATELOCK_PILE_FORM"
BOARD = "sim"
CHIP = ROOT / "boards" / BOARD / "chip.py"


def interpreter() -> list[str]:
    """The MicroPython to run: $MICROPYTHON, else the one beside this Python, else the one on the PATH.

    The variable is a program's path, or a command with arguments as a shell would read it.
    """
    named = os.environ.get("MICROPYTHON")
    if named:
        return [os.path.abspath(named)] if os.path.isfile(named) else shlex.split(named)
    beside = Path(sys.executable).with_name("micropython")
    found = str(beside) if beside.exists() else shutil.which("micropython")
    if not found:
        raise SystemExit("sim_pile: no MicroPython found; run `make setup`, or name one in MICROPYTHON")
    return [found]


def lag_ms(meter: dict[str, int]) -> int:
    """How old what such a meter shows may be."""
    return meter.get("refresh_ms", 0) + meter.get("interval_ms", 0)


def write_settings(data: Path, config: dict[str, object], sim: dict[str, object]) -> None:
    """Writes what the firmware finds on its file system; config.json, with the key, for its owner alone."""
    data.mkdir(parents=True, exist_ok=True)
    path = data / "config.json"
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
        json.dump(config, file)
    (data / "sim.json").write_text(json.dumps(sim))


def slot_content() -> dict[str, bytes]:
    """The files of a slot of the simulated board, as they are deployed. Raises BuildError."""
    built = cache.folder(BOARD, interpreter())
    return {
        path.relative_to(built).as_posix(): path.read_bytes()
        for path in sorted(built.rglob("*"))
        if path.is_file() and path.name not in files.ROOT_FILES
    }


def write_slot(data: Path, release: int, release_key: str | None) -> None:
    """Makes `data` a deployed pile with `release` in slot a, unless it is one already. Raises BuildError."""
    if (data / slot.STATE).exists():
        return
    files.write(slot.pile(files.board_folder(BOARD), slot_content(), release), data)
    if release_key:
        (data / slot.RELEASE_KEY).write_text(release_key)


def environment() -> dict[str, str]:
    """The environment that makes MicroPython find the firmware's modules, with boards/sim as its board."""
    path = ":".join([str(CHIP.parent), str(ROOT / "firmware"), ".frozen"])
    return {**os.environ, "MICROPYPATH": path}


def deployed_environment() -> dict[str, str]:
    """The same with the firmware as deployed, unless FORM_VARIABLE says otherwise. Raises SystemExit."""
    if os.environ.get(FORM_VARIABLE) == "sources":
        return environment()
    try:
        return {**os.environ, "MICROPYPATH": f"{cache.folder(BOARD, interpreter())}:.frozen"}
    except BuildError as error:
        raise SystemExit(f"sim_pile: {error}") from error


def command(slots: bool = False) -> list[str]:
    """Starts the firmware in MICROPYPATH; with slots, boot.py and main.py of the working folder. It starts
    again in the same process where it asks for a restart.
    """
    return [*interpreter(), str(CHIP), *([] if slots else [files.ENTRY])]


def read_key(argument: str | None) -> str:
    """The device key: 64 hex digits, @file, or the environment (a process list shows arguments)."""
    if argument is None:
        argument = os.environ.get(KEY_VARIABLE, "")
    if argument.startswith("@"):
        try:
            argument = Path(argument[1:]).read_text(encoding="ascii", errors="replace").strip()
        except OSError as error:
            raise SystemExit(f"sim_pile: the key's file {argument[1:]}: {error.strerror}") from error
    if len(argument) != 64 or set(argument) - set(string.hexdigits):
        raise SystemExit(f"sim_pile: --key (or {KEY_VARIABLE}) must be 64 hex digits, or @file")
    return argument


def whole(least: int, most: int) -> Callable[[str], int]:
    """For argparse: a whole number from least to most."""

    def read(text: str) -> int:
        value = int(text)
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"must be from {least} to {most}, not {text}")
        return value

    read.__name__ = "whole number"  # what argparse calls it where the text is none
    return read


def settings(text: str) -> dict[str, object]:
    """For argparse: a JSON object."""
    value = json.loads(text)
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError(f"must be a JSON object, not {text}")
    return value


def broker_place(url: str) -> tuple[str, str, int]:
    """(scheme, host, port) of the broker. Raises SystemExit."""
    try:
        parts = urlsplit(url)
        if parts.scheme in ("mqtt", "mqtts") and parts.hostname and parts.port:
            return parts.scheme, parts.hostname, parts.port
    except ValueError:  # a port that is none
        pass
    raise SystemExit(f"sim_pile: --mqtt must read mqtt://host:port or mqtts://host:port, not {url}")


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device-id", required=True)
    parser.add_argument("--key", help=f"64 hex digits, or @file; better in the environment as {KEY_VARIABLE}")
    parser.add_argument("--mqtt", required=True, help="mqtt://host:port, or mqtts://host:port with --ca")
    parser.add_argument("--ca", type=Path, help="the CA certificate that the broker's must be signed by")
    parser.add_argument("--data", type=Path, required=True, help="the pile's flash: survives a restart")
    parser.add_argument("--power-w", type=whole(0, 1_000_000), default=7000)
    parser.add_argument("--imp-per-kwh", type=whole(1, 100_000), default=3200)
    parser.add_argument(
        "--speed",
        type=whole(1, 1_000_000),
        default=1,
        help="the register runs this many times faster than the clock",
    )
    parser.add_argument("--connectors", type=whole(1, 8), default=1)
    parser.add_argument("--battery-wh", type=whole(1, 10_000_000), default=60_000)
    parser.add_argument("--full-after-s", type=int, default=180, help="low power for this long means full")
    parser.add_argument("--no-feedback", action="store_true", help="a relay without a feedback contact")
    parser.add_argument(
        "--world", action="store_true", help="the car and what it was given outlive a killed pile"
    )
    parser.add_argument(
        "--sim", type=settings, default={}, metavar="JSON", help="more settings of boards/sim/board.md"
    )
    parser.add_argument("--slots", action="store_true", help="through the launcher, in slot a to begin with")
    parser.add_argument("--release", type=whole(0, 2**31 - 1), default=1, help="of slot a, with --slots")
    parser.add_argument(
        "--release-key", type=Path, metavar="FILE", help="the public key of its updates, with --slots"
    )
    parser.add_argument("--keepalive-s", type=int, default=30)
    parser.add_argument("--backoff-max-ms", type=int, default=30_000)
    return parser.parse_args(arguments)


def start(options: argparse.Namespace) -> NoReturn:
    """Becomes the pile. Raises OSError."""
    scheme, host, port = broker_place(options.mqtt)
    key = read_key(options.key)
    broker: dict[str, object] = {
        "host": host,
        "port": port,
        "keepalive_s": options.keepalive_s,
        "backoff_max_ms": options.backoff_max_ms,
    }
    if scheme == "mqtts":
        if not options.ca:
            raise SystemExit("sim_pile: mqtts needs --ca")
        options.data.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copyfile(options.ca, options.data / "ca.pem")
        except OSError as error:
            raise SystemExit(f"sim_pile: --ca {options.ca}: {error.strerror}") from error
        broker["ca"] = "ca.pem"
    write_settings(
        options.data,
        {"device_id": options.device_id, "key": key, "broker": broker},
        {
            "connectors": options.connectors,
            "power_w": options.power_w,
            "imp_per_kwh": options.imp_per_kwh,
            "speed": options.speed,
            "battery_wh": options.battery_wh,
            "feedback": not options.no_feedback,
            "full_after_s": options.full_after_s,
            "world": "world.json" if options.world else "",
            **options.sim,
        },
    )
    if options.slots:
        try:
            write_slot(options.data, options.release, options.release_key and options.release_key.read_text())
        except BuildError as error:
            raise SystemExit(f"sim_pile: {error}") from error
    environ = deployed_environment()
    environ.pop(KEY_VARIABLE, None)
    argv = command(options.slots)
    os.chdir(options.data)
    os.execvpe(argv[0], argv, environ)  # this very process becomes the pile: one pid, one pair of pipes


def main() -> None:
    try:
        start(parse())
    except OSError as error:
        raise SystemExit(f"sim_pile: {error}") from error


if __name__ == "__main__":
    main()
