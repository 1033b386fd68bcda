"""The commands `pile ...`: register, remove, set what a connector carries, print labels."""

import argparse
import sys
from pathlib import Path

from ..base.clock import now_s
from ..db import audit
from ..db.writer import Transaction
from ..http.label_downloads import label_names
from ..http.operator_piles import ConnectorPowerBody, PileBody
from ..messaging.outbox import Outbox
from ..orders.transitions import lose_with_pile
from ..piles import labels, registry, removal
from ..piles.credentials import admit, admit_many, revoke
from ..reports import fleet
from ..settings import Settings
from ..sites.pile_import import ImportBody, import_piles, keys_as_csv
from ..sites.selection import pile_ids
from . import pile_care
from .tools import Commands, actor, fail, how_many, idle_cloud, print_json, reading, subject, writing

AUDIT_LINES_SHOWN = 10


def add(commands: Commands) -> None:
    pile = subject(commands, "pile", "piles")
    add = pile.add_parser("add", help="register a pile; prints its id, key and connectors as JSON")
    add.add_argument("device_id")
    add.add_argument("--connectors", type=int, default=1)
    add.add_argument("--name", default="")
    add.set_defaults(command=_pile_add)
    listed = pile.add_parser("list", help="the piles by id, one JSON object a line")
    listed.add_argument("--limit", type=how_many, default=500)
    listed.add_argument("--site", metavar="ID")
    listed.add_argument("--tag")
    listed.set_defaults(command=_pile_list)
    show = pile.add_parser("show", help="one pile as the list has it, and who did what to it last")
    show.add_argument("device_id")
    show.set_defaults(command=_pile_show)
    many = pile.add_parser("import", help="register every pile of a CSV, or none; prints their keys as CSV")
    many.add_argument("file", type=Path, help="device_id, and any of name, connectors, site, tags")
    many.add_argument("--pdf", type=Path, metavar="FILE", help="the labels of all of them, too")
    many.set_defaults(command=_pile_import)
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
    label = pile.add_parser("label", help="a label with a QR code for each connector, to print")
    label.add_argument("device_id", nargs="*")
    label.add_argument("--of", metavar="SELECTION", help="site:ID, tag:TAG or all")
    label.add_argument("--pdf", type=Path, metavar="FILE", help="sheets of A4, six labels each")
    label.add_argument("--png", type=Path, metavar="FOLDER", help="a picture of each")
    label.add_argument("--svg", type=Path, metavar="FOLDER", help="a drawing of each")
    label.set_defaults(command=_pile_label)
    pile_care.add(pile)


def _pile_add(settings: Settings, options: argparse.Namespace) -> int:
    # The same checks as over HTTP, from the same model.
    body = PileBody(device_id=options.device_id, name=options.name, connectors=options.connectors)
    name = body.name or body.device_id
    with writing(settings) as tx:
        new = registry.NewPile(body.device_id, name, body.connectors)
        key = registry.add(tx, actor(), [new], now_s())[body.device_id]
        admit(settings, body.device_id, key)  # if this fails, the id is still free
    print_json({"device_id": body.device_id, "key": key.hex(), "connectors": body.connectors})
    return 0


def _pile_list(settings: Settings, options: argparse.Namespace) -> int:
    wanted = fleet.PileFilter(None, None, None, options.site, options.tag)
    with idle_cloud(settings) as cloud, cloud.store.reading.connect() as conn:
        for each in fleet.list_views(conn, cloud.context, now_s(), wanted, options.limit, None):
            print_json(each)
    return 0


def _pile_show(settings: Settings, options: argparse.Namespace) -> int:
    with idle_cloud(settings) as cloud, cloud.store.reading.connect() as conn:
        view = fleet.one_view(conn, cloud.context, now_s(), options.device_id)
        lines = audit.list_lines(conn, audit.Wanted({"device_id": options.device_id}), AUDIT_LINES_SHOWN)
    print_json(view | {"audit": [line._asdict() for line in lines]})
    return 0


def _pile_import(settings: Settings, options: argparse.Namespace) -> int:
    try:
        body = ImportBody(csv=options.file.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError:
        return fail(f"{options.file} is not in UTF-8: save it as CSV in UTF-8")
    with writing(settings) as tx:
        keys = import_piles(tx, actor(), body.csv, lambda keys: admit_many(settings, keys), now_s())
        names = label_names(tx.conn, keys)
    print(keys_as_csv(keys), end="")
    if options.pdf:
        options.pdf.write_bytes(labels.pdf(settings.base_url, names))
    return 0


def _pile_remove(settings: Settings, options: argparse.Namespace) -> int:
    with idle_cloud(settings) as cloud:
        lose = lose_with_pile(cloud.context)
        with cloud.store.writing.begin() as conn:
            pile = removal.remove(
                Transaction(conn), actor(), Outbox(), lose, options.device_id, options.force, now_s()
            )
        revoke(settings, options.device_id)
    print_json({"device_id": options.device_id, "removed_at": pile.removed_at})
    return 0


def _pile_power(settings: Settings, options: argparse.Namespace) -> int:
    is_number = options.watts.isdecimal() and len(options.watts) <= 9  # int() refuses thousands of digits
    watts = None if options.watts == "default" else int(options.watts) if is_number else -1
    body = ConnectorPowerBody(power_w=watts)
    with writing(settings) as tx:
        registry.set_connector_power(tx, actor(), options.device_id, body.power_w, now_s())
    print_json({"device_id": options.device_id, "connector_power_w": body.power_w})
    return 0


def _pile_label(settings: Settings, options: argparse.Namespace) -> int:
    if not (options.pdf or options.png or options.svg):
        return fail("say where to: --pdf FILE, --png FOLDER or --svg FOLDER")
    if bool(options.device_id) == bool(options.of):
        return fail("name piles by their ids, or by --of")
    wanted = [options.of] if options.of else [f"pile:{each}" for each in options.device_id]
    with reading(settings) as conn:
        names = [name for each in wanted for name in label_names(conn, pile_ids(conn, each))]
    if settings.public_url is None:
        print(f"cloud_stub: the codes lead to {settings.base_url}; set RATELOCK_PUBLIC_URL", file=sys.stderr)
    made: list[Path] = []
    if options.pdf:
        options.pdf.write_bytes(labels.pdf(settings.base_url, names))
        made.append(options.pdf)
    for folder, kind in ((options.png, "png"), (options.svg, "svg")):
        if folder:
            folder.mkdir(parents=True, exist_ok=True)
            made += [_write_label(settings, folder, name, kind) for name in names]
    print_json({"labels": [str(file) for file in made]})
    return 0


def _write_label(settings: Settings, folder: Path, name: str, kind: str) -> Path:
    file = folder / labels.file_name(name, kind)
    if kind == "png":
        file.write_bytes(labels.png(settings.base_url, name))
    else:
        file.write_text(labels.svg(settings.base_url, name), encoding="utf-8")
    return file
