"""The system that a row measures. Its piles are in the database before the cloud starts."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cloud_stub.base.clock import now_s
from cloud_stub.base.ids import new_id
from cloud_stub.base.tokens import new_token
from cloud_stub.db.audit import COMMAND_LINE, Actor
from cloud_stub.db.engine import Store, to_json
from cloud_stub.db.tables import orders as orders_table
from cloud_stub.db.writer import Transaction
from cloud_stub.messaging.outbox import Outbox
from cloud_stub.orders import states
from cloud_stub.piles import registry
from cloud_stub.rates import model, schedule, versions
from cloud_stub.rates.holding import Versions
from cloud_stub.settings import Settings
from pile_protocol import pricing
from tools.harness.chain import Chain
from tools.harness.system import DEMO_RATE, PileIdentity

ACTOR = Actor(COMMAND_LINE, "bench")
DURATION_S = 3_600


@contextmanager
def database(data: Path) -> Iterator[Store]:
    """The cloud's own database in a data folder, migrated."""
    settings = Settings(data=data, database_url=None)
    settings.prepare()
    store = Store(settings.database)
    try:
        store.migrate()
        yield store
    finally:
        store.close()


def register(store: Store, names: Iterable[str], rate: dict[str, Any] = DEMO_RATE) -> list[PileIdentity]:
    """Registers piles with one rate each. The cloud adds them to the broker when it starts."""
    body = model.parse(rate)
    made = []
    with store.writing.begin() as conn:
        tx = Transaction(conn)
        keys = registry.add(tx, ACTOR, [registry.NewPile(name, name, 1) for name in names], now_s())
        for name, key in keys.items():
            versions.publish_for_pile(tx, ACTOR, Outbox(), name, body, now_s())
            made.append(PileIdentity(name, key.hex(), 1))
    return made


def charging_orders(store: Store, device_ids: list[str], count: int) -> list[dict[str, Any]]:
    """Makes `count` running orders, spread over the piles; returns their messages."""
    now = now_s()
    with store.writing.begin() as conn:
        rate_of = {device_id: Versions().at(conn, device_id, 1, now) for device_id in device_ids}
        rows, made = [], []
        for number in range(count):
            device_id = device_ids[number % len(device_ids)]
            rate = schedule.lock_rate(rate_of[device_id] or {}, now, now + 60 + DURATION_S)
            message = {
                "kind": "order",
                "device_id": device_id,
                "connector": 1,
                "order_id": new_id(),
                "issued_at": now,
                "expires_at": now + 60,
                "limits": {"duration_s": DURATION_S},
                "rate": rate,
            }
            rows.append(order_row(message, "Charging"))
            made.append(message)
        conn.execute(orders_table.insert(), rows)
    return made


def order_row(message: dict[str, Any], state: str) -> dict[str, Any]:
    """The row of the table `orders` that belongs to an order's message."""
    return {
        "order_id": message["order_id"],
        "device_id": message["device_id"],
        "connector": message["connector"],
        "state": state,
        "version": 3,
        "token": new_token(),
        "idempotency_key": secrets.token_hex(16),
        "request_digest": "0" * 64,
        "rate_id": message["rate"]["rate_id"],
        "rate_digest": pricing.digest(message["rate"]),
        "rate_json": to_json(message["rate"]),
        "limits_json": to_json(message["limits"]),
        "created_at": message["issued_at"],
        "expires_at": message["expires_at"],
        "window_end_at": message["expires_at"] + message["limits"]["duration_s"],
        "accepted_at": message["issued_at"],
        "charging_at": message["issued_at"],
        "holds": state in states.HOLDING,
    }


def chain(pile: PileIdentity, seq: int = 0) -> Chain:
    """The chain of settlements of a pile without a process, after its first `seq` settlements."""
    return Chain(pile.device_id, bytes.fromhex(pile.key), seq)
