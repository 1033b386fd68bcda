"""Selections: a text that names piles: `pile:<id>`, `tag:<tag>`, `site:<id>` or `all`."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, select

from ..base.problems import invalid
from ..db.rows import Query
from ..db.site_tables import pile_tags
from ..db.tables import piles
from ..piles import registry as pile_registry
from ..rates.assignments import Place
from . import registry

_ID = "[A-Za-z0-9_-]{1,32}"
_PLACE = re.compile(
    rf"site:(?P<site>{_ID})|pile:(?P<pile>{_ID})|connector:(?P<of>{_ID})/(?P<number>[1-9][0-9]?)"
)


class _Pile(NamedTuple):
    device_id: str


_ALL = select(piles.c.device_id).where(piles.c.removed_at.is_(None)).order_by(piles.c.device_id)
_EVERY = Query(_ALL, _Pile)
_AT_SITE = Query(_ALL.where(piles.c.site_id == bindparam("site_id")), _Pile)
_WITH_TAG = Query(
    _ALL.where(
        piles.c.device_id.in_(select(pile_tags.c.device_id).where(pile_tags.c.tag == bindparam("tag")))
    ),
    _Pile,
)


def pile_ids(conn: Connection, selection: str) -> list[str]:
    """The ids of the piles that the selection names, sorted; none that was removed.

    Raises Problem: InvalidRequest; UnknownPile, PileRemoved, UnknownSite where it names one.
    """
    kind, _, name = selection.partition(":")
    if selection == "all":
        return [row.device_id for row in _EVERY.all(conn)]
    if kind == "pile":
        return [pile_registry.get(conn, name).device_id]
    if kind == "site":
        site_id = registry.get(conn, name).site_id
        return [row.device_id for row in _AT_SITE.all(conn, {"site_id": site_id})]
    if kind == "tag" and name.isprintable():  # PostgreSQL takes no NUL
        return [row.device_id for row in _WITH_TAG.all(conn, {"tag": name})]
    raise invalid(("selection", "must be pile:<id>, tag:<tag>, site:<id> or all"))


def places(conn: Connection, texts: Iterable[str]) -> list[Place]:
    """Where a tariff is to be assigned: `site:<id>`, `pile:<id>`, `connector:<pile>/<number>`, and for
    `tag:<tag>` each pile that has it. Raises Problem (InvalidRequest).
    """
    found: list[Place] = []
    for text in texts:
        if text.startswith("tag:"):
            found += [Place("", device_id, 0) for device_id in pile_ids(conn, text)]
            continue
        one = _PLACE.fullmatch(text)
        if one is None:
            reason = f"{text[:60]} is not site:<id>, pile:<id>, connector:<pile>/<number> or tag:<tag>"
            raise invalid(("places", reason))
        found.append(Place(one["site"] or "", one["pile"] or one["of"] or "", int(one["number"] or 0)))
    return found
