"""The commands `pile ...`: register, remove, set what a connector carries, print labels."""

import argparse
import sys
from pathlib import Path

from ..base.clock import now_s
from ..db.writer import Transaction
from ..http.operator_piles import ConnectorPowerBody, PileBody
from ..messaging.outbox import put_row
from ..orders.transitions import lose_with_pile
from ..piles import labels, registry, removal
from ..piles.credentials import admit, revoke
from ..settings import Settings
from . import pile_care
from .tools import Commands, actor, database, fail, idle_cloud, print_json, subject


def add(commands: Commands) -> None:
    pile = subject(commands, "pile", "piles")
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
    pile_care.add(pile)


def _pile_add(settings: Settings, options: argparse.Namespace) -> int:
    # The same checks as over HTTP, from the same model.
    body = PileBody(device_id=options.device_id, name=options.name, connectors=options.connectors)
    name = body.name or body.device_id
    with database(settings) as store, store.writing.begin() as conn:
        key = registry.add(Transaction(conn), actor(), body.device_id, name, body.connectors, now_s())
        admit(settings, body.device_id, key)  # if this fails, the id is still free
    print_json({"device_id": body.device_id, "key": key.hex(), "connectors": body.connectors})
    return 0


def _pile_remove(settings: Settings, options: argparse.Namespace) -> int:
    with idle_cloud(settings) as cloud:
        lose = lose_with_pile(cloud.context)
        with cloud.store.writing.begin() as conn:
            pile = removal.remove(
                Transaction(conn), actor(), put_row, lose, options.device_id, options.force, now_s()
            )
        revoke(settings, options.device_id)
    print_json({"device_id": options.device_id, "removed_at": pile.removed_at})
    return 0


def _pile_power(settings: Settings, options: argparse.Namespace) -> int:
    watts = None if options.watts == "default" else int(options.watts) if options.watts.isdecimal() else -1
    body = ConnectorPowerBody(power_w=watts)
    with database(settings) as store, store.writing.begin() as conn:
        registry.set_connector_power(Transaction(conn), actor(), options.device_id, body.power_w, now_s())
    print_json({"device_id": options.device_id, "connector_power_w": body.power_w})
    return 0


def _pile_label(settings: Settings, options: argparse.Namespace) -> int:
    if not (options.pdf or options.png or options.svg):
        return fail("say where to: --pdf FILE, --png FOLDER or --svg FOLDER")
    with database(settings) as store, store.reading.connect() as conn:
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
    print_json({"labels": [str(file) for file in made]})
    return 0


def _write_label(settings: Settings, folder: Path, device_id: str, kind: str) -> Path:
    file = folder / f"{device_id}.{kind}"
    if kind == "png":
        file.write_bytes(labels.png(settings.base_url, device_id))
    else:
        file.write_text(labels.svg(settings.base_url, device_id), encoding="utf-8")
    return file
