"""The commands `site ...`: sites, which piles are there, and tags."""

import argparse

from ..base.clock import now_s
from ..settings import Settings
from ..sites import registry, remote_starts, selection, tags
from .tools import Commands, actor, print_all, print_json, reading, subject, writing

LISTED_MAX = 10_000
NO_SITE = NO_RATE = "none"
_SELECTION = "pile:ID, tag:TAG, site:ID or all"


def add(commands: Commands) -> None:
    site = subject(commands, "site", "sites, and the piles there")
    listed = site.add_parser("list", help="the sites, one JSON object a line")
    listed.set_defaults(command=_list)
    for name, command, help in (
        ("show", _show, "one site, and the ids of its piles"),
        ("remove", _remove, "remove a site at which no pile is"),
    ):
        parser = site.add_parser(name, help=help)
        parser.add_argument("site_id")
        parser.set_defaults(command=command)
    new = site.add_parser("add", help="add a site; prints it")
    new.add_argument("site_id")
    new.add_argument("name")
    new.add_argument("--time-zone", required=True, help="Asia/Shanghai")
    new.set_defaults(command=_add)
    change = site.add_parser("change", help="change what is named of a site; prints it")
    change.add_argument("site_id")
    change.add_argument("--name")
    change.add_argument("--time-zone")
    change.set_defaults(command=_change)
    for parser in (new, change):
        parser.add_argument("--address")
        parser.add_argument("--contact")
    remote = site.add_parser(
        "remote-start", help="let an OCPP central system start orders there, at one rate"
    )
    remote.add_argument("site_id")
    remote.add_argument("rate_id", help=f"to which its users have agreed, or `{NO_RATE}`: none is started")
    remote.add_argument("agreement", help="who agreed, and where that is written; kept in the audit trail")
    remote.set_defaults(command=_remote_start)
    move = site.add_parser("move", help="let piles be at a site")
    move.add_argument("selection", help=_SELECTION)
    move.add_argument("site_id", help=f"or `{NO_SITE}`")
    move.set_defaults(command=_move)
    tag = site.add_parser("tag", help="add tags to piles, and take others off them")
    tag.add_argument("selection", help=_SELECTION)
    tag.add_argument("--add", nargs="*", default=[], metavar="TAG")
    tag.add_argument("--remove", nargs="*", default=[], metavar="TAG")
    tag.set_defaults(command=_tag)


def _list(settings: Settings, _: argparse.Namespace) -> int:
    return print_all(settings, lambda conn: registry.list_views(conn, LISTED_MAX))


def _show(settings: Settings, options: argparse.Namespace) -> int:
    with reading(settings) as conn:
        device_ids = selection.pile_ids(conn, "site:" + options.site_id)
        print_json(registry.one_view(conn, options.site_id) | {"device_ids": device_ids})
    return 0


def _add(settings: Settings, options: argparse.Namespace) -> int:
    body = registry.SiteBody(
        site_id=options.site_id,
        name=options.name,
        time_zone=options.time_zone,
        address=options.address or "",
        contact=options.contact or "",
    )
    with writing(settings) as tx:
        print_json(registry.add(tx, actor(), body, now_s()))
    return 0


def _change(settings: Settings, options: argparse.Namespace) -> int:
    body = registry.SiteChangeBody(
        name=options.name,
        time_zone=options.time_zone,
        address=options.address,
        contact=options.contact,
    )
    with writing(settings) as tx:
        print_json(registry.change(tx, actor(), options.site_id, body, now_s()))
    return 0


def _remove(settings: Settings, options: argparse.Namespace) -> int:
    with writing(settings) as tx:
        registry.remove(tx, actor(), options.site_id, now_s())
    print_json({"site_id": options.site_id})
    return 0


def _remote_start(settings: Settings, options: argparse.Namespace) -> int:
    rate_id = None if options.rate_id == NO_RATE else options.rate_id
    body = remote_starts.RemoteStartBody(rate_id=rate_id, agreement=options.agreement)
    with writing(settings) as tx:
        print_json(remote_starts.agree(tx, actor(), options.site_id, body, now_s()))
    return 0


def _move(settings: Settings, options: argparse.Namespace) -> int:
    site_id = None if options.site_id == NO_SITE else options.site_id
    with writing(settings) as tx:
        device_ids = selection.pile_ids(tx.conn, options.selection)
        registry.move(tx, actor(), device_ids, site_id, now_s())
    print_json({"site_id": site_id, "device_ids": device_ids})
    return 0


def _tag(settings: Settings, options: argparse.Namespace) -> int:
    with writing(settings) as tx:
        device_ids = selection.pile_ids(tx.conn, options.selection)
        tags.change(tx, actor(), device_ids, options.add, options.remove, now_s())
    print_json({"device_ids": device_ids})
    return 0
