"""The command `ledger export`: a pile's settlements as it sealed them."""

import argparse

from ..base.clock import now_s
from ..settings import Settings
from ..settlements import ledger
from .tools import Commands, database, subject


def add(commands: Commands) -> None:
    book = subject(commands, "ledger", "settlements")
    export = book.add_parser("export", help="print a pile's settlements as it sealed them, one a line")
    export.add_argument("device_id")
    export.set_defaults(command=_ledger_export)


def _ledger_export(settings: Settings, options: argparse.Namespace) -> int:
    with database(settings) as store, store.reading.connect() as conn:
        for line in ledger.lines(conn, options.device_id, now_s()):
            print(line)
    return 0
