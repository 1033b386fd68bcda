"""Settlements stored as one batch leave what the same ones leave when they come one by one."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from cloud_stub.cloud import Cloud
from cloud_stub.settings import Settings
from cloud_stub.store import Store
from pile_protocol import topics
from tests.cloud.conftest import OPERATOR, Phone
from tests.cloud.fakes import WAIT_S, FakeLink, FakePile

TABLES = ("settlements", "events", "orders", "rejects", "outbox")
TIMES = {"received_at", "at", "settled_at"}  # of the run, not of the message


def books(path: Path) -> dict[str, list[dict[str, Any]]]:
    """Every row that settlements touch."""
    store = Store(f"sqlite:///{path}")
    with store.reading.connect() as conn:
        found = {}
        for table in TABLES:
            rows = conn.exec_driver_sql(f"SELECT * FROM {table} ORDER BY 1").mappings()
            found[table] = [{name: value for name, value in row.items() if name not in TIMES} for row in rows]
    store.close()
    return found


def ingested(data: Path, sent: list[tuple[str, bytes]], together: bool) -> tuple[dict[str, Any], int]:
    """(the books after the cloud of `data` took the messages, how many acknowledgements it sent)."""
    link = FakeLink()
    cloud = Cloud(Settings(data=data, operator_token=OPERATOR), link)  # type: ignore[arg-type]
    if not together:
        cloud.writer.start()
    waiting = []
    for device_id, payload in sent:
        waiting.append(link.send(topics.topic(device_id, topics.SETTLEMENT), payload))
        if not together:
            assert waiting[-1].wait(WAIT_S)
    if together:
        cloud.writer.start()
    assert all(event.wait(WAIT_S) for event in waiting)
    cloud.writer.stop()
    if together:
        assert cloud.writer.commits == 1
    cloud.store.close()
    return books(data / "cloud.db"), len(
        [name for _, name, _, _ in link.published if name == "settlement/ack"]
    )


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)  # a file can be copied
@pytest.mark.parametrize("seed", range(4))
def test_one_by_one_and_all_at_once_leave_the_same_books(
    phone: Phone, add_pile: Any, cloud: Cloud, tmp_path: Path, seed: int
):
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
    stored = results[0][0]["settlements"]
    assert len({row["mac"] for row in stored}) == len(stored) >= 6
    assert any(json.loads(row["flags_json"]) for row in stored)
