"""Three workers, a real broker, PostgreSQL and real firmware."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scale.workers import WorkersChaos
from tests.sim import SimPile
from tools.harness.phone import Phone, PhoneOrder
from tools.harness.postgres import Postgres
from tools.harness.system import DEMO_RATE
from tools.harness.workers import Workers

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]


@pytest.fixture
def workers(tmp_path: Path, postgres: Postgres) -> Iterator[Workers]:
    with Workers(tmp_path / "three workers", postgres, 3) as running:
        yield running


@pytest.mark.long
def test_two_of_three_workers_die_in_the_middle_and_the_books_balance(workers: Workers):
    seed = secrets.randbelow(10**6)
    chaos = WorkersChaos(workers, piles=4, seed=seed)
    chaos.settle_down()
    for number in range(6):
        chaos.confirm_on_all()
        if number in (2, 3):
            # Its orders run, and some of their messages are with it and acknowledged by nobody.
            workers.kill(workers.workers[-1])
        if number == 4:
            workers.add(3)
        if number % 2:
            chaos.settle_down()
    chaos.settle_down()
    wrong = chaos.audit()
    assert not wrong, f"seed {seed}\n" + "\n".join([chaos.summary(), *wrong])
    assert sum(len(pile.confirmed) for pile in chaos.piles) >= 8, chaos.summary()


def test_a_phone_may_watch_stop_and_pay_at_any_worker(workers: Workers):
    pile = SimPile.new(workers.system, rate=DEMO_RATE, speed=60)
    try:
        first, second, third = (worker.base_url for worker in workers.workers)
        placed = Phone(first).order(pile.device_id)

        def at(base_url: str) -> PhoneOrder:
            return PhoneOrder(Phone(base_url).client, placed.placed)

        meters: list[int] = []
        for event in at(second).events(timeout_s=60):
            if event.name == "meter":
                meters.append(event.data["register_mwh"])
            if len(meters) == 6:
                assert at(third).stop().status == 202
                break
        assert meters == sorted(meters)
        settled = at(third).wait_for_state("Settled", timeout_s=60)
        assert settled["energy_mwh"] >= meters[-1]
        assert at(first).pay(settled["total_minor"]).status == 200
        assert (
            at(second).wait_for_state("Paid", timeout_s=60)["payment"]["amount_minor"]
            == settled["total_minor"]
        )
    finally:
        pile.stop()
