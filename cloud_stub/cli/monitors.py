"""The commands `monitor ...`: read-only MQTT logins."""

import argparse
import re

from ..base.clock import now_s
from ..base.problems import invalid
from ..piles import monitors
from ..piles.credentials import admit_monitor, revoke
from ..settings import Settings
from .tools import Commands, actor, print_all, print_json, subject, writing


def add(commands: Commands) -> None:
    monitor = subject(commands, "monitor", "read-only MQTT logins, for programs that watch the piles")
    for name, command, help in (
        ("add", _add, "make a login that reads and writes nothing; prints its password"),
        ("remove", _remove, "remove a login, which ends its connections"),
    ):
        parser = monitor.add_parser(name, help=help)
        parser.add_argument("name")
        parser.set_defaults(command=command)
    monitor.add_parser("list", help="the logins, one JSON object a line").set_defaults(command=_list)


def _add(settings: Settings, options: argparse.Namespace) -> int:
    if not re.fullmatch(monitors.NAME, options.name):
        raise invalid(("name", "must have 1 to 24 small letters, digits, - and _"))
    with writing(settings) as tx:
        made = monitors.add(tx, actor(), options.name, now_s())
        # If this fails, nothing is stored.
        admit_monitor(settings, monitors.lines(tx.conn)[made["username"]])
    print_json(made)
    return 0


def _remove(settings: Settings, options: argparse.Namespace) -> int:
    with writing(settings) as tx:
        monitors.remove(tx, actor(), options.name, now_s())
    revoke(settings, monitors.PREFIX + options.name)
    print_json({"username": monitors.PREFIX + options.name})
    return 0


def _list(settings: Settings, _: argparse.Namespace) -> int:
    return print_all(settings, lambda conn: monitors.list_views(conn))
