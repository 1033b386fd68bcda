"""The command line: serve, register a pile, print its label, set a rate, list and close orders.

Settings come from the environment.
"""

import argparse
import gc
import json
import os
import re
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import structlog
import uvicorn
from alembic.util import CommandError
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from . import logs
from .app import create_app
from .base.clock import now_s
from .base.log_lines import lines
from .base.problems import Problem
from .cloud import Cloud
from .db.engine import Store
from .db.writer import Transaction
from .http import request_deadline
from .http.operator import ConnectorPowerBody, PileBody
from .messaging.outbox import put_row
from .orders import commands as order_commands
from .orders import views as order_views
from .orders.transitions import lose_with_pile
from .piles import labels, registry, removal
from .piles.credentials import admit, revoke
from .rates import model, versions
from .settings import Settings
from .settlements import ledger

log = structlog.get_logger()

SHUTDOWN_S = 5
END_S = 9  # from the signal or the death of a thread; what has not ended by then is ended by force


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    options = _parser().parse_args(arguments)
    logs.configure()
    try:
        return options.command(Settings(), options)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        return _fail(wrong)
    except Problem as error:
        return _fail(str(error))
    except (SQLAlchemyError, CommandError) as error:
        return _fail(f"the database cannot be used: {error}")
    except OSError as error:
        return _fail(str(error))


def _fail(reason: str) -> int:
    print("cloud_stub: " + reason, file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m cloud_stub", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    serve = commands.add_parser("serve", help="run the cloud until it is told to end")
    serve.set_defaults(command=_serve)

    pile = commands.add_parser("pile", help="piles").add_subparsers(required=True, metavar="COMMAND")
    add = pile.add_parser("add", help="register a pile; prints its id, key and connectors as JSON")
    add.add_argument("device_id")
    add.add_argument("--connectors", type=int, default=1)
    add.add_argument("--name", default="")
    add.set_defaults(command=_pile_add)
    remove = pile.add_parser("remove", help="let a pile in no more; its orders and receipts stay")
    remove.add_argument("device_id")
    remove.add_argument(
        "--force", action="store_true", help="also where settlements at the pile would be lost"
    )
    remove.set_defaults(command=_pile_remove)
    power = pile.add_parser("power", help="set the most that a connector of a pile carries")
    power.add_argument("device_id")
    power.add_argument("watts", help="watts, or `default`: RATELOCK_CONNECTOR_POWER_W")
    power.set_defaults(command=_pile_power)
    label = pile.add_parser("label", help="labels with the piles' QR codes, to print")
    label.add_argument("device_id", nargs="+")
    label.add_argument("--pdf", type=Path, metavar="FILE", help="sheets of A4, six labels each")
    label.add_argument("--png", type=Path, metavar="FOLDER", help="a picture of each")
    label.add_argument("--svg", type=Path, metavar="FOLDER", help="a drawing of each")
    label.set_defaults(command=_pile_label)

    rate = commands.add_parser("rate", help="rates").add_subparsers(required=True, metavar="COMMAND")
    rate_set = rate.add_parser("set", help="publish a pile's new rate from a JSON file; prints it")
    rate_set.add_argument("device_id")
    rate_set.add_argument("file", type=Path)
    rate_set.set_defaults(command=_rate_set)

    book = commands.add_parser("ledger", help="settlements").add_subparsers(required=True, metavar="COMMAND")
    export = book.add_parser("export", help="print a pile's settlements as it sealed them, one a line")
    export.add_argument("device_id")
    export.set_defaults(command=_ledger_export)

    order = commands.add_parser("order", help="one order").add_subparsers(required=True, metavar="COMMAND")
    close = order.add_parser("close", help="end an order whose settlement is not expected any more")
    close.add_argument("order_id")
    close.add_argument("reason", help="kept with the order's events")
    close.set_defaults(command=_order_close)

    orders = commands.add_parser("orders", help="list the newest orders, one JSON object a line")
    orders.add_argument("--limit", type=_how_many, default=50)
    orders.set_defaults(command=_orders)
    return parser


def _how_many(text: str) -> int:
    # 0 and less, and what is too large, means something else to each database.
    if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) == 0:
        raise argparse.ArgumentTypeError("must be a number from 1 to 999999999")
    return int(text)


def _serve(settings: Settings, _: argparse.Namespace) -> int:
    with listening(settings.http_host, settings.http_port) as listener:
        host, port = listener.getsockname()[:2]
        cloud = Cloud(settings)
        cloud.store.migrate()  # where it fails from here, that is one sentence
        config = uvicorn.Config(
            create_app(cloud),
            access_log=False,
            server_header=False,
            forwarded_allow_ips=settings.proxies,
            http=request_deadline.with_deadline(settings.request_s),
            h11_max_incomplete_event_size=request_deadline.HEAD_MAX_BYTES,
            log_config=None,
            timeout_graceful_shutdown=SHUTDOWN_S,
        )
        server = _Server(config, cloud, f"http://{host}:{port}")
        lines.start(cloud.threads)
        server.run([listener])
    lines.stop()
    return 0 if server.started and not server.died else 1


def listening(host: str, port: int) -> socket.socket:
    """A listening socket whose connections send at once. Raises OSError.

    An answer is written as head and body: with Nagle's algorithm the second waits 40 ms for a delayed
    acknowledgement of the first. Connections inherit the option; asyncio would set it only on sockets that
    name TCP as their protocol, and create_server's do not.
    """
    listener = socket.create_server((host, port), backlog=1024)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


class _Server(uvicorn.Server):
    """Says on stdout where it listens, once it does; and lets go of those who watch an order when it ends.

    It ends END_S after a signal or the death of a thread at the latest, whatever hangs. `died`: that thread.
    """

    def __init__(self, config: uvicorn.Config, cloud: Cloud, address: str):
        super().__init__(config)
        self._cloud = cloud
        self._address = address
        self.died: str | None = None
        cloud.threads.on_death = self._end_for

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._end_by_force_later()
        super().handle_exit(sig, frame)

    def _end_for(self, thread: str) -> None:
        self.died = thread
        self._end_by_force_later()
        self.should_exit = True

    def _end_by_force_later(self) -> None:
        timer = threading.Timer(END_S, _end_by_force)
        timer.daemon = True
        timer.start()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            gc.collect()
            gc.freeze()  # what is here by now stays to the end: no collection need look at it again
            try:
                # One write: a log line of another thread must not come between the line and its end.
                os.write(1, json.dumps({"listening": self._address}).encode() + b"\n")
            except OSError as error:
                log.warning("stdout_failed", reason=str(error))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._cloud.hub.close()
        await super().shutdown(sockets)
        lines.stop()  # a signal that ended the server ends the process right after this


def _end_by_force() -> None:
    log.critical("ended_by_force", after_s=END_S)
    lines.stop()
    os._exit(1)


@contextmanager
def _database(settings: Settings) -> Iterator[Store]:
    settings.prepare()
    store = Store(settings.database)
    try:
        store.migrate()
        yield store
    finally:
        store.close()


@contextmanager
def _idle_cloud(settings: Settings) -> Iterator[Cloud]:
    """A cloud that is not started: a running one sends what this one puts into the outbox."""
    cloud = Cloud(settings)
    try:
        cloud.store.migrate()
        yield cloud
    finally:
        cloud.store.close()


def _pile_add(settings: Settings, options: argparse.Namespace) -> int:
    # The same checks as over HTTP, from the same model.
    body = PileBody(device_id=options.device_id, name=options.name, connectors=options.connectors)
    name = body.name or body.device_id
    with _database(settings) as store, store.writing.begin() as conn:
        key = registry.add(Transaction(conn), body.device_id, name, body.connectors, now_s())
        admit(settings, body.device_id, key)  # where that fails, the id is not taken by a key nobody knows
    _print({"device_id": body.device_id, "key": key.hex(), "connectors": body.connectors})
    return 0


def _pile_remove(settings: Settings, options: argparse.Namespace) -> int:
    with _idle_cloud(settings) as cloud:
        lose = lose_with_pile(cloud.context)
        with cloud.store.writing.begin() as conn:
            pile = removal.remove(Transaction(conn), put_row, lose, options.device_id, options.force, now_s())
        revoke(settings, options.device_id)
    _print({"device_id": options.device_id, "removed_at": pile.removed_at})
    return 0


def _pile_power(settings: Settings, options: argparse.Namespace) -> int:
    watts = None if options.watts == "default" else int(options.watts) if options.watts.isdecimal() else -1
    body = ConnectorPowerBody(power_w=watts)
    with _database(settings) as store, store.writing.begin() as conn:
        registry.set_connector_power(Transaction(conn), options.device_id, body.power_w)
    _print({"device_id": options.device_id, "connector_power_w": body.power_w})
    return 0


def _pile_label(settings: Settings, options: argparse.Namespace) -> int:
    if not (options.pdf or options.png or options.svg):
        return _fail("say where to: --pdf FILE, --png FOLDER or --svg FOLDER")
    with _database(settings) as store, store.reading.connect() as conn:
        device_ids = [registry.get(conn, device_id).device_id for device_id in options.device_id]
    if settings.public_url is None:
        print(f"cloud_stub: the codes lead to {settings.base_url}; set RATELOCK_PUBLIC_URL", file=sys.stderr)
    made: list[Path] = []
    if options.pdf:
        options.pdf.write_bytes(labels.pdf(settings.base_url, device_ids))
        made.append(options.pdf)
    for folder, kind in ((options.png, "png"), (options.svg, "svg")):
        if folder:
            folder.mkdir(parents=True, exist_ok=True)
            made += [_write_label(settings, folder, device_id, kind) for device_id in device_ids]
    _print({"labels": [str(file) for file in made]})
    return 0


def _write_label(settings: Settings, folder: Path, device_id: str, kind: str) -> Path:
    file = folder / f"{device_id}.{kind}"
    if kind == "png":
        file.write_bytes(labels.png(settings.base_url, device_id))
    else:
        file.write_text(labels.svg(settings.base_url, device_id), encoding="utf-8")
    return file


def _rate_set(settings: Settings, options: argparse.Namespace) -> int:
    try:
        data = json.loads(options.file.read_bytes())
    except ValueError:
        return _fail(f"{options.file} is not JSON")
    body = model.parse(data)
    with _database(settings) as store, store.writing.begin() as conn:
        # A cloud that is running sends it on within a few seconds, else the next that starts.
        rate = versions.publish(Transaction(conn), put_row, options.device_id, body, now_s())
    _print(rate)
    return 0


def _ledger_export(settings: Settings, options: argparse.Namespace) -> int:
    with _database(settings) as store, store.reading.connect() as conn:
        for line in ledger.lines(conn, options.device_id, now_s()):
            print(line)
    return 0


def _orders(settings: Settings, options: argparse.Namespace) -> int:
    with _database(settings) as store, store.reading.connect() as conn:
        for order in order_views.list_orders(conn, order_views.OrderFilter(), options.limit):
            _print(order)
    return 0


def _order_close(settings: Settings, options: argparse.Namespace) -> int:
    body = order_commands.CloseBody(reason=options.reason)
    with _idle_cloud(settings) as cloud, cloud.store.writing.begin() as conn:
        row = order_commands.close_order(Transaction(conn), cloud.context, options.order_id, body, now_s())
        _print(order_views.list_item(row))
    return 0


def _print(value: object) -> None:
    print(json.dumps(value), flush=True)
