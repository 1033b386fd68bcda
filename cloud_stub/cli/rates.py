"""The command `rate set`: publish a pile's rate from a file."""

import argparse
import json
from pathlib import Path

from ..base.clock import now_s
from ..db.writer import Transaction
from ..messaging.outbox import put_row
from ..rates import model, versions
from ..settings import Settings
from .tools import Commands, actor, database, fail, print_json, subject


def add(commands: Commands) -> None:
    rate = subject(commands, "rate", "rates")
    rate_set = rate.add_parser("set", help="publish a pile's new rate from a JSON file; prints it")
    rate_set.add_argument("device_id")
    rate_set.add_argument("file", type=Path)
    rate_set.set_defaults(command=_rate_set)


def _rate_set(settings: Settings, options: argparse.Namespace) -> int:
    try:
        data = json.loads(options.file.read_bytes())
    except ValueError:
        return fail(f"{options.file} is not JSON")
    body = model.parse(data)
    with database(settings) as store, store.writing.begin() as conn:
        # A running cloud sends it within a few seconds; without one, the next that starts sends it.
        rate = versions.publish(Transaction(conn), actor(), put_row, options.device_id, body, now_s())
    print_json(rate)
    return 0
