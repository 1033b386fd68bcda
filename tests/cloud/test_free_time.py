"""When a connector that charges is likely to be free: by the order's limits, or by its falling power."""

import pytest
from sqlalchemy import delete, insert, select

from cloud_stub.cloud import Cloud
from cloud_stub.db.tables import meter_samples
from cloud_stub.orders import free_time
from tests.cloud.conftest import Phone
from tests.cloud.fakes import FakePile

Curve = list[list[int]]


def falling(*powers_mw: int, every_s: int = 300) -> Curve:
    return [[i * every_s, each] for i, each in enumerate(powers_mw)]


@pytest.mark.parametrize(
    ("curve", "left_s"),
    [
        (falling(200_000, 200_000, 100_000, 60_000), 60_000 * 600 // 140_000),
        (falling(200_000, 120_000, 110_000, 100_000, every_s=600), 100_000 * 600 // 10_000),
        (falling(200_000, 200_000, 200_000, 200_000), None),  # it does not fall
        (falling(200_000, 190_000, 180_000, 150_000), None),  # it is not nearly full
        (falling(200_000, 50_000, 50_000, 50_000), None),  # a low power that stays
        (falling(200_000, 50_000), None),  # the fall is not long enough to tell
        (falling(200_000, 100_000, 0), 0),
        ([[0, 200_000]], None),
        ([], None),
    ],
)
def test_the_fall_of_the_last_ten_minutes_is_drawn_on(curve: Curve, left_s: int | None):
    assert free_time._until_full_s(curve) == left_s


def test_a_driver_is_told_when_a_battery_will_be_full(phone: Phone, pile: FakePile, cloud: Cloud):
    began_at = phone.order()["created_at"]
    pile.order_status(phone.order_id, "Accepted")
    pile.order_status(phone.order_id, "Charging")
    pile.meter(phone.order_id, 1_000)
    assert _free_in_s(phone) is None
    with cloud.store.writing.begin() as conn:
        (sample,) = conn.execute(select(meter_samples)).mappings().all()
        conn.execute(delete(meter_samples))
        for at, power_mw in falling(200_000, 200_000, 100_000, 50_000):
            row = dict(sample) | {"at": began_at + at, "power_mw": power_mw}
            conn.execute(insert(meter_samples), row)
    assert _free_in_s(phone) == 50_000 * 600 // 150_000


def _free_in_s(phone: Phone) -> int | None:
    return phone.client.get("/api/piles/PILE-1").json()["connectors"][0]["free_in_s"]
