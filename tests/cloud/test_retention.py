"""Meter values grow old: thinned, then dropped, in small units; orders and settlements stay.

RATELOCK_TEST_ORDERS=2500 makes it a million rows.
"""

import os
from typing import Any

import pytest
from sqlalchemy import insert, text

from cloud_stub.base.clock import now_s
from cloud_stub.base.ids import first_id_of, new_id
from cloud_stub.cloud import Cloud
from cloud_stub.db.tables import orders
from cloud_stub.jobs import retention, runner
from tests.cloud.conftest import Phone
from tests.cloud.fakes import FakePile

DAY_S = 86_400
ORDERS = int(os.environ.get("RATELOCK_TEST_ORDERS", "200"))
SAMPLES = 400  # of each, 10 s apart
_SERIES = {
    "sqlite": "WITH RECURSIVE n(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < :last)",
    "postgresql": "WITH n(n) AS (SELECT generate_series(0, :last))",
}


def aged_id(days: int, number: int = 0) -> str:
    """The id of an order made so long ago."""
    return first_id_of(now_s() - days * DAY_S + number)[:16] + new_id()[16:]


def fill(cloud: Cloud, like: Any, order_ids: list[str], samples: int) -> None:
    """Orders like one that there is, each with samples from an hour that is whole in Unix seconds."""
    row = dict(like._mapping)
    with cloud.store.writing.begin() as conn:
        conn.execute(
            insert(orders),
            [row | {"order_id": each, "idempotency_key": each, "holds": False} for each in order_ids],
        )
        columns = "order_id, at, register_mwh, energy_mwh, power_mw, cost_minor, elapsed_s, remaining_json"
        values = "o.order_id, 1700000400 + 10 * n.n, n.n, n.n, 7000000, 1, 10 * n.n, '{}'"
        series = _SERIES[conn.dialect.name]
        source = f"SELECT {values} FROM orders o, n WHERE o.order_id != :like"
        insertion = f"INSERT INTO meter_samples ({columns})"
        query = (
            f"{series} {insertion} {source}"
            if conn.dialect.name == "postgresql"
            else f"{insertion} {series} {source}"
        )
        conn.execute(text(query), {"last": samples - 1, "like": row["order_id"]})


def counted(cloud: Cloud, table: str) -> int:
    with cloud.store.reading.connect() as conn:
        return conn.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one()


def samples_of(cloud: Cloud, order_id: str) -> list[int]:
    with cloud.store.reading.connect() as conn:
        query = text("SELECT at FROM meter_samples WHERE order_id = :id ORDER BY at")
        return list(conn.execute(query, {"id": order_id}).scalars())


def finish(cloud: Cloud) -> None:
    """As many rounds as it takes."""
    while cloud.jobs.retain(now_s()):
        pass


@pytest.fixture
def settled(phone: Phone, pile: FakePile, cloud: Cloud) -> Any:
    """The row of a settled order of today."""
    phone.order()
    pile.settle(phone.message(pile))
    phone.get()
    with cloud.store.reading.connect() as conn:
        return conn.execute(text("SELECT * FROM orders")).one()


def test_each_age_has_its_density(settled: Any, cloud: Cloud):
    young, middle, old = aged_id(29), aged_id(31), aged_id(401)
    fill(cloud, settled, [young, middle, old], 100)
    cloud.jobs.retain(now_s())
    assert len(samples_of(cloud, young)) == 100
    kept = samples_of(cloud, middle)
    assert kept == [1_700_000_400 + 300 * n for n in range(4)]
    assert samples_of(cloud, old) == []
    assert (counted(cloud, "orders"), counted(cloud, "settlements")) == (4, 1)


def test_it_goes_on_from_where_it_was_and_changes_nothing_twice(settled: Any, cloud: Cloud):
    first = [aged_id(31, n) for n in range(3)]
    fill(cloud, settled, first, 40)
    cloud.jobs.retain(now_s())
    thinned = [samples_of(cloud, each) for each in first]
    cloud.jobs.retain(now_s())
    assert [samples_of(cloud, each) for each in first] == thinned
    with cloud.store.reading.connect() as conn:
        places = dict(conn.exec_driver_sql("SELECT name, place FROM progress").all())
    assert places == {"drop": "", "thin": first[-1], "site": first[-1]}
    cloud.jobs.retain(now_s() + 400 * DAY_S)
    assert counted(cloud, "meter_samples") == 0


def test_many_rows_go_in_units_that_let_others_in_between(settled: Any, cloud: Cloud):
    fill(cloud, settled, [aged_id(40, n) for n in range(ORDERS)], SAMPLES)
    assert counted(cloud, "meter_samples") == ORDERS * SAMPLES
    units = cloud.writer.units
    finish(cloud)
    assert cloud.writer.units - units >= ORDERS // retention.BATCH
    # 400 samples of 10 s, from the beginning of a stretch of 300 s on: 14 stretches.
    assert counted(cloud, "meter_samples") == ORDERS * 14
    assert counted(cloud, "orders") == ORDERS + 1
    assert counted(cloud, "settlements") == 1


def test_one_round_does_a_few_units_and_says_that_there_is_more(
    settled: Any, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
):
    """Nothing expires, and nothing is sent again, while a round lasts."""
    monkeypatch.setattr(runner, "RETENTION_MS", 60_000)
    monkeypatch.setattr(retention, "_JOBS", {job: (each[0], 1) for job, each in retention._JOBS.items()})
    old = [aged_id(40, n) for n in range(runner.RETENTION_UNITS + 3)]
    fill(cloud, settled, old, 40)
    assert cloud.jobs.retain(now_s())
    assert [len(samples_of(cloud, each)) for each in old[-4:]] == [2, 40, 40, 40]
    monkeypatch.setattr(runner, "RETENTION_MS", 0)
    assert cloud.jobs.retain(now_s())
    assert [len(samples_of(cloud, each)) for each in old[-4:]] == [2, 2, 40, 40]
    finish(cloud)
    assert [len(samples_of(cloud, each)) for each in old] == [2] * len(old)


def test_ids_are_bounded_by_the_first_of_their_second():
    now = now_s()
    made = new_id()
    assert first_id_of(now) <= made < first_id_of(now + 60)
    assert first_id_of(0) == "0" * 26
