"""The commands `release ...` and `rollout ...`: firmware and configuration over the air."""

import argparse
from pathlib import Path
from typing import Any

from ..base.clock import now_s
from ..releases import archive, rollouts, store, views
from ..settings import Settings
from .tools import Commands, actor, how_many, print_json, read_json, reading, subject, writing


def add(commands: Commands) -> None:
    release = subject(commands, "release", "firmware releases, signed offline")
    added = release.add_parser("add", help="add a release from its archive, as `make release` writes it")
    added.add_argument("archive", type=Path)
    added.set_defaults(command=_release_add)
    listed = release.add_parser("list", help="list the releases, one JSON object a line")
    listed.set_defaults(command=_release_list)
    removed = release.add_parser("remove", help="delete a release's files; its number is not used again")
    removed.add_argument("release", type=how_many)
    removed.set_defaults(command=_release_remove)

    rollout = subject(commands, "rollout", "releases and configurations for piles, in waves")
    start = rollout.add_parser("start", help="start a rollout, or print what it would reach")
    what = start.add_mutually_exclusive_group(required=True)
    what.add_argument("--release", type=how_many, metavar="NUMBER")
    what.add_argument("--config", type=Path, metavar="FILE", help="JSON: wifi2, broker, ca, ntp, limits")
    start.add_argument("selection", help="pile:<id>, tag:<tag>, site:<id> or all")
    start.add_argument("--waves", help="such as 1,10%%,50%%; the rest is the last wave")
    start.add_argument("--lost-max", type=how_many, help="halts when a wave has lost so many piles")
    start.add_argument("--deadline-hours", type=how_many, help="how long offline piles are awaited")
    start.add_argument("--again", action="store_true", help="also to piles that went back from it")
    start.add_argument("--preview", action="store_true", help="change nothing")
    start.set_defaults(command=_rollout_start)
    rollouts_listed = rollout.add_parser("list", help="list the newest rollouts, one JSON object a line")
    rollouts_listed.add_argument("--limit", type=how_many, default=50)
    rollouts_listed.set_defaults(command=_rollout_list)
    shown = rollout.add_parser("show", help="print a rollout, then each of its piles, one JSON object a line")
    shown.add_argument("rollout_id", type=how_many)
    shown.set_defaults(command=_rollout_show)
    for name, change, does in (
        ("pause", rollouts.pause, "offer nothing more, end downloads"),
        ("resume", rollouts.resume, "go on with a paused or halted rollout"),
        ("cancel", rollouts.cancel, "end a rollout for ever"),
    ):
        changed = rollout.add_parser(name, help=does)
        changed.add_argument("rollout_id", type=how_many)
        changed.set_defaults(command=_rollout_change, change=change)


def _release_add(settings: Settings, options: argparse.Namespace) -> int:
    release = archive.read(options.archive.read_bytes())
    with writing(settings) as tx:
        added = store.add(tx, actor(), release, now_s())
    print_json({"release": release.number, "version": release.version, "added": added})
    return 0


def _release_list(settings: Settings, options: argparse.Namespace) -> int:
    with reading(settings) as conn:
        for each in store.list_views(conn):
            print_json(each)
    return 0


def _release_remove(settings: Settings, options: argparse.Namespace) -> int:
    with writing(settings) as tx:
        store.remove(tx, actor(), options.release, now_s())
    print_json({"release": options.release})
    return 0


def _rollout_start(settings: Settings, options: argparse.Namespace) -> int:
    wanted: dict[str, Any] = {"selection": options.selection, "again": options.again}
    if options.release is not None:
        wanted["release"] = options.release
    else:
        wanted["config"] = read_json(options.config)
    if options.waves is not None:
        wanted["waves"] = [each.strip() for each in options.waves.split(",") if each.strip()]
    if options.lost_max is not None:
        wanted["lost_max"] = options.lost_max
    if options.deadline_hours is not None:
        wanted["deadline_s"] = options.deadline_hours * 3600
    body = rollouts.RolloutBody.model_validate(wanted)
    with writing(settings) as tx:
        if options.preview:
            print_json(views.plan_view(rollouts.plan(tx.conn, body)))
        else:  # a running cloud goes on with it
            print_json(views.view(tx.conn, rollouts.start(tx, actor(), body, now_s())))
    return 0


def _rollout_list(settings: Settings, options: argparse.Namespace) -> int:
    with reading(settings) as conn:
        for each in views.list_rollouts(conn, options.limit, None):
            print_json(each)
    return 0


def _rollout_show(settings: Settings, options: argparse.Namespace) -> int:
    with reading(settings) as conn:
        print_json(views.view(conn, rollouts.get(conn, options.rollout_id)))
        after = None
        while found := views.piles_of(conn, options.rollout_id, None, 500, after):
            for each in found:
                print_json(each)
            after = found[-1]["device_id"]
    return 0


def _rollout_change(settings: Settings, options: argparse.Namespace) -> int:
    with writing(settings) as tx:
        options.change(tx, actor(), options.rollout_id, now_s())
        print_json(views.view(tx.conn, rollouts.get(tx.conn, options.rollout_id)))
    return 0
