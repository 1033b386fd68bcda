"""What the commands share: the database, who acts, how they print."""

import argparse
import errno
import fcntl
import getpass
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from ..base.problems import invalid
from ..cloud import Cloud
from ..db import audit
from ..db.audit import Actor
from ..db.engine import Store
from ..db.writer import Transaction
from ..settings import Settings

ALL_DAYS = ("2000-01-01", "2100-12-31")  # for add_days()
Commands = Any  # what argparse's add_subparsers() returns has no public type


def fail(reason: str) -> int:
    """Say on stderr why a command failed; returns its exit code."""
    print("cloud_stub: " + reason, file=sys.stderr)
    return 1


def print_json(value: object) -> None:
    print(json.dumps(value), flush=True)


def actor() -> Actor:
    """Who acts on the command line: the login name."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # the user id has no name
        name = "unknown"
    return Actor(audit.COMMAND_LINE, name[:100])


def subject(commands: Commands, name: str, help: str) -> Commands:
    """A command that has commands of its own, such as `pile add`."""
    return commands.add_parser(name, help=help).add_subparsers(required=True, metavar="COMMAND")


def how_many(text: str) -> int:
    # SQLite and PostgreSQL treat 0, negative and very large limits differently.
    if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) == 0:
        raise argparse.ArgumentTypeError("must be a number from 1 to 999999999")
    return int(text)


def add_days(parser: argparse.ArgumentParser, first: str | None, last: str | None) -> None:
    """The options of reports.days. first, last: the days without an option; None: the option is needed."""
    from_help = "such as 2026-11-23"
    parser.add_argument(
        "--from", dest="first", metavar="DAY", default=first, required=first is None, help=from_help
    )
    parser.add_argument(
        "--to", dest="last", metavar="DAY", default=last, required=last is None, help="the last day"
    )
    parser.add_argument("--time-zone", default="UTC", help="of the days")


@contextmanager
def database(settings: Settings) -> Iterator[Store]:
    settings.prepare()
    store = Store(settings.database)
    try:
        store.migrate()
        yield store
    finally:
        store.close()


@contextmanager
def reading(settings: Settings) -> Iterator[Connection]:
    with database(settings) as store, store.reading.connect() as conn:
        yield conn


def print_all(settings: Settings, look: Callable[[Connection], Iterable[object]]) -> int:
    """Print what `look` finds, one JSON object a line; returns the exit code."""
    with reading(settings) as conn:
        for each in look(conn):
            print_json(each)
    return 0


@contextmanager
def writing(settings: Settings) -> Iterator[Transaction]:
    """A transaction, committed at the end. A running cloud sends what it puts into the outbox within a few
    seconds; without one, the next that starts sends it.
    """
    with database(settings) as store, store.writing.begin() as conn:
        yield Transaction(conn)


def read_json(file: Path) -> Any:
    """Raises OSError; Problem (InvalidRequest) where the file is not JSON."""
    try:
        return json.loads(file.read_bytes())
    except (ValueError, RecursionError):  # the latter of thousands of brackets
        raise invalid((str(file), "is not JSON")) from None


@contextmanager
def alone(lock: Path, what: str) -> Iterator[None]:
    """Only one process at a time gets in; `what` names it. Raises OSError."""
    with open(lock, "a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OSError(errno.EWOULDBLOCK, f"{what} runs on this data folder already") from None
        yield


@contextmanager
def idle_cloud(settings: Settings) -> Iterator[Cloud]:
    """A cloud that is not started. A running one sends what this one puts into the outbox."""
    cloud = Cloud(settings)
    try:
        cloud.store.migrate()
        yield cloud
    finally:
        cloud.store.close()
