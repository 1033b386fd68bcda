"""Faults at the hardware: the relay opens, the order is settled, the connector waits for a reset."""

import pytest

pytestmark = pytest.mark.system

FAST = 600


def opened(line):
    return line["event"] == "relay opened"


def connector_is(status, fault=None):
    return lambda view: (view["connectors"][0]["status"], view["connectors"][0]["fault"]) == (status, fault)


def test_the_emergency_stop_opens_the_relay_and_blocks_until_it_is_released(pile, phone):
    p = pile(speed=FAST)
    order = phone.order(p.device_id)
    order.wait_for_state("Charging")
    p.send(estop=True)
    p.wait_for(opened)
    assert order.wait_for_state("Settled")["reason"] == "EmergencyStop"
    p.wait_until(connector_is("Unavailable"))
    answer = phone.confirm(p.device_id, phone.rate(p.device_id)["rate_id"])
    assert (answer.status, answer.code) == (409, "ConnectorUnavailable")
    p.send(estop=False)
    p.wait_until(connector_is("Available"))
    phone.order(p.device_id).wait_for_state("Charging")


def test_a_welded_relay_is_settled_at_the_stop_and_unusable_until_reset(pile, phone, system):
    p = pile(speed=FAST)
    order = phone.order(p.device_id)
    order.wait_for_event(lambda e: e.name == "meter" and e.data["energy_mwh"] > 1_000_000)
    p.send(weld=True)
    p.wait_for(lambda line: line["event"] == "changed")
    order.stop()
    opening = p.wait_for(lambda line: line["event"] == "relay opened")
    assert opening["contact"] is True, "the contacts should have stayed together"
    at_stop = p.wait_for(lambda line: line["event"] == "register" and line["at_us"] >= opening["at_us"])
    view = order.wait_for_state("Settled")
    # What flows through the weld after the stop is not the driver's to pay.
    assert view["settlement"]["energy_mwh"] <= at_stop["delivered_mwh"]
    p.wait_until(connector_is("Faulted", "PowerSwitchFailure"))
    answer = phone.confirm(p.device_id, phone.rate(p.device_id)["rate_id"])
    assert (answer.status, answer.code) == (409, "PileFaulted")
    p.send(weld=False)
    assert system.operator.post(f"/api/piles/{p.device_id}/reset", {"connector": 1}).status == 202
    p.wait_until(connector_is("Available"))
    phone.order(p.device_id, limits={"energy_mwh": 1_000_000}).wait_for_state("Settled")


def test_a_weld_is_remembered_over_a_restart(pile, phone):
    p = pile(speed=FAST)
    phone.order(p.device_id).wait_for_state("Charging")
    p.send(weld=True)
    p.wait_for(lambda line: line["event"] == "changed")
    p.send(plug=False)
    p.wait_until(connector_is("Faulted", "PowerSwitchFailure"))
    p.kill()
    p.start()
    p.wait_until(connector_is("Faulted", "PowerSwitchFailure"))


@pytest.mark.parametrize(
    ("change", "reason", "fault"),
    [
        ({"ground_fault": True}, "GroundFault", "GroundFailure"),
        ({"temperature_c": 95}, "HighTemperature", "HighTemperature"),
        ({"current_ma": 200_000}, "OvercurrentFault", "OverCurrentFailure"),
        ({"meter": False}, "MeterFailure", "PowerMeterFailure"),
    ],
)
def test_each_fault_ends_the_order_and_latches(pile, phone, change, reason, fault):
    p = pile(speed=FAST)
    order = phone.order(p.device_id)
    order.wait_for_state("Charging")
    p.send(**change)
    p.wait_for(opened)
    assert order.wait_for_state("Settled")["reason"] == reason
    p.wait_until(connector_is("Faulted", fault))


def test_a_relay_that_does_not_close_settles_for_nothing(pile, phone):
    p = pile(speed=FAST)
    p.send(stuck_open=True)
    p.wait_for(lambda line: line["event"] == "changed")
    view = phone.order(p.device_id).wait_for_state("Paid")
    assert view["reason"] == "PowerSwitchStuckOpen"
    assert (view["total_minor"], view["settlement"]["energy_mwh"]) == (0, 0)
    p.wait_until(connector_is("Faulted", "PowerSwitchStuckOpen"))


def test_no_valid_meter_reading_no_start(pile, phone, tap):
    p = pile()
    p.send(meter=False)
    p.wait_for(lambda line: line["event"] == "changed")
    order = phone.order(p.device_id)
    view = order.wait_for_state("Rejected")
    assert view["reason"] == "NoMeter"
    assert (
        tap.wait_for(p.device_id, "order/status", lambda m: m["order_id"] == order.order_id)["state"]
        == "Rejected"
    )
