"""Tags of piles: short words, as many as an operator likes, for selections such as `tag:fast`."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

from pydantic import Field
from sqlalchemy import Connection, bindparam, delete, func, select

from ..base.body import Body
from ..base.problems import invalid
from ..base.text import is_line
from ..db import audit, json_lists
from ..db.audit import Actor
from ..db.engine import insert_or_ignore, to_json
from ..db.rows import Query
from ..db.site_tables import pile_tags
from ..db.writer import Transaction

OF_PILE_MAX = 20
TAGS_LISTED_MAX = 500


class TagsBody(Body):
    """Tags to add to the selected piles, and to take off them."""

    selection: str = Field(max_length=64, examples=["site:HARBOUR"])
    add: list[str] = Field(default=[], max_length=OF_PILE_MAX, examples=[["fast"]])
    remove: list[str] = Field(default=[], max_length=OF_PILE_MAX)


class _Tag(NamedTuple):
    device_id: str
    tag: str


class _Count(NamedTuple):
    tag: str
    piles: int


_OF_PILES = Query(
    select(pile_tags.c.device_id, pile_tags.c.tag)
    .where(pile_tags.c.device_id.in_(json_lists.texts("device_ids")))
    .order_by(pile_tags.c.device_id, pile_tags.c.tag),
    _Tag,
)
_COUNTS = Query(
    select(pile_tags.c.tag, func.count().label("piles"))
    .group_by(pile_tags.c.tag)
    .order_by(pile_tags.c.tag)
    .limit(TAGS_LISTED_MAX),
    _Count,
)
_REMOVE = delete(pile_tags).where(
    pile_tags.c.device_id.in_(json_lists.texts("device_ids")), pile_tags.c.tag == bindparam("of")
)


def change(
    tx: Transaction, actor: Actor, device_ids: Sequence[str], add: list[str], remove: list[str], now: int
) -> None:
    """device_ids: of selection.pile_ids. Raises Problem (InvalidRequest)."""
    _check(add, "add")
    _check(remove, "remove")
    before = of_piles(tx.conn, device_ids)
    after = {each: {*before[each], *add} - set(remove) for each in device_ids}
    full = [each for each in device_ids if len(after[each]) > OF_PILE_MAX]
    if full:
        raise invalid(("add", f"{full[0]} would have more than {OF_PILE_MAX} tags"))
    for tag in remove:
        tx.conn.execute(_REMOVE, {"device_ids": to_json(list(device_ids)), "of": tag})
    rows = [{"device_id": each, "tag": tag} for each in device_ids for tag in add if tag not in remove]
    if rows:
        tx.conn.execute(insert_or_ignore(tx.conn, pile_tags), rows)
    detail = " ".join([*(f"+{tag}" for tag in add), *(f"-{tag}" for tag in remove)])
    changed = [each for each in device_ids if after[each] != set(before[each])]
    audit.record_all(
        tx.conn, actor, now, [audit.Line("PileTagged", device_id=each, detail=detail) for each in changed]
    )


def _check(tags: list[str], field: str) -> None:
    """Raises Problem (InvalidRequest)."""
    for reason in reasons_against(tags):
        raise invalid((field, reason))


def reasons_against(tags: list[str]) -> list[str]:
    """Why these cannot be the tags of one pile."""
    found = []
    if any(
        not (1 <= len(tag) <= 32 and tag.isprintable() and is_line(tag) and not set(tag) & set(" ,;"))
        for tag in tags
    ):
        found.append("a tag has 1 to 32 printable characters, no blank, comma or semicolon")
    if len(tags) > OF_PILE_MAX:
        found.append(f"a pile has at most {OF_PILE_MAX} tags")
    return found


def of_piles(conn: Connection, device_ids: Sequence[str]) -> defaultdict[str, list[str]]:
    """device id -> its tags, sorted."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for row in _OF_PILES.all(conn, {"device_ids": to_json(list(device_ids))}):
        found[row.device_id].append(row.tag)
    return found


def list_views(conn: Connection) -> list[dict[str, Any]]:
    """The tags, and how many piles have each."""
    return [row._asdict() for row in _COUNTS.all(conn)]
