"""What is sent to a pile for a rollout: a release, a configuration, or the end of a download."""

import hashlib
from typing import Any

from pile_protocol import topics

from ..base.problems import unknown_pile
from ..db.release_rows import BoardRow, RolloutRow
from ..db.writer import Transaction
from ..messaging.outbox import withdraw_named
from ..orders.context import Context
from ..piles import boards
from ..piles.keys import find_key

OFFER_LIFE_S = 60
CANCEL_LIFE_S = 86_400  # a pile that is offline gets it when it comes back


def offer_release(
    tx: Transaction, context: Context, row: RolloutRow, board: BoardRow, device_id: str, now: int
) -> None:
    message: dict[str, Any] = {
        "kind": "update",
        "device_id": device_id,
        "issued_at": now,
        "expires_at": now + OFFER_LIFE_S,
        "release": board.number,
        "signature": board.signature,
    }
    if boards.fetches_manifest(boards.find(tx.conn, device_id)):
        manifest = board.manifest.encode()
        message |= {"manifest_sha256": hashlib.sha256(manifest).hexdigest(), "manifest_bytes": len(manifest)}
    else:
        message["manifest"] = board.manifest
    _put(tx, context, topics.UPDATE, message | ({"again": True} if row.again else {}), now)


def offer_configuration(
    tx: Transaction, context: Context, row: RolloutRow, values: dict[str, Any], device_id: str, now: int
) -> None:
    message = {
        "kind": "config",
        "device_id": device_id,
        "issued_at": now,
        "expires_at": now + OFFER_LIFE_S,
        "version": row.id,
        "values": values,
    }
    _put(tx, context, topics.CONFIG, message, now)


def withdraw(tx: Transaction, context: Context, row: RolloutRow, device_id: str, now: int) -> None:
    """Have the pile drop the download. A configuration is whole when it arrives: there is nothing to drop."""
    if row.release is None:
        withdraw_named(tx, device_id, topics.CONFIG)
        return
    message = {
        "kind": "cancel",
        "device_id": device_id,
        "issued_at": now,
        "expires_at": now + CANCEL_LIFE_S,
        "release": row.release,
    }
    _put(tx, context, topics.UPDATE, message, now)


def _put(tx: Transaction, context: Context, name: str, message: dict[str, Any], now: int) -> None:
    """One message of a name waits for a pile at most: a later one replaces what was not delivered."""
    device_id = message["device_id"]
    key = find_key(tx.conn, device_id)
    if key is None:
        raise unknown_pile(device_id)
    withdraw_named(tx, device_id, name)
    context.outbox.put_sealed(tx, key, name, message, now, message["expires_at"], None)
