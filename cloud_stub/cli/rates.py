"""The command `rate set`: publish a pile's rate from a file."""

import argparse
from pathlib import Path

from ..base.clock import now_s
from ..messaging.outbox import Outbox
from ..rates import model, versions
from ..settings import Settings
from .tools import Commands, actor, print_json, read_json, subject, writing


def add(commands: Commands) -> None:
    rate = subject(commands, "rate", "rates of one pile alone")
    rate_set = rate.add_parser("set", help="publish a pile's new rate from a JSON file; prints it")
    rate_set.add_argument("device_id")
    rate_set.add_argument("file", type=Path)
    rate_set.add_argument("--yes", action="store_true", help="also with prices that look like a slip")
    rate_set.set_defaults(command=_rate_set)


def _rate_set(settings: Settings, options: argparse.Namespace) -> int:
    body = model.parse(read_json(options.file))
    with writing(settings) as tx:
        rate = versions.publish_for_pile(
            tx, actor(), Outbox(), options.device_id, body, now_s(), None, options.yes
        )
    print_json(rate)
    return 0
