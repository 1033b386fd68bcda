"""Several workers on one PostgreSQL: work on one pile waits for other work on it only where it must."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import Connection, insert, text
from sqlalchemy.exc import OperationalError

from cloud_stub.bridges import availability
from cloud_stub.cloud import Cloud, write
from cloud_stub.db import audit
from cloud_stub.db.audit import Actor
from cloud_stub.db.tables import meter_samples
from cloud_stub.db.writer import Transaction, Writer
from cloud_stub.orders import commands, lookup, pile_commands
from cloud_stub.piles import registry, service
from cloud_stub.settlements import reviews
from cloud_stub.settlements import store as settlement_store
from tests.cloud.conftest import Phone, until_it_waits
from tests.cloud.fakes import ACTOR, WAIT_S, FakePile

pytestmark = pytest.mark.parametrize("settings", ["postgresql"], indirect=True)


def impatient(cloud: Cloud) -> Connection:
    """In a transaction in which whatever waits for a lock raises instead."""
    conn = cloud.store.writing.connect()
    conn.begin()
    conn.execute(text("SET LOCAL lock_timeout = '1ms'"))
    return conn


def sample(order_id: str) -> dict[str, Any]:
    numbers = ("at", "register_mwh", "energy_mwh", "power_mw", "cost_minor", "elapsed_s")
    return dict.fromkeys(numbers, 1) | {"order_id": order_id, "remaining_json": "{}"}


def two_orders(phone: Phone, add_pile: Any) -> tuple[str, str]:
    ids = []
    for number in (1, 2):
        pile: FakePile = add_pile(f"PILE-{number}")
        phone.order(pile.device_id)
        ids.append(phone.order_id)
    return ids[0], ids[1]


def test_a_meter_value_does_not_wait_for_who_moves_its_order(phone: Phone, add_pile: Any, cloud: Cloud):
    first, second = two_orders(phone, add_pile)
    with impatient(cloud) as one, impatient(cloud) as other:
        assert lookup.lock(one, first)
        assert lookup.lock(other, second)
        one.execute(insert(meter_samples), sample(second))
        other.execute(insert(meter_samples), sample(first))
        one.commit()
        other.commit()


def test_a_stop_does_not_wait_for_who_has_its_pile(phone: Phone, pile: FakePile, cloud: Cloud):
    phone.order()
    with impatient(cloud) as one, impatient(cloud) as other:
        assert registry.lock_many(one, [pile.device_id])
        tx = Transaction(other)
        commands.request_stop(tx, None, cloud.context, phone.order_id, 1_800_000_000)
        other.commit()


def test_two_who_move_one_order_come_one_after_the_other(phone: Phone, pile: FakePile, cloud: Cloud):
    phone.order()
    with impatient(cloud) as one, impatient(cloud) as other:
        assert lookup.lock(one, phone.order_id)
        with pytest.raises(OperationalError, match="lock timeout"):
            lookup.lock(other, phone.order_id)


def test_of_two_who_wait_for_each_other_both_succeed_in_the_end(phone: Phone, add_pile: Any, cloud: Cloud):
    first, second = two_orders(phone, add_pile)
    both_have_one = Barrier(2)
    tries = {first: 0, second: 0}

    def lock_both(mine: str, others: str) -> None:
        def unit(tx: Transaction) -> None:
            tries[mine] += 1
            assert lookup.lock(tx.conn, mine)
            if tries[mine] == 1:
                both_have_one.wait(WAIT_S)
            assert lookup.lock(tx.conn, others)

        writer = Writer(cloud.store.writing)
        writer.start()
        try:
            asyncio.run(write(writer, unit, WAIT_S))
        finally:
            writer.stop()

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(lock_both, first, second), pool.submit(lock_both, second, first)]:
            done.result(2 * WAIT_S)
    assert sum(tries.values()) > 2


def test_what_is_decided_while_a_gap_closes_stands(
    operator: Any, phone: Phone, pile: FakePile, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
):
    """Flagged again, it could neither be paid nor be decided about once more."""
    phone.order()
    message = phone.message(pile)
    missing = pile.sealed(pile.settlement(message | {"order_id": "lost"}))
    pile.settle(message, prev_mac="0" * 64)  # does not follow the missing one
    body = reviews.ReviewBody(decision="release", note="The meter was read on site.")
    write_known = settlement_store._Group.write

    def decided_meanwhile(*arguments: Any) -> None:
        with cloud.store.writing.begin() as conn:
            reviews.review(Transaction(conn), ACTOR, cloud.context, 1, body, 1_800_000_000)
        write_known(*arguments)

    monkeypatch.setattr(settlement_store._Group, "write", decided_meanwhile)
    pile.say("settlement", missing)
    shown = operator("GET", "/api/settlements/1").json()
    assert (shown["flags"], shown["flagged"], shown["review"]["decision"]) == (
        ["ChainBroken"],
        False,
        "Released",
    )
    assert phone.pay(350).status_code == 200


def test_another_system_does_not_replace_what_an_operator_takes_out_meanwhile(pile: FakePile, cloud: Cloud):
    """It would put it back into service later."""
    other = Actor(audit.CLOUD, "home-assistant")

    def switched() -> bool:
        with cloud.store.writing.begin() as conn:
            return availability.switch(Transaction(conn), other, cloud.context, "PILE-1", 1, True, "", 1)

    with ThreadPoolExecutor() as pool:
        with cloud.store.writing.begin() as conn:
            tx = Transaction(conn)
            pile_commands.take_out_of_service(
                tx, ACTOR, cloud.context, pile.device_id, 1, "Damaged", "", False, 1
            )
            asked = pool.submit(switched)
            until_it_waits(cloud, asked)
        assert asked.result(WAIT_S)
    with cloud.store.reading.connect() as conn:
        assert service.find(conn, pile.device_id)[1].reason == "Damaged"
