"""The commands `webhook ...`: where events are sent."""

import argparse
import re

from ..base.clock import now_s
from ..base.problems import invalid
from ..bridges.webhooks import channel, registry
from ..db.event_kinds import GROUPS
from ..settings import Settings
from .tools import Commands, actor, print_json, reading, subject, writing


def add(commands: Commands) -> None:
    webhook = subject(commands, "webhook", "addresses to which events are sent, as signed HTTP requests")
    new = webhook.add_parser("add", help="add one; prints its secret, once")
    new.add_argument("url", help="https://...")
    new.add_argument("--name", default="webhook", help="small letters, digits, - and _")
    kinds = f"groups of events ({', '.join(GROUPS)}) and kinds of events, such as OrderPaid"
    new.add_argument("--kinds", nargs="+", required=True, metavar="KIND", help=kinds)
    new.set_defaults(command=_add)
    webhook.add_parser("list", help="one JSON object a line").set_defaults(command=_list)
    for name, command, help in (
        ("show", _show, "one, with the events that have waited longest for it"),
        ("test", _test, "send it an event of kind Test; the exit code is 1 if it is not taken"),
        ("remove", _remove, "remove it, with what waits for it"),
        ("resend", _resend, "send what waits for it within a minute, also where it was disabled"),
    ):
        parser = webhook.add_parser(name, help=help)
        parser.add_argument("name")
        parser.set_defaults(command=command)


def _add(settings: Settings, options: argparse.Namespace) -> int:
    if not re.fullmatch(registry.NAME, options.name):
        raise invalid(("name", "must have 1 to 32 small letters, digits, - and _"))
    with writing(settings) as tx:
        private = settings.webhook_private
        made = registry.add(tx, actor(), options.name, options.url, options.kinds, private, now_s())
    print_json(made)
    return 0


def _list(settings: Settings, _: argparse.Namespace) -> int:
    with reading(settings) as conn:
        for each in registry.list_views(conn):
            print_json(each)
    return 0


def _show(settings: Settings, options: argparse.Namespace) -> int:
    with reading(settings) as conn:
        print_json(registry.show(conn, options.name))
    return 0


def _test(settings: Settings, options: argparse.Namespace) -> int:
    with reading(settings) as conn:
        row = registry.find(conn, options.name)
    answered = channel.send_test(settings, row)
    print_json(answered)
    return 0 if answered["taken"] else 1


def _remove(settings: Settings, options: argparse.Namespace) -> int:
    with writing(settings) as tx:
        registry.remove(tx, actor(), options.name, now_s())
    print_json({"name": options.name})
    return 0


def _resend(settings: Settings, options: argparse.Namespace) -> int:
    with writing(settings) as tx:
        print_json(registry.resend(tx, actor(), options.name, now_s()))
    return 0
