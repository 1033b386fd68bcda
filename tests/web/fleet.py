"""A cloud for the console's tests: the real one over its own database, its broker a list, its piles played.

Piles are registered, greet, charge and settle through the same messages that real ones send.
"""

from __future__ import annotations

import json
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select, update

from cloud_stub.base.ids import new_id
from cloud_stub.cloud import Cloud
from cloud_stub.db.engine import to_json
from cloud_stub.db.payment_tables import payment_calls, payment_holds
from cloud_stub.db.tables import orders as orders_table
from cloud_stub.db.tables import piles as piles_table
from cloud_stub.db.tables import settlements
from cloud_stub.jobs import expiry
from cloud_stub.piles import registry
from cloud_stub.settings import Settings
from tests import servers
from tests.cloud.fakes import FLAT_RATE, WAIT_S, FakeLink, FakePile, open_sealed
from tools.harness.api_client import Client
from tools.harness.phone import Phone, PhoneOrder
from tools.harness.system import SIMULATED_POWER_W

TOKEN = "operator-token-of-the-console"
DAY_RATE = {
    "currency": "CNY",
    "time_zone": "Asia/Shanghai",
    "session_fee_minor": 50,
    "periods": [
        {"start": "00:00", "label": "valley", "electricity_price": 320_000, "service_price": 300_000},
        {"start": "07:00", "label": "flat", "electricity_price": 650_000, "service_price": 400_000},
        {"start": "17:00", "label": "peak", "electricity_price": 1_050_000, "service_price": 450_000},
        {"start": "19:00", "label": "sharp", "electricity_price": 1_280_000, "service_price": 500_000},
        {"start": "22:00", "label": "flat", "electricity_price": 650_000, "service_price": 400_000},
    ],
}


class Fleet:
    """The cloud's address and its piles."""

    def __init__(self, url: str, cloud: Cloud, link: FakeLink):
        self.url = url
        self.cloud = cloud
        self.link = link
        self.operator = Client(url, TOKEN)
        self.phone = Phone(url)

    def pile(
        self,
        device_id: str,
        name: str = "",
        rate: dict[str, Any] | None = FLAT_RATE,
        online: bool = True,
        connectors: int = 2,
    ) -> FakePile:
        """A registered pile that has greeted."""
        body = {"device_id": device_id, "name": name, "connectors": connectors}
        made = self.operator.post("/api/piles", body)
        assert made.status == 201, made.body
        key = bytes.fromhex(made.json()["key"])
        pile = FakePile(
            device_id, key, lambda topic, data: self.link.deliver(f"pile/v1/{device_id}/{topic}", data)
        )
        if rate:
            priced = self.operator.put(f"/api/piles/{device_id}/rate?allow_unusual=true", rate)
            assert priced.status == 201, priced.body
        if online:
            self.report(pile, connectors)
        return pile

    def report(self, pile: FakePile, connectors: int = 2, **told: Any) -> None:
        """A whole status; `told` replaces its members, `said={1: {...}}` those of a connector."""
        said = told.pop("said", {})
        idle = {"status": "Available", "fault": None, "plugged": False, "order_id": None}
        status = {
            "online": True,
            "firmware": "1.0.0",
            "connectors": [{"connector": n, **idle, **said.get(n, {})} for n in range(1, connectors + 1)],
            "heap_free_bytes": 48_000,
            "heap_min_free_bytes": 21_504,
            "clock": "Cloud",
            "outbox": 0,
            "outbox_full": False,
            "dropped": 0,
            "damaged": 0,
            "late_max_ms": 3,
            "at": int(time.time()),
        }
        pile._say("status", status | told)

    def reported(self, pile: FakePile, members: dict[str, Any]) -> None:
        """The pile's last status has these members too, as a newer pile's would."""
        status = json.loads(self.row(pile.device_id).status_json) | members
        query = update(piles_table).where(piles_table.c.device_id == pile.device_id)
        self.cloud.writer.submit(
            lambda tx: tx.conn.execute(query.values(status_json=to_json(status)))
        ).result(WAIT_S)

    def order(self, pile: FakePile, connector: int = 1, **limits: int) -> tuple[PhoneOrder, dict[str, Any]]:
        """A confirmed order and its message, as the pile has it; accepted and charging."""
        plugged = {connector: {"status": "Preparing", "plugged": True}}
        self.report(pile, said=plugged)
        order = self.phone.order(pile.device_id, connector=connector, limits=limits)
        message = open_sealed("order", self.link.sent(pile.device_id, "order")[-1], pile.key)
        for state in ("Accepted", "Charging"):
            pile.order_status(order.order_id, state, connector=connector)
        return order, message

    def charge(
        self,
        pile: FakePile,
        order: PhoneOrder,
        connector: int = 1,
        energy_mwh: int = 2_345_678,
        **meter: int,
    ) -> None:
        """The pile says that it charges, and how much so far."""
        on = {"status": "Charging", "plugged": True, "order_id": order.order_id}
        self.report(pile, said={connector: on})
        said = {
            "order_id": order.order_id,
            "connector": connector,
            "at": int(time.time()),
            "register_mwh": pile.register_mwh(connector) + energy_mwh,
            "energy_mwh": energy_mwh,
            "power_mw": 6_912_000,
            "cost_minor": 331,
            "elapsed_s": 1_221,
            "remaining": {"energy_mwh": None, "cost_minor": None, "duration_s": 100},
        }
        pile._say("meter", said | meter)

    def give_up(self, order: PhoneOrder) -> None:
        """The time to answer it has run out."""
        late = order.placed["expires_at"] + 60
        self.cloud.writer.submit(lambda tx: expiry.expire_orders(tx, self.cloud.context, late)).result(WAIT_S)

    def settle(
        self, pile: FakePile, order: PhoneOrder, message: dict[str, Any], mwh: int, **lies: Any
    ) -> None:
        """The pile ends the order; its connectors are free again."""
        pile.order_status(order.order_id, "Finishing", connector=message["connector"])
        pile.settle(message, mwh, **lies)
        self.report(pile)

    def charged(self, pile: FakePile, mwh: int, pay: bool = True, **lies: Any) -> PhoneOrder:
        """A whole order, from its confirmation to its settlement."""
        order, message = self.order(pile)
        self.settle(pile, order, message, mwh, **lies)
        if pay:
            assert order.pay(order.view()["total_minor"]).status == 200
        return order

    def credit(self, order: PhoneOrder, amount_minor: int) -> None:
        """Credit that much of the order's bill."""
        body = {"amount_minor": amount_minor, "reason": "已退还"}
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        path = f"/api/orders/{order.order_id}/credits"
        assert self.operator.request("POST", path, body, headers=headers).status == 201

    def hold(
        self, device_id: str, order_id: str | None, state: str, *calls: tuple[str, int, str], **own: Any
    ) -> str:
        """A hold of 20.00 as the provider `test` leaves it, with calls (kind, minor units, state); its id."""
        now = int(time.time())
        hold_id = "h-" + new_id()
        hold = {
            "hold_id": hold_id,
            "idempotency_key": hold_id,
            "request_digest": "",
            "device_id": device_id,
            "order_id": order_id,
            "adapter": "test",
            "is_test": True,
            "amount_minor": 2_000,
            "currency": "CNY",
            "minor_digits": 2,
            "state": state,
            "ref": "test-" + hold_id,
            "open": False,
            "created_at": now,
            "changed_at": now,
        }
        rows = [
            {
                "key": f"k-{new_id()}",
                "hold_id": hold_id,
                "kind": kind,
                "amount_minor": minor,
                "state": said,
                "reason": own.get("reason") if said == "Refused" else None,
                "created_at": now,
                "next_at": now,
                "resolved_at": now,
            }
            for kind, minor, said in (("authorize", 2_000, "Done"), *calls)
        ]

        def unit(tx: Any) -> None:
            tx.conn.execute(insert(payment_holds), hold | own)
            tx.conn.execute(insert(payment_calls), rows)

        self.cloud.writer.submit(unit).result(WAIT_S)
        return hold_id

    def many(self, count: int) -> None:
        """Piles as rows, of which every fiftieth has a fault and every tenth is offline."""
        now = int(time.time())
        rows = []
        for n in range(count):
            fault = "GroundFailure" if n % 50 == 7 else None
            told = {"connector": 1, "status": "Faulted" if fault else "Available", "fault": fault}
            status = {
                "online": True,
                "firmware": "1.0.0",
                "connectors": [told | {"plugged": False, "order_id": None}],
                "heap_free_bytes": 50_000,
                "heap_min_free_bytes": 30_000 + n,
                "clock": "Cloud",
                "outbox": 0,
                "outbox_full": False,
            }
            rows.append(
                {
                    "device_id": f"FLEET-{n:04}",
                    "name": f"Bay {n}",
                    "key_hex": f"{n:064x}",
                    "connectors": 1,
                    "created_at": now,
                    "online": n % 10 != 3,
                    "last_seen_at": now,
                    "status_json": to_json(status),
                    "faulted": fault is not None,
                }
            )
        self.cloud.writer.submit(lambda tx: tx.conn.execute(insert(piles_table), rows)).result(WAIT_S)

    def copies(self, order: PhoneOrder, count: int) -> None:
        """That many orders like this one."""

        def unit(tx: Any) -> None:
            query = select(orders_table).where(orders_table.c.order_id == order.order_id)
            row = dict(tx.conn.execute(query).one()._mapping)
            copies = [
                row | {"order_id": f"copy-{n:08}", "token": f"t{n}", "idempotency_key": f"key-of-copy-{n}"}
                for n in range(count)
            ]
            tx.conn.execute(insert(orders_table), copies)

        self.cloud.writer.submit(unit).result(WAIT_S)

    def counted_today(self) -> None:
        """The settlements count now, though they say that charging took ten minutes."""
        now = int(time.time())
        self.cloud.writer.submit(lambda tx: tx.conn.execute(update(settlements).values(ended_at=now))).result(
            WAIT_S
        )

    def commands(self, pile: FakePile) -> list[dict[str, Any]]:
        """The commands sent to a pile, their seals checked."""
        return [open_sealed("command", data, pile.key) for data in self.link.sent(pile.device_id, "command")]

    def row(self, device_id: str) -> Any:
        with self.cloud.store.reading.connect() as conn:
            return registry.get(conn, device_id)


@contextmanager
def serving(data: Path, database: Path, **own: Any) -> Iterator[Fleet]:
    """A cloud on a free port of 127.0.0.1 with a copy of the database; `own` settings replace those of all
    others.
    """
    data.mkdir(parents=True, exist_ok=True)
    shutil.copy(database, data / "cloud.db")
    link = FakeLink()
    usual = {"operator_token": TOKEN, "duty_period_s": 60, "connector_power_w": SIMULATED_POWER_W}
    usual["write_s"] = WAIT_S  # a busy machine is no database that does not answer
    settings = Settings(data=data, **(usual | own))
    cloud = Cloud(settings, link)  # type: ignore[arg-type]
    with servers.serving(cloud) as base_url:
        yield Fleet(base_url, cloud, link)
