"""Messages stored as one batch leave what the same ones leave when they come one by one."""

import json
import random
import re
from pathlib import Path
from typing import Any

import pytest

from cloud_stub.cloud import Cloud
from cloud_stub.db.engine import Store
from cloud_stub.settings import Settings
from pile_protocol import topics
from tests.cloud.conftest import OPERATOR, Phone
from tests.cloud.fakes import WAIT_S, FakeLink, FakePile

TABLES = ("settlements", "events", "orders", "rejects", "outbox", "piles", "meter_samples")
TIMES = {"received_at", "at", "accepted_at", "charging_at", "finishing_at", "settled_at", "last_seen_at"}
Sent = tuple[str, str, bytes]  # device id, topic name, payload


def books(path: Path) -> dict[str, list[dict[str, Any]]]:
    """Every row that messages touch, without the times of the run. Kinds overtake each other in a batch, so
    events and rejects are compared without their order."""
    store = Store(f"sqlite:///{path}")
    with store.reading.connect() as conn:
        found = {}
        for table in TABLES:
            rows = conn.exec_driver_sql(f"SELECT * FROM {table} ORDER BY 1").mappings()
            left_out = TIMES | ({"id"} if table in ("events", "rejects") else set())
            found[table] = [
                {name: _timeless(row[name]) for name in row if name not in left_out} for row in rows
            ]
            if "id" in left_out:
                found[table].sort(key=repr)
    store.close()
    return found


def _timeless(value: Any) -> Any:
    return re.sub(r',"occupied_since":\d+', "", value) if isinstance(value, str) else value


def ingested(data: Path, sent: list[Sent], together: bool) -> tuple[dict[str, Any], int]:
    """(the books after the cloud of `data` took the messages, how many acknowledgements it sent)."""
    link = FakeLink()
    cloud = Cloud(Settings(data=data, operator_token=OPERATOR), link)  # type: ignore[arg-type]
    if not together:
        cloud.writer.start()
    waiting = []
    for device_id, name, payload in sent:
        waiting.append(link.send(topics.topic(device_id, name), payload))
        if not together:
            assert waiting[-1].wait(WAIT_S)
    if together:
        cloud.writer.start()
    assert all(event.wait(WAIT_S) for event in waiting)
    cloud.writer.stop()
    if together:
        assert cloud.writer.commits == 1
    cloud.store.close()
    return books(data / "cloud.db"), sum(name == "settlement/ack" for _, name, _, _ in link.published)


def both_ways(cloud: Cloud, tmp_path: Path, sent: list[Sent]) -> dict[str, Any]:
    """The books after the messages, the same one by one and all at once."""
    cloud.writer.submit(lambda tx: None).result(WAIT_S)
    results = []
    for together in (False, True):
        data = tmp_path / f"together {together}"
        data.mkdir()
        source = Store(cloud.settings.database)
        with source.reading.connect() as conn:
            conn.exec_driver_sql("VACUUM INTO ?", (str(data / "cloud.db"),))
        source.close()
        results.append(ingested(data, sent, together))
    assert results[0] == results[1]
    return results[0][0]


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)  # a file can be copied
@pytest.mark.parametrize("seed", range(4))
def test_settlements_in_any_order(phone: Phone, add_pile: Any, cloud: Cloud, tmp_path: Path, seed: int):
    chance = random.Random(seed)
    piles: list[FakePile] = [add_pile(f"PILE-{n}") for n in range(3)]
    sent: list[tuple[str, bytes]] = []
    for pile in piles:
        for connector in (1, 2):
            phone.order(pile.device_id, connector)
            pile.order_status(phone.order_id, "Charging", connector=connector)
            message = phone.message(pile)
            lies: Any = chance.choice(
                [{}, {"total_minor": 1}, {"order_id": "nobodys"}, {"prev_mac": "0" * 64}]
            )
            sent.append((pile.device_id, pile.sealed(pile.settlement(message, **lies))))
        if chance.random() < 0.5:  # a second one of the last order, and a number used twice
            sent.append((pile.device_id, pile.sealed(pile.settlement(message, mwh=1_000))))
            pile.seq -= 1
            sent.append((pile.device_id, pile.sealed(pile.settlement(message, order_id="other"))))
    sent += chance.choices(sent, k=4)  # repeats
    damaged = bytearray(sent[0][1])
    damaged[-10] ^= 1
    sent += [(piles[0].device_id, bytes(damaged)), (piles[1].device_id, sent[0][1])]
    chance.shuffle(sent)
    settled = both_ways(cloud, tmp_path, [(device_id, topics.SETTLEMENT, data) for device_id, data in sent])
    stored = settled["settlements"]
    assert len({row["mac"] for row in stored}) == len(stored) >= 6
    assert any(json.loads(row["flags_json"]) for row in stored)


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
@pytest.mark.parametrize("seed", range(4))
def test_whole_orders_of_several_piles(phone: Phone, add_pile: Any, cloud: Cloud, tmp_path: Path, seed: int):
    chance = random.Random(seed)
    of_pile: list[list[Sent]] = []
    for number in range(3):
        pile = add_pile(f"PILE-{number}")
        phone.order(pile.device_id)
        order_id, message = phone.order_id, phone.message(pile)
        said: list[Sent] = []
        pile.say = lambda name, data, said=said, pile=pile: said.append((pile.device_id, name, data))
        pile.order_status(order_id, "Accepted")
        pile.online(status="Charging", order_id=order_id)
        pile.meter(order_id, 1)
        pile.order_status(order_id, "Charging")
        pile.order_status(order_id, "Charging", connector=2)  # the wrong one
        pile.order_status("nobodys", "Charging")
        pile.order_status(None, "Rejected", "Malformed")
        pile.meter("nobodys", 1)
        pile.online(status="Faulted", fault="GroundFailure", order_id=order_id)
        pile.offline()
        pile.online(status="Finishing", order_id=order_id)
        said.append(("STRANGER", topics.STATUS, b'{"online":true}'))
        said.append((pile.device_id, topics.STATUS, b"rubbish"))
        pile.order_status(order_id, "Finishing", "Remote")
        pile.order_status(order_id, "Charging")  # late
        pile.settle(message)
        of_pile.append(said[: chance.randint(4, len(said))] if chance.random() < 0.5 else said)
    sent: list[Sent] = []
    while any(of_pile):
        sent.append(chance.choice([said for said in of_pile if said]).pop(0))
    left = both_ways(cloud, tmp_path, sent)
    assert {row["state"] for row in left["orders"]} & {"Settled", "Charging", "Finishing", "Accepted"}
    assert {row["kind"] for row in left["events"]} >= {"PileOnline"}
