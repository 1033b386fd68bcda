"""Out of service and restart with the real cloud, broker and firmware, and over their restarts."""

import pytest

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
    p.wait_until_online()
    phone.order(p.device_id).wait_for_state("Charging")
    refused = system.operator.post(f"/api/piles/{p.device_id}/restart")
    assert (refused.status, refused.code) == (409, "PileInUse")
