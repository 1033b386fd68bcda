"""Several connectors on one supply: what is refused, who waits, and for how long."""

from pile.feed import BACK_AFTER_MS, OVERLOAD_MS
from pile.safety import Limits
from pile.session import FEED_WAIT_MS
from tests.portable.kit import AT, Pile, totals_agree

FEED = {"limit_ma": 16_000}
SIX_A_MW = 6 * 230 * 1_000


def pile_of_four(**options):
    """Four 6 A sockets behind 16 A."""
    options.setdefault("limits", Limits(max_current_ma=10_000, rated_ma=6_000))
    pile = Pile(connectors=4, feed=FEED, **options)
    for n in range(1, 5):
        pile.power_mw[n] = SIX_A_MW
    return pile


def order(pile, n):
    at = pile.clock.at()
    pile.order("o%d" % n, connector=n, issued_at=at, expires_at=at + 60)


def closed(pile):
    return [n for n in range(1, 5) if pile.closed(n)]


def test_an_order_beyond_the_supply_is_refused():
    pile = pile_of_four()
    for n in (1, 2, 3):
        order(pile, n)
    pile.cycle(5)
    assert closed(pile) == [1, 2]
    assert pile.said()[-1] != ("o3", "Accepted", None)
    pile.stop("o1")
    pile.cycle(20)
    pile.said()
    order(pile, 3)
    assert pile.said() == [("o3", "Rejected", "UsedOrder")], "a late copy of a refused order started"
    order(pile, 4)
    assert pile.said()[0] == ("o4", "Accepted", None)


def test_without_a_feed_all_may_charge():
    pile = Pile(connectors=4, limits=Limits(rated_ma=6_000))
    for n in range(1, 5):
        order(pile, n)
    pile.cycle(5)
    assert closed(pile) == [1, 2, 3, 4]


def overloaded():
    """Connectors 2 and 1 charge, in this order, and connector 2 has begun to take more than its share."""
    pile = pile_of_four()
    order(pile, 2)
    pile.cycle(30)
    order(pile, 1)
    pile.cycle(10)
    pile.power_mw[2] = 11 * 230 * 1_000
    return pile


def test_a_measured_overload_suspends_the_newest_and_lets_it_back():
    pile = pile_of_four()
    order(pile, 2)
    pile.cycle(30)
    order(pile, 1)
    pile.cycle(30)
    pile.power_mw[2] = 11 * 230 * 1_000  # 17 A in all
    pile.cycle(OVERLOAD_MS // 100)
    assert closed(pile) == [1, 2]
    pile.cycle(3)
    assert closed(pile) == [2] and pile.connector(1).status() == "SuspendedEVSE"
    pile.power_mw[2] = SIX_A_MW
    pile.cycle(BACK_AFTER_MS // 100 - 10)
    assert closed(pile) == [2]
    pile.cycle(20)
    assert closed(pile) == [1, 2]
    pile.stop("o1")
    pile.stop("o2")
    for settlement in pile.settlements():
        totals_agree(settlement)
    assert sum([s["energy_mwh"] for s in pile.settlements()]) == pile.delivered_mwh(1) + pile.delivered_mwh(2)


def test_a_short_overload_suspends_nobody():
    pile = pile_of_four()
    order(pile, 1)
    order(pile, 2)
    for _ in range(10):
        pile.power_mw[1] = 12 * 230 * 1_000
        pile.cycle(OVERLOAD_MS // 100 - 1)
        pile.power_mw[1] = SIX_A_MW
        pile.cycle(2)
    assert closed(pile) == [1, 2]


def test_an_order_waits_for_room_so_long_and_no_longer():
    pile = overloaded()
    pile.cycle(FEED_WAIT_MS // 1_000 - 5, 1_000)
    assert pile.settlements() == []
    pile.cycle(20, 1_000)
    (settlement,) = pile.settlements()
    assert (settlement["order_id"], settlement["stop_reason"]) == ("o1", "FeedBusy")
    assert pile.closed(2)


def test_a_socket_without_a_plug_switch_that_waited_too_long_may_have_another_vehicle():
    pile = pile_of_four(plug_switch=False)
    order(pile, 2)
    pile.cycle(30)
    order(pile, 1)
    pile.cycle(30)
    pile.power_mw[2] = 11 * 230 * 1_000
    pile.cycle(60)
    assert closed(pile) == [2]
    first_mwh = pile.delivered_mwh(1)
    pile.cycle(200, 1_000)
    pile.power_mw[2] = SIX_A_MW
    pile.cycle(10, 1_000)
    (settlement,) = pile.settlements()
    assert (settlement["stop_reason"], settlement["energy_mwh"]) == ("VehicleChanged", first_mwh)


def test_a_suspended_order_can_be_stopped_and_unplugged():
    for action, reason in (("stop", "Remote"), ("unplug", "EVDisconnected")):
        pile = overloaded()
        pile.cycle(60)
        assert closed(pile) == [2]
        if action == "stop":
            pile.command("stop", order_id="o1", issued_at=AT, expires_at=AT + 600)
        else:
            pile.plugged[1] = False
        pile.cycle(70)
        assert [s["stop_reason"] for s in pile.settlements()] == [reason]
