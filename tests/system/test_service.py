"""Out of service and restart with the real cloud, broker and firmware, and over their restarts."""

import pytest

from tests.sim import SimPile
from tools.harness.system import PileIdentity

pytestmark = pytest.mark.system


def reported(system, pile):
    return system.operator.get(f"/api/piles/{pile.device_id}/report").json()["reported"] or {}


def is_told(system, pile, reason):
    return lambda _: reported(system, pile)["connectors"][0].get("out_of_service") == reason


def test_out_of_service_holds_at_the_pile_and_outlives_a_power_cut(pile, phone, system):
    p = pile()
    path = f"/api/piles/{p.device_id}/out-of-service"
    assert system.operator.put(path, {"connector": 1, "reason": "Damaged"}).status == 200
    p.wait_until(is_told(system, p, "Damaged"))
    answer = phone.confirm(p.device_id, phone.rate(p.device_id)["rate_id"])
    assert (answer.status, answer.code) == (409, "ConnectorUnavailable")
    p.wait_for(lambda line: line.get("pattern") == "OUT_OF_SERVICE")
    p.kill()
    p.start()
    p.wait_until(is_told(system, p, "Damaged"))
    p.kill()
    assert system.operator.request("DELETE", path).status == 200  # the pile hears of it when it comes back
    p.start()
    p.wait_until(is_told(system, p, None))
    phone.order(p.device_id).wait_for_state("Charging")


def test_a_restart_says_so_first_and_the_pile_tells_that_it_was_one(pile, phone, system, tap):
    p = pile()
    assert system.operator.post(f"/api/piles/{p.device_id}/restart").status == 202
    assert tap.wait_for(p.device_id, "status", lambda m: m.get("restarting"))["online"]
    after = tap.wait_for(p.device_id, "status", lambda m: m.get("boots") == 2)
    assert after["reset_cause"] == "Hard"
    tap.wait_for(p.device_id, "status", lambda m: m.get("boots") == 2 and m.get("clock") == "Cloud")
    p.wait_until_online()
    phone.order(p.device_id).wait_for_state("Charging")
    refused = system.operator.post(f"/api/piles/{p.device_id}/restart")
    assert (refused.status, refused.code) == (409, "PileInUse")


def new_key(system, p, **body):
    """The same pile with the key that the cloud has just made for it."""
    answer = system.operator.post(f"/api/piles/{p.device_id}/key", body)
    assert answer.status == 201, answer.body
    return answer.json()["key"]


@pytest.mark.long
def test_a_board_is_replaced_while_the_old_one_is_alive(pile, phone, system):
    old = pile()
    first = phone.order(old.device_id, limits={"energy_mwh": 10_000}).wait_for_state("Settled")
    identity = PileIdentity(old.device_id, new_key(system, old, new_board=True), 1)
    refused = "not authorized"
    old.child.wait_for_line(lambda line: refused in line, 60)
    new = SimPile(system, identity, {"flash": system.flash_folder(old.device_id + "-new")})
    new.start()
    after = old.line_count
    bill = phone.order(old.device_id, limits={"energy_mwh": 10_000}).wait_for_state("Settled")
    rows = system.operator.get(f"/api/settlements?device_id={old.device_id}").json()["items"]
    assert [(row["order_id"], row["seq"], row["flags"]) for row in rows] == [
        (bill["order_id"], 1, []),
        (first["order_id"], 1, []),
    ], "the first settlement of the new board's chain was flagged"
    old.child.wait_for_line(lambda line: refused in line, 60, after)
    assert new.status()["online"]
    new.stop()


@pytest.mark.long
def test_a_rotated_key_ends_the_old_one_and_the_chain_goes_on(pile, phone, system):
    p = pile()
    phone.order(p.device_id, limits={"energy_mwh": 10_000}).wait_for_state("Settled")
    key = new_key(system, p)
    p.child.wait_for_line(lambda line: "not authorized" in line, 60)
    p.stop()
    p.identity = PileIdentity(p.device_id, key, 1)
    p.start()
    phone.order(p.device_id, limits={"energy_mwh": 10_000}).wait_for_state("Settled")
    rows = system.operator.get(f"/api/settlements?device_id={p.device_id}").json()["items"]
    assert [(row["seq"], row["flags"]) for row in rows] == [(2, []), (1, [])]
