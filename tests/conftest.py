"""Fixtures of the system tests: a real broker, a real cloud and real firmware, as processes.

One system is shared by all tests of a worker, each with piles of its own; a test that kills or restarts parts
of it takes `own_system`. Whatever crosses a broker is validated when the test ends.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cloud_stub.db.engine import Store
from tests.sim import SimPile
from tests.tap import Tap
from tools.harness.broker import Broker
from tools.harness.phone import Phone
from tools.harness.processes import Child
from tools.harness.system import DEMO_RATE, System, neutral_environment

# A developer's own cloud is not the tests': its settings, above all its database, must not reach them.
TESTS_OWN = (
    "RATELOCK_BROKER",
    "RATELOCK_CHROMIUM",
    "RATELOCK_DEVICE_PORT",
    "RATELOCK_DEVICE_FREE_PIN",
    "RATELOCK_TEST_",
)
for _name in neutral_environment().keys() ^ os.environ.keys():
    if _name == "RATELOCK_BROKER_TOKEN" or not _name.startswith(TESTS_OWN):
        del os.environ[_name]


@pytest.fixture(scope="session", autouse=True)
def logs_as_they_are() -> Iterator[None]:
    """A command of the cloud that a test runs in this process leaves the process's logs as they are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cloud_stub.logs.configure", lambda: None)
        yield


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database with all tables; copies of it start faster than migrations run."""
    path = tmp_path_factory.mktemp("migrated") / "cloud.db"
    store = Store(f"sqlite:///{path}")
    store.migrate()
    store.close()
    return path


@pytest.fixture(scope="session")
def shared_system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with System(tmp_path_factory.mktemp("shared system")) as system:
        yield system


@pytest.fixture
def system(shared_system: System, tap: Tap) -> System:
    """The shared system, with its messages under watch."""
    shared_system.check_alive()
    return shared_system


@pytest.fixture
def broker(shared_system: System) -> Broker:
    return shared_system.broker


@pytest.fixture
def cloud(system: System) -> Child:
    """The cloud's process."""
    assert system.cloud is not None
    return system.cloud


@pytest.fixture
def phone(system: System) -> Phone:
    return Phone(system.base_url)


@pytest.fixture
def open_tap() -> Iterator[Callable[[Broker], Tap]]:
    """Opens taps on brokers; when the test ends, every message they saw must have been valid."""
    taps: list[Tap] = []

    def open_one(broker: Broker) -> Tap:
        tap = Tap(broker)
        taps.append(tap)
        return tap

    yield open_one
    for tap in taps:
        tap.close()
    errors = [error for tap in taps for error in tap.errors()]
    assert not errors, "\n".join(errors[:20])


@pytest.fixture
def tap(shared_system: System, open_tap: Callable[[Broker], Tap]) -> Tap:
    """Every message of the shared system during this test (and what the broker had retained)."""
    return open_tap(shared_system.broker)


@pytest.fixture
def own_system(tmp_path: Path) -> Iterator[System]:
    """A system that this test alone uses and may break. It has no tap: `open_tap(own_system.broker)`."""
    with System(tmp_path / "own system") as system:
        yield system


@pytest.fixture
def sim_pile() -> Iterator[Callable[..., SimPile]]:
    """Starts piles on a given system: `sim_pile(system, connectors=2, speed=600)`; see tests/sim.py."""
    piles: list[SimPile] = []

    def start(system: System, *, rate: dict[str, Any] | None = DEMO_RATE, **options: Any) -> SimPile:
        pile = SimPile.new(system, rate=rate, **options)
        piles.append(pile)
        return pile

    yield start
    for pile in piles:
        pile.stop()


@pytest.fixture
def pile(system: System, sim_pile: Callable[..., SimPile]) -> Callable[..., SimPile]:
    """Starts piles on the shared system: `pile(connectors=2, power_w=11_000, speed=600)`."""

    def start(**options: Any) -> SimPile:
        return sim_pile(system, **options)

    return start
