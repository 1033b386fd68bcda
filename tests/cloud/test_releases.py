"""Releases at the cloud: added, listed, removed, and the chunks of their files."""

import base64
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from cloud_stub.cloud import Cloud
from tests.cloud import releases as made
from tests.cloud.conftest import AS_OPERATOR
from tests.cloud.fakes import WAIT_S, FakeLink, FakePile
from tests.cloud.releases import UpdatingPile

BIG = next(made.sha256_of(data) for data in made.FILES.values() if len(data) > 2000)


def add(client: TestClient, data: bytes) -> Any:
    return client.post("/api/releases", content=data, headers=AS_OPERATOR)


def audited(operator: Callable[..., Any], cloud: Cloud) -> list[tuple[str, str]]:
    with cloud.store.reading.connect() as conn:
        rows = conn.exec_driver_sql("SELECT action, detail FROM audit ORDER BY id").all()
    return [tuple(row) for row in rows if row[0].startswith(("Release", "Rollout"))]


def test_a_release_is_added_once_listed_and_removed(
    client: TestClient, operator: Callable[..., Any], cloud: Cloud
):
    data = made.archive(12, boards=("sim", "esp32-devkitc"))
    for added in (True, False):
        answer = add(client, data)
        assert (answer.status_code, answer.json()) == (
            201,
            {"release": 12, "version": "0.2.0", "added": added},
        )
    (listed,) = operator("GET", "/api/releases").json()["items"]
    assert [each["board"] for each in listed["boards"]] == ["esp32-devkitc", "sim"]
    assert (listed["release"], listed["piles"]) == (12, 0)
    assert operator("DELETE", "/api/releases/12").status_code == 200
    assert operator("GET", "/api/releases").json()["items"] == []
    assert operator("DELETE", "/api/releases/12").json()["code"] == "UnknownRelease"
    assert audited(operator, cloud) == [
        ("ReleaseAdded", "12, 0.2.0"),
        ("ReleaseRemoved", "12"),
    ]


def test_a_number_never_means_other_bytes_not_even_after_its_removal(
    client: TestClient, operator: Callable[..., Any]
):
    other = made.archive(12, files={"app.mpy": b"other"})
    assert add(client, made.archive(12)).status_code == 201
    assert add(client, other).json()["code"] == "ReleaseExists"
    operator("DELETE", "/api/releases/12")
    assert add(client, other).json()["code"] == "ReleaseExists"
    assert add(client, made.archive(12)).json()["added"]


def test_what_cannot_be_read_is_refused_with_its_reason(client: TestClient, operator: Callable[..., Any]):
    answer = add(client, b"no zip file")
    assert (answer.status_code, answer.json()["code"], answer.json()["reason"]) == (
        422,
        "BadRelease",
        "NotAZip",
    )
    large = add(client, bytes(9_000_000))
    assert (large.status_code, large.json()["code"]) == (413, "BodyTooLarge")
    nobody = client.post("/api/releases", content=made.archive(12))
    assert nobody.status_code == 401
    assert operator("GET", "/api/releases").json()["items"] == []


# -- chunks


@pytest.fixture
def downloading(
    client: TestClient, operator: Callable[..., Any], cloud: Cloud, pile: FakePile, link: FakeLink
) -> UpdatingPile:
    """A pile that was offered release 12 and downloads it."""
    add(client, made.archive(12))
    updating = UpdatingPile(pile, link)
    updating.come()
    assert operator("POST", "/api/rollouts", {"release": 12, "selection": "all"}).status_code == 201
    cloud.jobs.run_once(int(time.time()))
    updating.say_update("Downloading", done_bytes=0, total_bytes=100)
    return updating


def ignored(cloud: Cloud, why: str) -> int:
    return int(cloud.metrics.asks_ignored.labels(why)._value.get())


def test_a_file_is_served_chunk_by_chunk(downloading: UpdatingPile):
    offsets = list(range(0, len(made.FILES["app.mpy"]), 1536))
    for count, offset in enumerate(offsets, 1):
        downloading.ask(BIG, offset)
        downloading.chunks(count)
    found = downloading.chunks()
    assert b"".join(base64.b64decode(each["data"]) for each in found) == made.FILES["app.mpy"]
    assert [each["offset"] for each in found] == offsets
    assert {(each["release"], each["file"]) for each in found} == {(12, BIG)}


def test_a_chunk_waits_for_nothing_that_is_written(downloading: UpdatingPile, cloud: Cloud):
    """A download goes on while something long is written."""
    goes_on = threading.Event()
    held = cloud.writer.submit(lambda tx: goes_on.wait(WAIT_S))
    try:
        downloading.ask(BIG)  # acknowledged meanwhile
        downloading.chunks(1)
        assert not held.done()
    finally:
        goes_on.set()
    assert held.result(WAIT_S)


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "why, ask",
    [
        ("not_offered", made.asked(BIG, release=13)),
        ("unknown_file", made.asked("0" * 64)),
        ("unknown_file", made.asked(BIG, 1_000_000)),
    ],
)
def test_an_ask_that_cannot_be_answered_is_counted_and_ignored(
    downloading: UpdatingPile, cloud: Cloud, why: str, ask: dict[str, Any]
):
    assert cloud.chunks.answer(downloading.device_id, ask) == 0
    assert ignored(cloud, why) == 1
    assert downloading.chunks() == []


def test_a_pile_that_was_offered_nothing_gets_nothing_and_a_second_one_waits(
    downloading: UpdatingPile, cloud: Cloud, add_pile: Callable[..., FakePile], operator: Callable[..., Any]
):
    other = UpdatingPile(add_pile("PILE-2"), downloading.link)
    other.come()
    assert cloud.chunks.answer("PILE-2", made.asked(BIG)) == 0
    assert ignored(cloud, "not_offered") == 1
    assert 1536 < cloud.chunks.answer("PILE-1", made.asked(BIG)) <= 2304
    operator("POST", "/api/rollouts", {"release": 12, "selection": "pile:PILE-2"})
    cloud.settings.updates_at_once = 2  # the offer is made, and then the bound is one again
    cloud.jobs.run_once(int(time.time()))
    cloud.settings.updates_at_once = 1
    cloud.chunks._offered.clear()  # it is remembered for a few seconds
    assert cloud.chunks.answer("PILE-2", made.asked(BIG)) == 0
    assert ignored(cloud, "busy") == 1


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_all_chunks_together_stay_below_their_bound(downloading: UpdatingPile, cloud: Cloud):
    cloud.settings.update_bytes_per_s = 20_000
    began = time.monotonic()
    for count in range(1, 6):
        downloading.ask(BIG)
        downloading.chunks(count)
    size = len(downloading.link.sent("PILE-1", "update/chunk")[0])
    assert time.monotonic() - began >= 4 * size / 20_000
