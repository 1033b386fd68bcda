"""The command line: serve, piles and their labels, sites, tariffs, rates, orders, settlements, people,
releases, bridges to other systems.

Settings come from the environment.

A module per subject has `add(commands)`, which adds its commands to the parser.
"""

import argparse

from alembic.util import CommandError
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from .. import logs
from ..base.os_errors import in_words
from ..base.problems import Problem
from ..base.text import reason
from ..settings import Settings
from . import (
    books,
    calendars,
    home_assistant,
    ledger,
    monitors,
    ocpi,
    ocpp,
    orders,
    payments,
    people,
    piles,
    rates,
    releases,
    serve,
    sites,
    tariffs,
    webhooks,
)
from .tools import fail

SUBJECTS = (
    serve,
    piles,
    sites,
    rates,
    tariffs,
    calendars,
    ledger,
    books,
    orders,
    payments,
    people,
    releases,
    monitors,
    home_assistant,
    ocpi,
    ocpp,
    webhooks,
)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    options = parser().parse_args(arguments)
    logs.configure()
    try:
        return options.command(Settings(), options)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, each['loc']))}: {reason(each)}" for each in error.errors())
        return fail(wrong)
    except Problem as error:
        return fail(str(error))
    except (SQLAlchemyError, CommandError) as error:
        return fail(f"the database cannot be used: {error}")
    except UnicodeEncodeError as error:  # an argument that is not in UTF-8, or a terminal that is not
        return fail(f"{ascii(error.object)[:100]} cannot be written in {error.encoding}")
    except OSError as error:
        return fail(in_words(error))


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m cloud_stub", description=__doc__)
    commands = made.add_subparsers(required=True, metavar="COMMAND")
    for subject in SUBJECTS:
        subject.add(commands)
    return made
