"""Commands to a whole pile: restart, report, and the list of what is out of service.

A command that a pile's firmware does not know is not sent. What is out of service is refused here all the
same, and sent to the pile again until its status agrees. A pile that is offline gets a command if it comes
back before that expires.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from pile_protocol import seal, topics

from ..base.problems import Problem
from ..db import audit
from ..db.audit import Actor
from ..db.events import record_event
from ..db.rows import PileRow
from ..db.writer import Transaction
from ..piles import boards, registry, service
from ..piles import views as pile_views
from . import commands, lookup
from .context import Context


def put(
    tx: Transaction, context: Context, pile: PileRow, action: str, now: int, members: Mapping[str, Any] | None
) -> None:
    """Send a command that expires after `command_life_s`."""
    expires_at = now + context.settings.command_life_s
    command = {
        "kind": "command",
        "device_id": pile.device_id,
        "action": action,
        **(members or {}),
        "issued_at": now,
        "expires_at": expires_at,
    }
    key = seal.parse_key(pile.key_hex)
    context.outbox.put_sealed(tx, key, topics.COMMAND, command, now, expires_at, None)


def request_report(tx: Transaction, actor: Actor, context: Context, device_id: str, now: int) -> None:
    """Ask the pile to report everything anew. Raises Problem: UnknownPile, PileRemoved."""
    pile = registry.get(tx.conn, device_id, lock=True)
    put(tx, context, pile, "report", now, None)
    audit.record(tx.conn, actor, now, "ReportRequested", device_id=device_id)


def request_restart(tx: Transaction, actor: Actor, context: Context, device_id: str, now: int) -> None:
    """Ask the pile to restart, which it does with every relay open; once, until it greets again or the
    command expires.

    Raises Problem: UnknownPile, PileRemoved, FirmwareTooOld; PileInUse while an order holds it.
    """
    pile = registry.get(tx.conn, device_id, lock=True)
    board = boards.find(tx.conn, device_id)
    if not boards.knows(board, "restart"):
        raise Problem(409, "FirmwareTooOld", "The pile's firmware does not know the command: update it")
    if any(each["busy"] for each in pile_views.connector_views(tx.conn, pile, now)):
        raise Problem(409, "PileInUse", "An order holds the pile; stop it and wait for its settlement")
    asked = audit.Wanted(
        {"device_id": device_id, "action": "RestartRequested"}, now - context.settings.command_life_s
    )
    before = audit.list_lines(tx.conn, asked, 1)
    if before and board is not None and board.hello_at <= before[0].at:
        return
    put(tx, context, pile, "restart", now, None)
    audit.record(tx.conn, actor, now, "RestartRequested", device_id=device_id)
    record_event(tx.conn, now, "RestartRequested", device_id)


def take_out_of_service(
    tx: Transaction,
    actor: Actor,
    context: Context,
    device_id: str,
    connector: int,
    reason: str,
    note: str,
    ends_order: bool,
    now: int,
) -> None:
    """Take a connector (0: the whole pile) out of service. ends_order: stop what charges there; without it, a
    running order goes on to its end.

    Raises Problem: UnknownPile, PileRemoved, UnknownConnector.
    """
    pile = service.take_out(tx, actor, device_id, connector, reason, note, now)
    _send_service(tx, context, pile, now)
    if not ends_order:
        return
    for row in lookup.lock_held(tx.conn, device_id):
        if connector in (service.WHOLE_PILE, row.connector):
            commands.request_stop(tx, actor, context, row.order_id, now)


def put_back_into_service(
    tx: Transaction, actor: Actor, context: Context, device_id: str, connector: int, now: int
) -> None:
    """Put a connector (0: the pile and all its connectors) back into service.

    Raises Problem: UnknownPile, PileRemoved, UnknownConnector, PileOutOfService.
    """
    pile = service.put_back(tx, actor, device_id, connector, now)
    _send_service(tx, context, pile, now)


def _send_service(tx: Transaction, context: Context, pile: PileRow, now: int) -> None:
    if pile.online and boards.knows(boards.find(tx.conn, pile.device_id), "service"):
        _put_service(tx, context, pile, service.find(tx.conn, pile.device_id), now)


def _put_service(tx: Transaction, context: Context, pile: PileRow, out: service.Out, now: int) -> None:
    rows = sorted(service.reasons(out, pile.connectors).items())
    put(tx, context, pile, "service", now, {"out": [list(row) for row in rows]})
    boards.mark_service_sent(tx.conn, pile.device_id, now)


def reconcile_service(
    tx: Transaction, context: Context, piles: Iterable[PileRow], now: int, greeted: bool = False
) -> None:
    """Send the list of what is out of service to each of the piles whose last status differs from it.

    A pile that did not act on the list gets it again once the command has expired, and after its hello.
    """
    rows = {row.device_id: row for row in piles if row.online or greeted}
    if not rows:
        return
    out = service.find_many(tx.conn, rows)
    differing = [
        row
        for row in rows.values()
        if service.reasons(out[row.device_id], row.connectors) != pile_views.out_of_service_reported(row)
    ]
    if not differing:
        return
    boards_of = boards.find_many(tx.conn, [row.device_id for row in differing])
    for row in differing:
        board = boards_of.get(row.device_id)
        if board is None or not boards.knows(board, "service"):
            continue
        if greeted or (board.service_sent_at or 0) + context.settings.command_life_s <= now:
            _put_service(tx, context, row, out[row.device_id], now)
