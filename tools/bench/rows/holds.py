"""From the confirmation to the closed relay, with a hold of the provider `test` and without one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.bench import machine, testbed
from tools.bench.figures import Figure, interleave, percentile
from tools.bench.rows import confirm
from tools.bench.swarm import Pile, Swarm
from tools.harness.system import System

TITLE = "A hold before the order"


def measure(data: Path, rounds: int, scale: float) -> list[Figure]:
    count = max(3, int(confirm.ORDERS_MAX * min(1, scale)) // rounds)
    with _system(data / "with", "test") as held, _system(data / "without", "after") as not_held:

        def median_ms(where: tuple[System, Pile]) -> float:
            return percentile([1000 * confirm.confirm(*where) for _ in range(count)], 50)

        confirm.confirm(*held)
        confirm.confirm(*not_held)
        mine, without = interleave(rounds, lambda: median_ms(held), lambda: median_ms(not_held))
    return [Figure("confirm to relay closed, p50, with a hold", "ms", mine, without, "without a hold")]


@contextmanager
def _system(data: Path, payment: str) -> Iterator[tuple[System, Pile]]:
    with testbed.database(data) as store:
        identity = testbed.register(store, ["CONFIRM-1"])[0]
    interpreter = machine.interpreters()[-1]
    with (
        System(data, env={"RATELOCK_PAYMENT": payment}) as system,
        Swarm(data / "swarm", system.broker.port, interpreter, confirm.SPEED) as swarm,
    ):
        yield system, swarm.add(identity)
