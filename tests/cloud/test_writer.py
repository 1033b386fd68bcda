"""Greedy group commit: what waits goes together, and one bad unit spoils nobody else's."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError

from cloud_stub.base.problems import Problem
from cloud_stub.db.engine import Store
from cloud_stub.db.writer import Transaction, Writer
from cloud_stub.settings import Settings
from tests.cloud.fakes import WAIT_S


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    store = Store(settings.database)
    with store.writing.begin() as conn:
        conn.execute(text("CREATE TABLE numbers (n INTEGER PRIMARY KEY)"))
    yield store
    with store.writing.begin() as conn:
        conn.execute(text("DROP TABLE numbers"))
    store.close()


@pytest.fixture
def writer(store: Store) -> Iterator[Writer]:
    writer = Writer(store.writing)
    writer.start()
    yield writer
    writer.stop()


def add(n: int) -> Any:
    def unit(tx: Transaction) -> int:
        tx.conn.execute(text("INSERT INTO numbers VALUES (:n)"), {"n": n})
        return n

    return unit


def stored(store: Store) -> list[int]:
    with store.reading.connect() as conn:
        return list(conn.execute(text("SELECT n FROM numbers ORDER BY n")).scalars())


class Held:
    """Keeps the writer inside a unit until it is let go, so that others queue up behind it."""

    def __init__(self, writer: Writer):
        self._go = threading.Event()
        entered = threading.Event()

        def unit(tx: Transaction) -> None:
            entered.set()
            assert self._go.wait(WAIT_S)

        self.future = writer.submit(unit)
        assert entered.wait(WAIT_S)

    def let_go(self) -> None:
        self._go.set()
        self.future.result(WAIT_S)


def test_what_queued_up_during_a_commit_goes_into_one_commit(writer: Writer, store: Store):
    held = Held(writer)
    futures = [writer.submit(add(n)) for n in range(100)]
    held.let_go()
    assert [future.result(WAIT_S) for future in futures] == list(range(100))
    assert stored(store) == list(range(100))
    assert (writer.commits, writer.units) == (2, 101)


def test_a_lone_unit_is_committed_at_once(writer: Writer, store: Store):
    assert writer.submit(add(1)).result(WAIT_S) == 1
    assert stored(store) == [1]


def test_one_that_raises_spoils_none_of_its_group(writer: Writer, store: Store):
    held = Held(writer)
    good = [writer.submit(add(n)) for n in (1, 2)]
    bad = writer.submit(add(1))
    more = writer.submit(add(3))
    held.let_go()
    assert [future.result(WAIT_S) for future in [*good, more]] == [1, 2, 3]
    assert isinstance(bad.exception(WAIT_S), IntegrityError)
    assert stored(store) == [1, 2, 3]


def test_a_refusal_keeps_its_group_in_one_commit(writer: Writer, store: Store):
    def refuse(tx: Transaction) -> None:
        raise Problem(409, "No", "no")

    held = Held(writer)
    first, refused, second = writer.submit(add(1)), writer.submit(refuse), writer.submit(add(2))
    held.let_go()
    assert (first.result(WAIT_S), second.result(WAIT_S)) == (1, 2)
    assert isinstance(refused.exception(WAIT_S), Problem)
    assert stored(store) == [1, 2]
    assert writer.commits == 2


def test_effects_run_after_the_commit_in_order_and_once_even_if_the_group_was_done_again(
    writer: Writer, store: Store
):
    seen: list[tuple[int, list[int]]] = []

    def noted(n: int) -> Any:
        def unit(tx: Transaction) -> None:
            add(n)(tx)
            tx.after_commit(lambda: seen.append((n, stored(store))))

        return unit

    held = Held(writer)
    futures = [writer.submit(noted(n)) for n in (1, 2, 1, 3)]
    held.let_go()
    for future in futures:
        future.exception(WAIT_S)
    assert [n for n, _ in seen] == [1, 2, 3]
    assert all(n in rows for n, rows in seen)


def test_a_failing_effect_does_not_end_the_writer(writer: Writer, store: Store):
    def unit(tx: Transaction) -> None:
        tx.after_commit(lambda: [][0])

    writer.submit(unit).result(WAIT_S)
    assert writer.submit(add(1)).result(WAIT_S) == 1


def test_a_unit_that_nobody_waits_for_any_more_is_not_begun(writer: Writer, store: Store):
    held = Held(writer)
    cancelled, kept = writer.submit(add(1)), writer.submit(add(2))
    assert cancelled.cancel()
    held.let_go()
    kept.result(WAIT_S)
    assert stored(store) == [2]


def test_stopping_commits_what_was_submitted(store: Store):
    writer = Writer(store.writing)
    writer.start()
    futures = [writer.submit(add(n)) for n in range(50)]
    writer.stop()
    assert all(future.done() for future in futures)
    assert stored(store) == list(range(50))


class Numbers:
    """A batch that adds what it is given in one statement; remembers how much that was, and what failed."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.refused: list[tuple[int, type[Exception]]] = []

    def do(self, tx: Transaction, items: list[int]) -> None:
        self.sizes.append(len(items))
        tx.conn.execute(text("INSERT INTO numbers VALUES (:n)"), [{"n": n} for n in items])

    def failed(self, item: int, error: Exception) -> None:
        self.refused.append((item, type(error)))


def test_the_items_of_a_batch_are_done_together_at_the_place_of_the_first(writer: Writer, store: Store):
    numbers, others = Numbers(), Numbers()
    seen: list[list[int]] = []

    def look(tx: Transaction) -> None:
        seen.append(list(tx.conn.execute(text("SELECT n FROM numbers ORDER BY n")).scalars()))

    held = Held(writer)
    writer.submit(look)
    for n in (1, 2, 3):
        writer.submit_to(numbers, n)
    writer.submit_to(others, 7)
    writer.submit(look)
    for n in (4, 5):
        writer.submit_to(numbers, n)
    held.let_go()
    writer.submit(look).result(WAIT_S)
    assert (numbers.sizes, others.sizes) == ([5], [1])
    assert seen == [[], [1, 2, 3, 4, 5, 7], [1, 2, 3, 4, 5, 7]]


def test_one_item_that_raises_spoils_none_of_its_batch(writer: Writer, store: Store):
    numbers = Numbers()
    held = Held(writer)
    for n in (1, 2, 1, 3):
        writer.submit_to(numbers, n)
    held.let_go()
    writer.submit(lambda tx: None).result(WAIT_S)
    assert numbers.refused == [(1, IntegrityError)]
    assert stored(store) == [1, 2, 3]
    assert numbers.sizes == [4, 1, 1, 1, 1]


def test_a_full_disk_shows_for_a_minute(
    writer: Writer, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A unit's own error is no failure of the disk."""

    def onto_a_full_disk(tx: Transaction) -> None:
        if store.is_sqlite:
            tx.conn.execute(text("PRAGMA max_page_count=1"))  # as many as the database has
            tx.conn.execute(text("CREATE TABLE more (n INTEGER)"))
        else:
            tx.conn.execute(text("DO $$ BEGIN RAISE 'full' USING ERRCODE = 'disk_full'; END $$"))

    writer.submit(add(1)).result(WAIT_S)
    with pytest.raises(IntegrityError):
        writer.submit(add(1)).result(WAIT_S)
    assert writer.can_write
    with pytest.raises(OperationalError):
        writer.submit(onto_a_full_disk).result(WAIT_S)
    assert not writer.can_write
    monkeypatch.setattr("cloud_stub.db.writer.DISK_FAILED_S", 0)
    assert writer.can_write
