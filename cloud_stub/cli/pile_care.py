"""The commands `pile ...` for a registered pile: change it, take it out of service, restart it, new key."""

import argparse
from collections.abc import Callable

from sqlalchemy.exc import SQLAlchemyError

from ..base.clock import now_s
from ..cloud import Cloud
from ..db.writer import Transaction
from ..http.operator_pile_care import ChangeBody, KeyBody, OutOfServiceBody
from ..http.operator_piles import ResetBody
from ..orders import commands as order_commands
from ..orders import pile_commands, states
from ..orders.transitions import lose_with_pile
from ..piles import changes, rekey, service
from ..piles.credentials import admit, sync_credentials
from ..settings import Settings
from .tools import Commands, actor, idle_cloud, print_json

Run = Callable[[Settings, argparse.Namespace], int]


def add(pile: Commands) -> None:
    """Add the commands to those of `pile`."""
    rename = _command(pile, "rename", "give a pile another name", _rename)
    rename.add_argument("name")
    connectors = _command(pile, "connectors", "set how many connectors a pile has", _connectors)
    connectors.add_argument("connectors", type=int)
    out = _command(pile, "out", "take a pile, or one connector of it, out of service", _out)
    out.add_argument("reason", choices=service.REASONS)
    out.add_argument("--connector", type=int, default=service.WHOLE_PILE)
    out.add_argument("--note", default="", help="for colleagues")
    out.add_argument("--end", action="store_true", help="stop what charges there, too")
    back = _command(pile, "back", "put a pile, or one connector of it, back into service", _back)
    back.add_argument("--connector", type=int, default=service.WHOLE_PILE)
    reset = _command(pile, "reset", "ask a pile to clear a connector's fault", _reset)
    reset.add_argument("--connector", type=int, default=1)
    _command(pile, "restart", "ask a pile to restart; not while an order runs", _restart)
    _command(pile, "report", "ask a pile to report everything anew", _report)
    key = _command(pile, "key", "give a pile a new key and print it; the old one ends", _key)
    key.add_argument("--new-board", action="store_true", help="another board, with an empty flash")
    key.add_argument("--force", action="store_true", help="also where settlements or an order would be lost")


def _command(pile: Commands, name: str, help: str, run: Run) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = pile.add_parser(name, help=help)
    parser.add_argument("device_id")
    parser.set_defaults(command=run)
    return parser


def _rename(settings: Settings, options: argparse.Namespace) -> int:
    body = ChangeBody(name=options.name)
    with idle_cloud(settings) as cloud, cloud.store.writing.begin() as conn:
        pile = changes.rename(Transaction(conn), actor(), options.device_id, body.name or "", now_s())
    print_json({"device_id": pile.device_id, "name": pile.name})
    return 0


def _connectors(settings: Settings, options: argparse.Namespace) -> int:
    connectors = ChangeBody(connectors=options.connectors).connectors or 0
    with idle_cloud(settings) as cloud, cloud.store.writing.begin() as conn:
        pile = changes.set_connectors(Transaction(conn), actor(), options.device_id, connectors, now_s())
    print_json({"device_id": pile.device_id, "connectors": pile.connectors})
    return 0


def _out(settings: Settings, options: argparse.Namespace) -> int:
    body = OutOfServiceBody(
        connector=options.connector, reason=options.reason, note=options.note, ends_order=options.end
    )

    def take_out(tx: Transaction, cloud: Cloud) -> None:
        pile_commands.take_out_of_service(
            tx,
            actor(),
            cloud.context,
            options.device_id,
            body.connector,
            body.reason,
            body.note,
            body.ends_order,
            now_s(),
        )

    return _run(settings, options, take_out, connector=body.connector, reason=body.reason)


def _back(settings: Settings, options: argparse.Namespace) -> int:
    def put_back(tx: Transaction, cloud: Cloud) -> None:
        pile_commands.put_back_into_service(
            tx, actor(), cloud.context, options.device_id, options.connector, now_s()
        )

    return _run(settings, options, put_back, connector=options.connector)


def _restart(settings: Settings, options: argparse.Namespace) -> int:
    def ask(tx: Transaction, cloud: Cloud) -> None:
        pile_commands.request_restart(tx, actor(), cloud.context, options.device_id, now_s())

    return _run(settings, options, ask)


def _reset(settings: Settings, options: argparse.Namespace) -> int:
    connector = ResetBody(connector=options.connector).connector

    def ask(tx: Transaction, cloud: Cloud) -> None:
        order_commands.request_reset(tx, actor(), cloud.context, options.device_id, connector, now_s())

    return _run(settings, options, ask, connector=connector)


def _report(settings: Settings, options: argparse.Namespace) -> int:
    def ask(tx: Transaction, cloud: Cloud) -> None:
        pile_commands.request_report(tx, actor(), cloud.context, options.device_id, now_s())

    return _run(settings, options, ask)


def _key(settings: Settings, options: argparse.Namespace) -> int:
    body = KeyBody(new_board=options.new_board, force=options.force)
    with idle_cloud(settings) as cloud:
        lose = lose_with_pile(cloud.context, states.BOARD_REPLACED)
        try:
            with cloud.store.writing.begin() as conn:
                tx = Transaction(conn)
                key = rekey.rotate(tx, actor(), lose, options.device_id, body.new_board, body.force, now_s())
                admit(settings, options.device_id, key)  # before the commit: if it fails, the old key stays
        except SQLAlchemyError:
            sync_credentials(cloud.store, settings)
            raise
    print_json({"device_id": options.device_id, "key": key.hex()})
    return 0


def _run(
    settings: Settings,
    options: argparse.Namespace,
    act: Callable[[Transaction, Cloud], None],
    **said: object,
) -> int:
    """Runs `act` in a transaction; a running cloud sends what it puts into the outbox."""
    with idle_cloud(settings) as cloud, cloud.store.writing.begin() as conn:
        act(Transaction(conn), cloud)
    print_json({"device_id": options.device_id, **said})
    return 0
