"""Piles registered in bulk, from a table as CSV: all of them, or none and each wrong row with its reason."""

import csv
import io
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import NamedTuple

from pydantic import Field

from pile_protocol import messages, wire
from pile_protocol.errors import MessageError

from ..base.body import Body
from ..base.problems import Problem, invalid
from ..base.text import LINE_REASON, is_line
from ..db.audit import Actor
from ..db.writer import Transaction
from ..piles import registry as pile_registry
from ..piles.broker_acl import CLOUD_USER
from . import registry, tags

COLUMNS = ("device_id", "name", "connectors", "site", "tags")
ROWS_MAX = 1_000
TEXT_MAX = 60_000
NAME_MAX = 100
ERRORS_MAX = 100  # of one answer
DIGITS_MAX = 9  # of a number that is read: int() refuses thousands of them


class ImportBody(Body):
    """A table with a head line: device_id, and any of name, connectors, site, tags. Blanks separate the tags;
    commas, semicolons or tabs separate the columns.
    """

    csv: str = Field(
        min_length=1,
        max_length=TEXT_MAX,
        examples=["device_id,name,connectors,site,tags\nPILE-1,Gate 1,2,HARBOUR,fast kerbside"],
    )


class _Row(NamedTuple):
    """One row, checked as far as it can be without the database. line: in the text, from 1."""

    line: int
    device_id: str
    name: str
    connectors: int
    site_id: str | None
    tags: list[str]


Errors = list[tuple[str, str]]  # (line, reason)


def import_piles(
    tx: Transaction, actor: Actor, text: str, admit: Callable[[Mapping[str, bytes]], None], now: int
) -> dict[str, bytes]:
    """Register every pile of the table; returns their keys by id.

    admit: lets piles, by id with their keys, connect to the broker; called before the commit. Raises Problem
    (InvalidRequest) that names each wrong row, and OSError of `admit`; nothing is registered then.
    """
    errors: Errors = []
    found = _read(text, errors)
    _check_against_database(tx, found, errors)
    if errors:
        errors.sort(key=lambda each: int(each[0].removeprefix("line ")))
        raise invalid(*errors[:ERRORS_MAX])
    keys = pile_registry.add(
        tx, actor, [pile_registry.NewPile(each.device_id, each.name, each.connectors) for each in found], now
    )
    at_sites: defaultdict[str, list[str]] = defaultdict(list)
    with_tags: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
    for each in found:
        if each.site_id is not None:
            at_sites[each.site_id].append(each.device_id)
        if each.tags:
            with_tags[tuple(each.tags)].append(each.device_id)
    for site_id, device_ids in sorted(at_sites.items()):  # in one order, so that two imports do not deadlock
        registry.move(tx, actor, device_ids, site_id, now)
    for own, device_ids in with_tags.items():
        tags.change(tx, actor, device_ids, list(own), [], now)
    admit(keys)
    return keys


def _read(text: str, errors: Errors) -> list[_Row]:
    """Raises Problem (InvalidRequest) where there is no table at all."""
    text = text.removeprefix("\ufeff")  # as spreadsheets write it
    head = next(iter(text.splitlines()), "")
    delimiter = max(",;\t", key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        names = [each.strip().lower() for each in next(reader, [])]
        _check_head(names)
        rows = [(reader.line_num, row) for row in reader if any(each.strip() for each in row)]
    except csv.Error as error:
        raise invalid((f"line {reader.line_num}", f"is not CSV: {error}")) from error
    if not rows:
        raise invalid(("csv", "has no row under its head"))
    if len(rows) > ROWS_MAX:
        raise invalid(("csv", f"has more than {ROWS_MAX} rows"))
    found, lines = [], {}
    for line, row in rows:
        wrong: list[str] = []
        one = _read_row(line, names, row, wrong)
        if one is not None and one.device_id in lines:
            wrong.append(f"device_id: {one.device_id} is on line {lines[one.device_id]} already")
        elif one is not None:
            lines[one.device_id] = line
            found.append(one)
        errors += [(f"line {line}", reason) for reason in wrong]
    return found


def _check_head(names: list[str]) -> None:
    unknown = [name for name in names if name not in COLUMNS]
    if unknown or "device_id" not in names or len(set(names)) < len(names):
        given = ", ".join(each[:30] for each in names)
        raise invalid(("line 1", f"must name device_id and any of {', '.join(COLUMNS[1:])}, not {given}"))


def _read_row(line: int, names: list[str], row: list[str], wrong: list[str]) -> _Row | None:
    """None, and the reason in `wrong`, where the row has no usable id; else what is wrong is in `wrong`."""
    if len(row) != len(names):
        wrong.append(f"has {len(row)} columns, the head {len(names)}")
        return None
    given = {name: value.strip() for name, value in zip(names, row, strict=True)}
    device_id = given["device_id"]
    try:
        wire.DEVICE_ID.check("device_id", device_id)
    except MessageError as error:
        wrong.append(f"device_id: {error}".replace("device_id: device_id", "device_id"))
        return None
    if device_id == CLOUD_USER:
        wrong.append("device_id: is the cloud's own name at the broker")
    name = given.get("name", "")
    if len(name) > NAME_MAX:
        wrong.append(f"name: at most {NAME_MAX} characters")
    if not is_line(name):
        wrong.append(f"name: {LINE_REASON}")
    connectors = given.get("connectors") or "1"
    if not (connectors.isascii() and connectors.isdecimal()):
        wrong.append("connectors: must be a whole number")
        connectors = "1"
    elif len(connectors) > DIGITS_MAX or not 1 <= int(connectors) <= messages.MAX_CONNECTORS:
        wrong.append(f"connectors: must be from 1 to {messages.MAX_CONNECTORS}")
        connectors = "1"
    own_tags = list(dict.fromkeys(given.get("tags", "").split()))
    wrong += [f"tags: {reason}" for reason in tags.reasons_against(own_tags)]
    return _Row(line, device_id, name or device_id, int(connectors), given.get("site") or None, own_tags)


def _check_against_database(tx: Transaction, found: list[_Row], errors: Errors) -> None:
    taken = pile_registry.find_many(tx.conn, [each.device_id for each in found])
    unknown = set()
    for site_id in {each.site_id for each in found if each.site_id is not None}:
        try:
            registry.get(tx.conn, site_id)
        except Problem:
            unknown.add(site_id)
    for each in found:
        row = taken.get(each.device_id)
        if row is not None:
            was = "there is" if row.removed_at is None else "there was"
            errors.append((f"line {each.line}", f"device_id: {was} a pile with the id {each.device_id}"))
        if each.site_id in unknown:
            errors.append((f"line {each.line}", f"site: there is no site {(each.site_id or '')[:40]}"))


def keys_as_csv(keys: Mapping[str, bytes]) -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(("device_id", "key"))
    writer.writerows((device_id, key.hex()) for device_id, key in keys.items())
    return out.getvalue()
