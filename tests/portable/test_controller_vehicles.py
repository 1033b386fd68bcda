"""The whole pile and what people do: plugs that bounce, vehicles that wait, leave or are full, the stop
button.
"""

from pile.readings import MeterTraits
from pile.safety import Limits
from pile.session import REPLUGS_MAX
from tests.portable.kit import AT, REGISTER_MWH, Meter, Pile, rejected, totals_agree

HOUR_MS = 3_600_000


def settlement(pile):
    (found,) = pile.settlements()
    totals_agree(found)
    return found


def pass_s(pile, seconds):
    for _ in range(seconds):
        pile.cycle(1, 1_000)
        pile.store.log = []


# -- without a plug switch ------------------------------------------------------------------------------


def test_another_vehicle_in_a_socket_without_a_plug_switch_does_not_charge_on_the_first_ones_bill():
    """Bike A left, the socket was empty for 15 minutes, bike B was plugged in: 529 of 559 Wh on A's bill were
    B's.
    """
    pile = Pile(plug_switch=False, limits=Limits(full_after_ms=HOUR_MS))
    pile.power_mw[1] = 120_000
    pile.charge(cycles=10, limits={"duration_s": 14_400})
    pass_s(pile, 900)
    first_mwh = pile.delivered_mwh()
    pile.power_mw[1] = 0
    pass_s(pile, 900)
    pile.power_mw[1] = 120_000
    pass_s(pile, 3_600)
    found = settlement(pile)
    assert (found["stop_reason"], found["energy_mwh"]) == ("VehicleChanged", first_mwh)
    assert "last_reading" not in found and not pile.closed()


def test_a_short_gap_in_the_power_is_the_same_vehicle():
    pile = Pile(plug_switch=False)
    pile.charge(cycles=10)
    pile.power_mw[1] = 0
    pass_s(pile, Limits().gap_ms // 1000 - 1)
    pile.power_mw[1] = 7_200_000
    pass_s(pile, 60)
    assert pile.closed()


def test_with_a_plug_switch_a_gap_in_the_power_is_the_same_vehicle():
    pile = Pile(limits=Limits(full_after_ms=HOUR_MS))
    pile.charge(cycles=10)
    pile.power_mw[1] = 0
    pass_s(pile, 900)
    pile.power_mw[1] = 7_200_000
    pass_s(pile, 60)
    assert pile.closed()


def test_what_trickled_is_billed_when_nobody_came_back():
    pile = Pile(plug_switch=False)
    pile.charge(cycles=10)
    pile.power_mw[1] = 10_000
    pass_s(pile, 200)
    found = settlement(pile)
    assert (found["stop_reason"], found["energy_mwh"]) == ("StoppedByEV", pile.delivered_mwh())


# -- a plug that is pulled ------------------------------------------------------------------------------


def test_a_plug_that_bounces_opens_the_relay_and_keeps_the_order():
    """Contacts bounced for 0.4 s: the order ended, and the next one cost a second session fee."""
    pile = Pile()
    pile.charge(cycles=20)
    pile.said()
    pile.plugged[1] = False
    pile.cycle()
    assert not pile.connector().commanded and pile.connector().status() == "SuspendedEVSE"
    pile.cycle(3)
    pile.plugged[1] = True
    pile.cycle(2)
    assert pile.closed() and pile.settlements() == []
    assert {state for _, state, _ in pile.said()} <= {"Charging"}
    pile.stop()
    assert settlement(pile)["energy_mwh"] == pile.delivered_mwh()


def test_a_plug_that_stays_out_ends_the_order():
    pile = Pile()
    pile.charge(cycles=20)
    pile.plugged[1] = False
    pass_s(pile, Limits().replug_ms // 1000)
    assert pile.settlements() == []
    pass_s(pile, 2)
    found = settlement(pile)
    assert (found["stop_reason"], found["energy_mwh"]) == ("EVDisconnected", pile.delivered_mwh())


def test_a_board_without_a_replug_window_ends_the_order_at_once():
    pile = Pile(limits=Limits(replug_ms=0))
    pile.charge(cycles=20)
    pile.plugged[1] = False
    pile.cycle(2)
    assert settlement(pile)["stop_reason"] == "EVDisconnected"


def test_a_plug_bounces_so_many_times_and_no_more():
    pile = Pile()
    pile.charge(cycles=20)
    for _ in range(REPLUGS_MAX):
        pile.plugged[1] = False
        pile.cycle(5)
        pile.plugged[1] = True
        pile.cycle(5)
        assert pile.closed()
    pile.plugged[1] = False
    pile.cycle(2)
    assert settlement(pile)["stop_reason"] == "EVDisconnected"


def test_a_pulled_plug_does_not_stop_the_limits():
    pile = Pile(limits=Limits(replug_ms=60_000))
    pile.charge(cycles=10, limits={"duration_s": 10})
    pile.plugged[1] = False
    pass_s(pile, 12)
    assert settlement(pile)["stop_reason"] == "TimeLimitReached"


def test_a_plug_switch_that_cannot_be_read_is_neither_in_nor_out():
    pile = Pile()
    pile.charge(cycles=20)
    pile.plug_switch = False
    pile.readings().plugged.lose()
    pass_s(pile, 9)
    assert pile.closed()
    pass_s(pile, 4)
    assert settlement(pile)["stop_reason"] == "SensorFailure"
    rejected(pile, "ConnectorFaulted", "o2") if not pile.said() else None


def test_a_plug_switch_that_cannot_be_read_closes_no_relay_again():
    pile = Pile(limits=Limits(replug_ms=60_000))
    pile.charge(cycles=20)
    pile.plugged[1] = False
    pile.cycle(3)
    pile.plug_switch = False
    pile.readings().plugged.lose()
    for _ in range(90):
        pile.cycle()
        assert not pile.closed()


def test_after_a_power_cut_an_order_waits_until_the_plug_can_be_read():
    pile = Pile()
    pile.charge(cycles=20)
    pile.boot(ready=False)
    pile.plug_switch = False
    pile.readings().plugged.lose()
    pile.clock.tell(AT + 5, "Cloud")
    pile.cycle(30)
    assert not pile.closed() and pile.settlements() == []
    pile.plug_switch = True
    pile.cycle(3)
    assert pile.closed()


# -- waiting to begin, and full -------------------------------------------------------------------------


def test_a_vehicle_with_a_timer_is_not_full_before_it_drew():
    pile = Pile()
    pile.power_mw[1] = 0
    pile.charge(cycles=10, limits={"duration_s": 14_400})
    pass_s(pile, Limits().begin_within_ms // 1000 - 10)
    assert pile.closed() and pile.connector().status() == "SuspendedEV"
    pile.power_mw[1] = 7_200_000
    pass_s(pile, 3_600)
    assert pile.closed()


def test_a_vehicle_that_never_draws_ends_its_order_with_a_word_of_its_own():
    for power_mw in (0, 14_000):
        pile = Pile()
        pile.power_mw[1] = power_mw
        pile.charge(cycles=10, limits={"duration_s": 14_400})
        pass_s(pile, Limits().begin_within_ms // 1000)
        assert settlement(pile)["stop_reason"] == "Timeout"


def test_a_vehicle_that_is_full_ends_its_order():
    pile = Pile()
    pile.charge(cycles=10)
    pile.power_mw[1] = 0
    pass_s(pile, Limits().full_after_ms // 1000 - 1)
    assert pile.closed()
    pass_s(pile, 2)
    assert settlement(pile)["stop_reason"] == "StoppedByEV"


def test_an_order_may_carry_its_own_times_within_the_boards_bounds():
    limits = Limits(begin_within_max_ms=HOUR_MS, full_after_max_ms=HOUR_MS)
    for asked_s, waits_s in ((600, 600), (3_600, 3_600), (80_000, 3_600)):
        pile = Pile(limits=limits)
        pile.power_mw[1] = 0
        pile.charge(cycles=10, limits={"duration_s": 86_400}, begin_within_s=asked_s)
        pass_s(pile, waits_s - 2)
        assert pile.closed(), asked_s
        pass_s(pile, 3)
        assert settlement(pile)["stop_reason"] == "Timeout", asked_s
        pile = Pile(limits=limits)
        pile.charge(cycles=10, limits={"duration_s": 86_400}, full_after_s=asked_s)
        pile.power_mw[1] = 14_000  # cells that are balanced
        pass_s(pile, waits_s - 1)
        assert pile.closed(), asked_s
        pass_s(pile, 3)
        assert settlement(pile)["stop_reason"] == "StoppedByEV", asked_s


def test_a_vehicle_that_drew_before_a_power_cut_is_full_after_it():
    pile = Pile()
    pile.charge(cycles=600)
    pile.power_mw[1] = 0
    pile.boot(AT + 70)
    pass_s(pile, Limits().full_after_ms // 1000 + 3)
    assert settlement(pile)["stop_reason"] == "StoppedByEV"


# -- the stop button ------------------------------------------------------------------------------------


def test_the_stop_button_ends_the_order_without_a_network():
    pile = Pile()
    pile.charge(cycles=20)
    pile.readings().stop_button = True
    pile.cycle()
    assert not pile.connector().commanded
    pile.cycle(2)
    assert settlement(pile)["stop_reason"] == "Local"
    assert pile.connector().status() == "Unavailable"
    pile.readings().stop_button = False
    pile.cycle(12)
    assert pile.connector().status() == "Available"


def test_an_order_does_not_start_while_the_stop_button_is_pressed():
    pile = Pile()
    pile.readings().stop_button = True
    pile.order()
    rejected(pile, "ConnectorFaulted")


# -- orders fast after each other -----------------------------------------------------------------------


def test_orders_fast_after_each_other_are_throttled_without_a_write_to_flash():
    """64 orders in 5 s were 64 cycles of the relay, and after them no id could be remembered for minutes."""
    pile = Pile()
    closings = 0
    for n in range(64):
        pile.order("o%d" % n)
        running = pile.connector().order
        if running is not None and running.order_id == "o%d" % n:
            closings += 1
            pile.command("stop", order_id="o%d" % n)
        pile.cycle(1, 78)
    assert closings <= 6, closings
    assert "TooSoon" in [reason for _, _, reason in pile.said()]
    pile.cycle(20)
    pile.said()
    pile.store.log = []
    pile.order("o62")
    rejected(pile, "UsedOrder", "o62")
    assert pile.store.log == [], "an order that came too soon was written to flash"
    pile.order("o64")
    assert pile.said() == [("o64", "Accepted", None)]


# -- what a power cut forgets ---------------------------------------------------------------------------


def test_a_power_cut_ends_no_wait_early():
    """An order may wait for hours at 14 W until it is full. After a power cut nobody knows whether it drew:
    it ended with Timeout after the 30 minutes that a vehicle has to begin.
    """
    for drew in (True, False):
        pile = Pile()
        pile.power_mw[1] = 7_200_000 if drew else 0
        pile.charge(cycles=10, limits={"duration_s": 86_400}, full_after_s=14_400)
        pile.power_mw[1] = 0
        pass_s(pile, 1_000)
        pile.boot(AT + 1_100)
        pass_s(pile, 14_300)
        assert pile.closed(), drew
        pass_s(pile, 120)
        assert settlement(pile)["stop_reason"] in ("Timeout", "StoppedByEV")


def test_one_step_of_a_coarse_meter_does_not_say_that_the_vehicle_drew():
    """After a power cut a vehicle with a timer was taken for one that was full."""
    pile = Pile(meter=lambda: Meter(REGISTER_MWH, MeterTraits(0, 100, 0, 3_907, True)))
    pile.power_mw[1] = 14_000
    pile.meters[1].flow(1, 0, 0)
    pile.set_register(3_907 * 1_280 - 1)  # the next mWh moves it
    pile.charge(cycles=30, limits={"duration_s": 86_400})
    assert pile.session().metering.energy_mwh == 3_907
    pile.boot(AT + 10)
    pass_s(pile, 600)
    assert pile.closed()


def test_a_cut_while_the_shared_supply_has_no_room_bills_what_flowed():
    """That it is held is not durable: it starts again, and is shed again."""
    pile = Pile(connectors=2, feed={"limit_ma": 40_000}, limits=Limits(rated_ma=20_000))
    pile.charge("o1", 20)
    pile.charge("o2", 20, connector=2)
    for n in (1, 2):
        pile.power_mw[n] = 230 * 25_000
    pile.cycle(30)
    assert pile.session(2).held_ms is not None
    pile.boot(AT + 20)
    pile.cycle(40)
    assert pile.session(2).held_ms is not None and not pile.closed(2)
    pile.power_mw[1] = 230 * 10_000
    pass_s(pile, 40)
    assert pile.closed(2)
    for n in (1, 2):
        pile.command("stop", order_id="o%d" % n)
        pile.settle(n)
        assert abs(pile.settlements()[n - 1]["energy_mwh"] - pile.delivered_mwh(n)) < 10


# -- a relay whose feedback cannot be read --------------------------------------------------------------


def test_a_feedback_that_cannot_be_read_is_a_fault_and_its_energy_survives_a_power_cut():
    """The order stayed in Starting for ever, billed, and kept no reading in flash."""
    pile = Pile()
    pile.feedback = False
    pile.order()
    pile.readings().relay_closed.lose()
    pile.cycle(50)
    assert pile.closed() and pile.session().phase == "Starting"
    assert pile.delivered_mwh() - (pile.kept_order().register_mwh - REGISTER_MWH) <= 7_200_000 * 2 // 3_600
    pile.cycle(80)
    assert not pile.closed() and pile.connector().fault == "SensorFailure"
    assert settlement(pile)["energy_mwh"] > 0


# -- drivers --------------------------------------------------------------------------------------------


def test_an_error_of_a_driver_is_a_fault_of_its_connector_alone_and_heals():
    pile = Pile(connectors=2)
    pile.charge("o1", 5)
    pile.charge("o2", 5, connector=2)
    pile.readings(1).driver_error = True
    pile.cycle(3)
    assert pile.connector(1).fault == "InternalError" and not pile.closed(1)
    assert pile.connector(2).fault is None and pile.closed(2)
    assert settlement(pile)["stop_reason"] == "InternalError"
    pile.readings(1).driver_error = False
    pass_s(pile, 62)
    assert pile.connector(1).status() == "Available"


def test_a_silent_meter_ends_the_order_and_heals_when_it_is_back():
    pile = Pile()
    pile.charge(cycles=20)
    pile.silence_meter()
    pass_s(pile, 10)
    assert settlement(pile)["stop_reason"] == "MeterFailure"
    assert pile.connector().status() == "Faulted"
    pile.meters[1].silent = False
    pass_s(pile, 12)
    assert pile.connector().status() == "Available"
    pile.boot(AT + 60)
    assert pile.connector().fault is None, "the healed fault came back with the power"
