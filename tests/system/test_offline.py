"""Without a network: the order goes on, ends at its limits, and its settlement arrives later."""

import pytest

from tools.harness.proxy import Proxy

pytestmark = pytest.mark.system

QUICK = ("--backoff-max-ms", "1000", "--keepalive-s", "2")


@pytest.fixture
def proxy(system):
    with Proxy(system.broker.port) as one:
        yield one


def opened(line):
    return line["event"] == "relay opened"


def test_a_pile_offline_during_the_whole_charge_settles_when_it_is_back(pile, phone, proxy, tap):
    p = pile(speed=600, mqtt_url=proxy.url, extra=QUICK)
    order = phone.order(p.device_id, limits={"cost_minor": 300})
    p.wait_for(lambda line: line["event"] == "relay closed")
    proxy.cut()
    p.wait_for(opened)  # at its limit, by itself
    assert not tap.of(p.device_id, "settlement")
    proxy.mend()
    view = order.wait_for_state("Settled", timeout_s=40)
    assert view["reason"] == "CostLimitReached"
    assert view["total_minor"] == 300
    assert not view["settlement"]["flagged"]


def test_a_half_open_link_does_not_keep_the_relay_closed(pile, phone, proxy):
    p = pile(speed=600, mqtt_url=proxy.url, extra=QUICK)
    order = phone.order(p.device_id, limits={"energy_mwh": 3_000_000})
    order.wait_for_state("Charging")
    proxy.stall()
    p.wait_for(opened)
    proxy.drop()
    proxy.mend()
    assert order.wait_for_state("Settled", timeout_s=40)["reason"] == "EnergyLimitReached"


def test_a_stop_that_could_not_be_delivered_reaches_the_pile_when_it_is_back(pile, phone, proxy):
    p = pile(speed=10, mqtt_url=proxy.url, extra=QUICK)
    order = phone.order(p.device_id)
    order.wait_for_state("Charging")
    proxy.cut()
    p.wait_until(lambda view: not view["online"])
    assert order.stop().status == 202
    proxy.mend()
    assert order.wait_for_state("Settled", timeout_s=40)["reason"] == "Remote"


def test_an_offline_pile_gets_no_order(pile, phone):
    p = pile()
    p.stop()
    p.wait_until(lambda view: not view["online"])
    answer = phone.confirm(p.device_id, phone.rate(p.device_id)["rate_id"])
    assert (answer.status, answer.code) == (503, "PileOffline")


def test_an_order_that_the_pile_never_gets_expires_and_does_not_start_later(sim_pile, own_system, open_tap):
    """The link breaks silently just before the confirmation: the cloud gives up, the pile must not begin."""
    from tools.harness.phone import Phone

    own_system.stop_cloud()
    own_system._env["RATELOCK_ORDER_LIFE_S"] = "2"
    own_system.start_cloud()
    with Proxy(own_system.broker.port) as proxy:
        open_tap(own_system.broker)
        p = sim_pile(own_system, mqtt_url=proxy.url, extra=("--backoff-max-ms", "1000"))
        proxy.stall()
        order = Phone(own_system.base_url).order(p.device_id)
        order.wait_for_state("Expired", timeout_s=60)
        proxy.mend()  # what waited in the buffers now reaches the pile: too late
        p.wait_until(lambda view: view["online"])
        phone_view = order.view()
        assert phone_view["state"] == "Expired"
        assert p.count(lambda line: line["event"] == "relay closed") == 0
