"""The commands `ocpp-gateway` and `ocpp ...`."""

import argparse
import asyncio
import signal
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..bridges.ocpp import progress, queue
from ..messaging import receivers
from ..settings import Settings
from .tools import Commands, alone, fail, how_many, idle_cloud, print_json, reading, subject, writing


def add(commands: Commands) -> None:
    gateway = commands.add_parser(
        "ocpp-gateway",
        help="let an OCPP 1.6J central system see each pile as a charge point, until told to end",
    )
    gateway.add_argument(
        "--csms", required=True, metavar="URL", help="wss://host/path, to which /DEVICE-ID is added"
    )
    gateway.add_argument(
        "--ca", type=Path, metavar="FILE", help="whom to trust, in PEM; else the system's CAs"
    )
    gateway.add_argument(
        "--password-file",
        type=Path,
        metavar="FILE",
        help="basic authentication: one password for all piles, or lines of DEVICE-ID and password",
    )
    gateway.add_argument(
        "--bound", type=how_many, default=queue.BOUND, metavar="N", help="how many events of orders may wait"
    )
    gateway.set_defaults(command=_gateway)
    ocpp = subject(commands, "ocpp", "the charge points of the OCPP gateway")
    listed = ocpp.add_parser("list", help="each pile's connection, as JSON lines")
    listed.set_defaults(command=_list)
    retry = ocpp.add_parser("retry", help="tell an order anew that the central system had refused")
    retry.add_argument("order_id")
    retry.set_defaults(command=_retry)
    off = ocpp.add_parser("off", help="keep no more events for the gateway, and drop those that wait")
    off.set_defaults(command=_off)


def _gateway(settings: Settings, options: argparse.Namespace) -> int:
    from ..bridges.ocpp import gateway, target  # a third of a second that other commands need not take

    passwords = target.read_passwords(options.password_file) if options.password_file else {}
    central_system = target.make(options.csms, options.ca, passwords)
    with alone(settings.data / "ocpp.lock", "a gateway"), idle_cloud(settings) as cloud:
        running = gateway.Gateway(cloud.store, cloud.context, central_system)
        print_json({"central_system": options.csms})
        try:
            asyncio.run(_until_ended(running.run(options.bound)))
        except gateway.GatewayError as error:
            return fail(str(error))
    return 0


async def _until_ended(running: Coroutine[Any, Any, None]) -> None:
    """Run until a signal says that it is to end."""
    task = asyncio.ensure_future(running)
    for each in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(each, task.cancel)
    with suppress(asyncio.CancelledError):
        await task


def _list(settings: Settings, _: argparse.Namespace) -> int:
    with reading(settings) as conn:
        for each in progress.list_views(conn):
            print_json(each)
    return 0


def _retry(settings: Settings, options: argparse.Namespace) -> int:
    with writing(settings) as tx:
        if not progress.retry(tx.conn, options.order_id):
            return fail("the central system has not refused that order")
    print_json({"order_id": options.order_id})
    return 0


def _off(settings: Settings, _: argparse.Namespace) -> int:
    with writing(settings) as tx:
        receivers.unsubscribe(tx, queue.RECEIVER)
    return 0
