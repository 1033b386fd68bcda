"""The commands `tariff ...`: tariffs, their versions, and where they hold."""

import argparse
import re
from datetime import datetime
from pathlib import Path

from ..base.clock import now_s
from ..messaging.outbox import Outbox
from ..rates import assignments, differences, model, previews, reach, tariffs, versions
from ..reports import rate_use
from ..settings import Settings
from ..sites import selection
from .tools import Commands, actor, how_many, print_all, print_json, read_json, reading, subject, writing

LISTED_MAX = 10_000


def add(commands: Commands) -> None:
    tariff = subject(commands, "tariff", "tariffs: names for versions of prices, assigned to sites and piles")

    listed = tariff.add_parser("list", help="the tariffs, one JSON object a line")
    listed.add_argument("--all", action="store_true", help="also those of one pile alone")
    listed.set_defaults(command=_list)

    for name, command, help in (
        ("show", _show, "one tariff, the version that holds, and where it is assigned"),
        ("remove", _remove, "remove a tariff that is assigned nowhere"),
        ("reach", _reach, "the piles and connectors that a version of it reaches, one a line"),
    ):
        parser = tariff.add_parser(name, help=help)
        parser.add_argument("tariff_id")
        parser.set_defaults(command=command)

    for name, command, help in (
        ("add", _add, "make a tariff, which has no version yet"),
        ("rename", _rename, "give a tariff another name"),
    ):
        parser = tariff.add_parser(name, help=help)
        parser.add_argument("tariff_id")
        parser.add_argument("name")
        parser.set_defaults(command=command)

    publish = tariff.add_parser("publish", help="publish a version from a JSON file; prints it")
    publish.add_argument("tariff_id")
    publish.add_argument("file", type=Path)
    publish.add_argument(
        "--from", dest="from_at", type=_instant, help="when it begins: 2026-12-01T00:00+08:00; else now"
    )
    publish.add_argument("--replaces", help="the rate_id that must be the newest, or `none`")
    publish.add_argument("--yes", action="store_true", help="also with prices that look like a slip")
    publish.set_defaults(command=_publish)

    withdraw = tariff.add_parser("withdraw", help="take back a version that has not begun")
    withdraw.add_argument("tariff_id")
    withdraw.add_argument("rate_id")
    withdraw.set_defaults(command=_withdraw)

    history = tariff.add_parser("versions", help="its versions, newest first, one a line")
    history.add_argument("tariff_id")
    history.add_argument("--limit", type=how_many, default=50)
    history.set_defaults(command=_versions)

    diff = tariff.add_parser("diff", help="what differs between two versions, or the running one and a file")
    diff.add_argument("tariff_id")
    diff.add_argument("before", help="a rate_id, or `running`")
    diff.add_argument("after", help="a rate_id, or a JSON file")
    diff.set_defaults(command=_diff)

    preview = tariff.add_parser("preview", help="a day's prices and a sample session, from a JSON file")
    preview.add_argument("file", type=Path)
    preview.add_argument("--date", help="2026-10-01; else today")
    preview.add_argument("--start", default="18:00", help="of the sample session")
    preview.add_argument("--energy-mwh", type=int, default=20_000_000)
    preview.add_argument("--duration-s", type=int, default=4 * 3600)
    preview.add_argument("--stay-s", type=int, default=0, help="how long the vehicle then stays plugged in")
    preview.add_argument("--time-zone", help="where the file names none")
    preview.set_defaults(command=_preview)

    assign = tariff.add_parser("assign", help="let a tariff hold at places")
    assign.add_argument("tariff_id")
    unassign = tariff.add_parser("unassign", help="let what the pile or the site has hold at places")
    unassign.set_defaults(tariff_id=None)
    for parser in (assign, unassign):
        parser.add_argument(
            "places", nargs="+", metavar="PLACE", help="site:ID, pile:ID, connector:ID/NUMBER or tag:TAG"
        )
        parser.set_defaults(command=_assign)


def _instant(text: str) -> int:
    try:
        at = datetime.fromisoformat(re.sub("Z$", "+00:00", text))
    except ValueError:
        raise argparse.ArgumentTypeError("must be a time such as 2026-12-01T00:00+08:00") from None
    if at.tzinfo is None:
        raise argparse.ArgumentTypeError("needs its offset from UTC, as 2026-12-01T00:00+08:00")
    return int(at.timestamp())


def _list(settings: Settings, options: argparse.Namespace) -> int:
    return print_all(
        settings, lambda conn: tariffs.list_views(conn, now_s(), LISTED_MAX, of_piles=options.all)
    )


def _show(settings: Settings, options: argparse.Namespace) -> int:
    now = now_s()
    with reading(settings) as conn:
        view = tariffs.one_view(conn, options.tariff_id, now)
        rate = versions.running(conn, options.tariff_id, now)
        print_json(view | {"rate": rate, "places": assignments.places_of(conn, options.tariff_id)})
    return 0


def _add(settings: Settings, options: argparse.Namespace) -> int:
    body = tariffs.TariffBody(tariff_id=options.tariff_id, name=options.name)
    with writing(settings) as tx:
        print_json(tariffs.add(tx, actor(), body, now_s())._asdict())
    return 0


def _rename(settings: Settings, options: argparse.Namespace) -> int:
    body = tariffs.NameBody(name=options.name)
    with writing(settings) as tx:
        print_json(tariffs.rename(tx, actor(), options.tariff_id, body, now_s())._asdict())
    return 0


def _remove(settings: Settings, options: argparse.Namespace) -> int:
    with writing(settings) as tx:
        tariffs.remove(tx, actor(), options.tariff_id, now_s())
    print_json({"tariff_id": options.tariff_id})
    return 0


def _reach(settings: Settings, options: argparse.Namespace) -> int:
    with reading(settings) as conn:
        tariffs.get(conn, options.tariff_id)
        for each in reach.reached(conn, options.tariff_id, LISTED_MAX):
            print_json(each)
    return 0


def _publish(settings: Settings, options: argparse.Namespace) -> int:
    body = model.parse(read_json(options.file))
    with writing(settings) as tx:
        print_json(
            versions.publish(
                *(tx, actor(), Outbox(), options.tariff_id, body, now_s()),
                *(options.from_at, options.replaces, options.yes),
            )
        )
    return 0


def _withdraw(settings: Settings, options: argparse.Namespace) -> int:
    with writing(settings) as tx:
        print_json(versions.withdraw(tx, actor(), Outbox(), options.tariff_id, options.rate_id, now_s()))
    return 0


def _versions(settings: Settings, options: argparse.Namespace) -> int:
    with reading(settings) as conn:
        tariffs.get(conn, options.tariff_id)
        found = versions.history(conn, options.tariff_id, now_s(), options.limit, None)
        confirmed = rate_use.confirmations(conn, [each["rate_id"] for each in found])
    for each in found:
        print_json(each | {"confirmed": confirmed[each["rate_id"]]})
    return 0


def _diff(settings: Settings, options: argparse.Namespace) -> int:
    now = now_s()
    with reading(settings) as conn:
        tariffs.get(conn, options.tariff_id)
        before = versions.running(conn, options.tariff_id, now) if options.before == "running" else None
        if before is None:
            before = versions.find(conn, options.tariff_id, options.before)
        if Path(options.after).exists():
            after = versions.build(conn, model.parse(read_json(Path(options.after))), now)
        else:
            after = versions.find(conn, options.tariff_id, options.after)
    for each in differences.differences(before, after):
        print_json(each)
    return 0


def _preview(settings: Settings, options: argparse.Namespace) -> int:
    body = previews.PreviewBody(
        rate=model.parse(read_json(options.file)),
        sample=previews.SampleBody(
            start=options.start,
            energy_mwh=options.energy_mwh,
            duration_s=options.duration_s,
            stay_s=options.stay_s,
        ),
        date=options.date,
        time_zone=options.time_zone,
    )
    with reading(settings) as conn:
        print_json(previews.preview(conn, body, now_s()))
    return 0


def _assign(settings: Settings, options: argparse.Namespace) -> int:
    with writing(settings) as tx:
        places = selection.places(tx.conn, options.places)
        done = assignments.assign(tx, actor(), Outbox(), places, options.tariff_id, now_s())
    print_json({"tariff_id": options.tariff_id, "places": [str(place) for place in done]})
    return 0
