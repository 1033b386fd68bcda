"""The commands `ledger ...`: a pile's settlements as it sealed them, and the keys that prove that."""

import argparse

from ..base.clock import now_s
from ..piles import rekey
from ..settings import Settings
from ..settlements import ledger
from .tools import Commands, reading, subject


def add(commands: Commands) -> None:
    book = subject(commands, "ledger", "settlements")
    export = book.add_parser("export", help="print a pile's settlements as it sealed them, one a line")
    export.add_argument("device_id")
    export.set_defaults(command=_ledger_export)
    keys = book.add_parser("keys", help="print the key of a pile, and those that it had before, one a line")
    keys.add_argument("device_id")
    keys.set_defaults(command=_ledger_keys)


def _ledger_export(settings: Settings, options: argparse.Namespace) -> int:
    with reading(settings) as conn:
        for line in ledger.lines(conn, options.device_id, now_s()):
            print(line)
    return 0


def _ledger_keys(settings: Settings, options: argparse.Namespace) -> int:
    with reading(settings) as conn:
        for key_hex in rekey.all_keys(conn, options.device_id):
            print(key_hex)
    return 0
