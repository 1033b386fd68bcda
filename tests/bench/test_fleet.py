"""200 real firmwares on one broker and cloud: nothing lost, nothing doubled, whatever is killed meanwhile."""

import pytest

from tools.bench import fleet, fleet_update, machine, testbed
from tools.bench.orderflow import Flow
from tools.bench.swarm import Swarm
from tools.harness.system import System

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]


@pytest.mark.long
def test_200_piles_with_kills_and_a_broker_that_falls(tmp_path):
    result = fleet.run(200, 12, tmp_path / "fleet", idle_s=0, say=lambda line: None)
    assert result.wrong == [], result.figures
    assert result.figures["up"] == "200 of 200"
    assert not result.figures["settled / lost / doubled / flagged"].startswith("0 /")


@pytest.mark.long
def test_a_fleet_is_updated_while_it_charges(tmp_path):
    result = fleet_update.run(3, tmp_path / "fleet", without_s=5, say=lambda line: None)
    assert result.wrong == [], result.figures
    assert result.figures["what the piles run"] == "3 release 2"


@pytest.mark.long
def test_an_order_ends_a_piles_rest_at_once(tmp_path):
    """A pile that looks at its inputs once in ten minutes while idle charges and settles all the same."""
    interpreter = machine.interpreters()[-1]
    with testbed.database(tmp_path) as store:
        identities = testbed.register(store, ["REST-1"])
    with (
        System(tmp_path) as system,
        Swarm(tmp_path / "piles", system.broker.port, interpreter, fleet.SPEED, 600_000) as swarm,
    ):
        swarm.add(identities[0])
        flow = Flow(system, swarm.piles)
        try:
            flow.wait_until_online(60)
            flow.run(1, 3)
            flow.wait_until_online(60)
            assert flow.stored
        finally:
            flow.close()
