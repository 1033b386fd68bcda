"""Orders whose rate has time, power tiers, staying on, a minimum, a maximum or tax."""

from pile_protocol import components, messages, topics, wire
from tests.portable.kit import AT, Pile, rate, rejected

HOUR_MS = 3_600_000
IDLE = {"price": 36_000_000, "after_s": 10, "max_minor": 30}  # a minor unit a second; over after 40 s
TIERS = [[200_000, 1_000_000], [400_000, 2_000_000], [10_000_000, 4_000_000]]
STEPS = [[AT - 3_600, 0, 0, "flat"], [AT + 5, 1_000_000, 0, "peak"]]


def locked(**members):
    return rate(steps=STEPS, **members)


def checked(pile, made, limit_minor=None):
    """The only settlement, which keeps its table and is billed as the cloud would."""
    (settlement,) = pile.settlements()
    messages.validate(wire.SETTLEMENT, settlement)
    usage = components.usage_of(made, settlement)
    found = components.bill(made, usage, limit_minor)
    idle_minor = found.pop("idle_minor", None)
    for name in found:
        assert settlement[name] == found[name], (name, settlement)
    assert ("idle" in settlement) == ("idle" in made)
    if idle_minor is not None:
        assert settlement["idle"]["idle_minor"] == idle_minor
    lines = [row[5] + row[6] for row in settlement["periods"]] + [
        row[3] for row in settlement.get("times", [])
    ]
    lines += [row[3] for row in settlement.get("tiers", [])]
    lines += [settlement["session_fee_minor"], idle_minor or 0, settlement.get("top_up_minor", 0)]
    assert sum(lines) == settlement["total_minor"], settlement
    return settlement


def last_meter(pile):
    """The newest meter message."""
    newest = None
    mailbox = pile.controller.mailbox
    while True:
        item = mailbox.peek()
        if item is None:
            return newest
        mailbox.done(*item)
        if item[0] == topics.METER:
            newest = item[1]
            messages.validate(wire.METER, newest)


def test_time_is_counted_by_price_step_while_the_relay_is_closed():
    pile = Pile()
    made = locked(time_prices=[3_600_000, 7_200_000])
    pile.charge(rate=made, cycles=100)
    pile.plugged[1] = False
    pile.cycle(20)  # suspended
    pile.plugged[1] = True
    pile.cycle(30)
    pile.stop()
    settlement = checked(pile, made)
    (first, second) = settlement["times"]
    assert first[:2] == [AT - 3_600, 3_600_000] and 4_500 <= first[2] <= 5_000, first
    assert second[:2] == [AT + 5, 7_200_000] and 7_400 <= second[2] <= 8_100, second


def test_time_between_two_samples_belongs_to_the_lower_power():
    pile = Pile()
    made = locked(tiers=TIERS)
    pile.power_mw[1] = 150_000
    pile.charge(rate=made, cycles=20)
    pile.power_mw[1] = 350_000
    pile.cycle(30)
    pile.power_mw[1] = 20_000_000  # above the last one
    pile.cycle(40)
    pile.silence_meter()
    pile.cycle(10)
    pile.stop()
    settlement = checked(pile, made)
    ms = [row[2] for row in settlement["tiers"]]
    assert 2_800 <= ms[0] <= 3_100 and 2_900 <= ms[1] <= 3_000 and 3_900 <= ms[2] <= 4_000, ms


def test_staying_on_costs_from_the_grace_time_on_until_the_vehicle_leaves():
    pile = Pile()
    made = locked(idle=IDLE)
    pile.charge(rate=made, cycles=100)
    pile.command("stop", order_id="o1")
    pile.cycle(50)
    assert pile.session().phase == "Staying" and not pile.closed() and not pile.settlements()
    assert pile.connector().status() == "Finishing"
    pile.order("o2")
    assert ("o2", "Rejected", "ConnectorBusy") in pile.said()
    pile.cycle(150)
    newest = last_meter(pile)
    assert newest["idle"]["free_until_at"] == newest["idle"]["since_at"] + 10
    assert newest["costs"]["idle_minor"] >= 8 and newest["cost_minor"] >= newest["costs"]["idle_minor"]
    pile.plugged[1] = False
    pile.settle()
    settlement = checked(pile, made)
    assert 8_000 <= settlement["idle"]["time_ms"] <= 11_000, settlement
    assert settlement["stop_reason"] == "Remote"
    assert settlement["idle"]["since_at"] == settlement["ended_at"] <= AT + 12
    assert settlement["idle"]["until_at"] >= settlement["ended_at"] + 18


def test_staying_on_ends_at_its_cap_and_at_the_money_limit_and_costs_nothing_before_the_grace_time():
    for idle, limit_minor, cycles, idle_minor in (
        (IDLE, None, 600, 30),
        (IDLE, 5, 600, None),
        ({"price": 36_000_000, "after_s": 3_600, "max_minor": 30}, None, 300, 0),
    ):
        pile = Pile()
        made = locked(idle=idle)
        limits = {"duration_s": 3_600}
        if limit_minor:
            limits["cost_minor"] = limit_minor
        pile.charge(rate=made, limits=limits, cycles=100)
        pile.command("stop", order_id="o1")
        pile.cycle(cycles)
        if idle_minor == 0:
            assert pile.session().phase == "Staying"
            pile.plugged[1] = False
        pile.settle()
        settlement = checked(pile, made, limit_minor)
        if limit_minor:
            assert settlement["total_minor"] == limit_minor
        else:
            assert settlement["idle"]["idle_minor"] == idle_minor, settlement


def test_nobody_is_kept_waiting_where_staying_costs_nothing_more():
    for members in (
        {"idle": {"price": 0, "after_s": 0, "max_minor": 30}},
        {"idle": IDLE, "maximum_minor": 1},
    ):
        pile = Pile()
        made = locked(**members)
        pile.charge(rate=made, cycles=100)
        pile.stop()
        settlement = checked(pile, made)
        assert settlement["idle"]["time_ms"] == 0, settlement


def test_who_has_left_or_a_fault_ends_staying_at_once():
    for what in ("unplugged", "estop", "fault", "blind", "no energy"):
        pile = Pile()
        made = locked(idle=IDLE)
        if what == "no energy":
            pile.power_mw[1] = 0
        pile.charge(rate=made, cycles=100)
        if what == "unplugged":
            pile.plugged[1] = False
            pile.settle()
        else:
            pile.command("stop", order_id="o1")
            pile.cycle(30)
            if what == "estop":
                pile.readings().estop = True
            elif what == "fault":
                pile.readings().ground_fault = True
            elif what == "blind":
                pile.plug_switch = False
                pile.readings().plugged.lose()
            pile.settle()
        assert checked(pile, made)["idle"]["time_ms"] == 0, what


def test_what_was_counted_outlives_a_power_cut():
    made = locked(time_prices=[3_600_000, 3_600_000], tiers=TIERS, idle=IDLE)
    pile = Pile()
    pile.power_mw[1] = 150_000
    pile.charge(rate=made, cycles=200)
    before = sum(pile.session().metering.tiers_ms)
    pile.boot()  # the clock is unset: it cannot go on
    pile.plugged[1] = False
    pile.settle()
    settlement = checked(pile, made)
    counted = sum([row[2] for row in settlement["times"]])
    assert before - 2_000 <= counted <= before + 100, (before, settlement)
    assert before - 2_000 <= sum([row[2] for row in settlement["tiers"]]) <= before + 100


def test_an_order_goes_on_after_a_cut_and_nothing_counts_meanwhile():
    made = locked(time_prices=[3_600_000, 3_600_000], tiers=TIERS)
    pile = Pile()
    pile.power_mw[1] = 150_000
    pile.charge(rate=made, cycles=200)
    pile.boot(AT + 600)
    pile.cycle(100)
    assert pile.closed()
    pile.stop()
    settlement = checked(pile, made)
    counted = sum([row[2] for row in settlement["times"]])
    assert 27_000 <= counted <= 30_100, settlement


def test_a_vehicle_that_stays_over_a_cut_pays_for_what_was_seen():
    made = locked(idle=IDLE)
    pile = Pile()
    pile.charge(rate=made, cycles=100)
    pile.command("stop", order_id="o1")
    pile.cycle(160)
    pile.boot(AT + 5_000)
    assert pile.session().phase == "Staying" and not pile.closed()
    pile.cycle(50)
    pile.plugged[1] = False
    pile.settle()
    settlement = checked(pile, made)
    assert 7_000 <= settlement["idle"]["time_ms"] <= 11_000, settlement
    assert settlement["recovered"] and settlement["stop_reason"] == "Remote"


def test_a_stay_that_a_cut_hit_before_it_was_counted_goes_on():
    """The stop was durable and no time of the stay: the settlement was made at once, without the stay."""
    made = locked(idle=IDLE)
    pile = Pile()
    pile.charge(rate=made, cycles=100)
    pile.command("stop", order_id="o1")
    while pile.session().phase == "Charging":
        pile.cycle(1)
    pile.boot(AT + 5_000)
    pile.cycle(150)
    assert pile.session().phase == "Staying" and not pile.closed()
    pile.plugged[1] = False
    pile.settle()
    assert checked(pile, made)["idle"]["time_ms"] > 3_000


def test_the_times_of_a_stay_hold_what_it_bills_after_a_cut_too():
    """Its end was told by the time since the restart alone, and the cloud flagged the stay as impossible."""
    made = locked(idle=IDLE)
    pile = Pile()
    pile.charge(rate=made, cycles=100)
    pile.command("stop", order_id="o1")
    pile.cycle(250)
    pile.boot(AT + 5_000)
    pile.cycle(20)
    assert last_meter(pile)["at"] >= pile.session().ended_at + 20
    pile.plugged[1] = False
    pile.settle()
    idle = checked(pile, made)["idle"]
    assert idle["until_at"] - idle["since_at"] >= IDLE["after_s"] + idle["time_ms"] // 1000, idle


def test_a_cut_between_the_cap_and_the_settlement_leaves_the_times_of_the_stay():
    made = locked(idle=IDLE)
    pile = Pile()
    pile.charge(rate=made, cycles=100)
    pile.command("stop", order_id="o1")
    pile.cycle(50)
    pile.controller.journal.keep_usage(1, [40_000, [], []])
    pile.boot(AT + 5_000)
    pile.settle()
    idle = checked(pile, made)["idle"]
    assert idle["idle_minor"] == 30 and idle["until_at"] - idle["since_at"] >= 40, idle


def test_the_money_limit_holds_whatever_makes_the_cost():
    for members, power_mw in (
        ({"time_prices": [360_000_000, 360_000_000]}, 1_000),
        ({"tiers": [[1_000, 360_000_000], [9_000_000, 3_600_000_000]]}, 7_200_000),
        ({"time_prices": [3_600_000, 360_000_000], "tiers": TIERS}, 7_200_000),
        ({"minimum_minor": 60}, 7_200_000),
    ):
        pile = Pile()
        made = rate(
            steps=[[AT - 3_600, 1_000_000, 9_000_000, "flat"], [AT + 9, 50_000_000, 0, "peak"]], **members
        )
        pile.power_mw[1] = power_mw
        pile.charge(rate=made, limits={"duration_s": 3_600, "cost_minor": 100}, cycles=0)
        dearest = 0
        for _ in range(6_000):
            if pile.connector().order is None:
                break
            dearest = max(dearest, pile.session().metering.cost_minor())
            pile.cycle()
        settlement = checked(pile, made, 100)
        assert settlement["stop_reason"] == "CostLimitReached", (members, settlement)
        assert settlement["total_minor"] == 100 and dearest <= 100
        unlimited = components.bill(made, components.usage_of(made, settlement))["total_minor"]
        assert 100 <= unlimited <= 112, (members, unlimited)


def test_the_cost_is_worked_out_seldom():
    pile = Pile()
    made = rate(time_prices=[3_600_000])
    pile.charge(rate=made, limits={"duration_s": 7_200, "cost_minor": 500}, cycles=2)
    metering = pile.session().metering
    looked = []
    look = metering.look
    metering.look = lambda now_ms: looked.append(now_ms) or look(now_ms)
    pile.cycle(2_000)
    assert len(looked) <= 12, looked


def test_a_maximum_does_not_stop_the_charge():
    pile = Pile()
    made = rate(maximum_minor=2)
    pile.charge(rate=made, limits={"duration_s": 3_600, "cost_minor": 2}, cycles=400)
    assert pile.closed()
    pile.stop()
    assert checked(pile, made, 2)["total_minor"] == 2


def test_what_a_connector_cannot_bill_is_refused():
    pile = Pile(plug_switch=False)
    pile.order(rate=rate(idle=IDLE))
    rejected(pile, "NotBillable")
    pile = Pile()
    for n, members in enumerate(
        (
            {"time_prices": [1, 2]},
            {"tiers": [[200_000, 2], [100_000, 3]]},
            {"tiers": [[200_000, 2], [300_000, 1]]},
            {"minimum_minor": 2, "maximum_minor": 1},
        )
    ):
        pile.order("o%d" % n, rate=rate(**members))
        rejected(pile, "NotBillable", "o%d" % n)


def test_the_hello_tells_what_the_pile_can_bill():
    hello = Pile().controller.hello("0" * 16)
    messages.validate(wire.HELLO, hello)
    assert tuple(hello["bills"]) == components.COMPONENTS and hello["idle_connectors"] == [1]
    assert Pile(plug_switch=False).controller.hello("0" * 16)["idle_connectors"] == []


def test_tax_is_told_and_changes_no_total():
    totals = []
    for members in ({}, {"tax_per_mille": 130}):
        pile = Pile()
        made = rate(minimum_minor=500, **members)
        pile.charge(rate=made, cycles=100)
        pile.stop()
        totals.append(checked(pile, made)["total_minor"])
    assert totals == [500, 500]
    assert pile.settlements()[0]["tax_minor"] == 58


def test_what_is_rewritten_every_second_stays_small():
    """Littlefs keeps a file of 128 bytes in its metadata; beyond it each rewrite costs an erase, and the
    times of a night with a price for each half hour wore the flash out in two years.
    """
    steps = [[AT - 3_600 + i * 1_800, 1, 0, "flat"] for i in range(40)]
    made = rate(steps=steps, time_prices=[1_000_000] * 40, tiers=[[i * 100_000, i] for i in (1, 2, 3, 4)])
    pile = Pile()
    pile.power_mw[1] = 150_000
    pile.charge(rate=made, limits={"duration_s": 60_000}, cycles=20)
    usage = pile.session().usage
    for i in range(3, 35):
        usage.times.append([i, 1_800_000])
        usage.tiers_ms = [100_000_000] * 4
        pile.cycle(20)
        assert len(pile.store.files["usage-1"]) <= 128, pile.store.files["usage-1"]
    before = [list(row) for row in usage.times]
    pile.boot()
    after = pile.session().usage.times
    assert after[:-1] == before[:-1] and before[-1][1] - 1_000 <= after[-1][1] <= before[-1][1], after


def test_a_cut_while_a_price_step_becomes_durable_loses_none_that_is_over():
    made = rate(steps=[[AT - 60 + i, 1, 0, "flat"] for i in range(80)], time_prices=[3_600_000] * 80)
    for lost in ("times-1", "usage-1"):
        pile = Pile()
        pile.charge(rate=made, cycles=30)
        older = dict(pile.store.files)
        pile.cycle(10)
        counted = sum([row[1] for row in pile.session().usage.times])
        pile.store.files[lost] = older[lost]  # the cut came between the two files
        pile.boot()
        found = pile.session().usage.times
        assert [row[0] for row in found] == sorted(set([row[0] for row in found])), found
        assert counted - 2_000 <= sum([row[1] for row in found]) <= counted, (lost, found, counted)


def blind(pile):
    """The plug switch cannot be read until plug_switch is True again."""
    pile.plug_switch = False
    pile.readings().plugged.lose()


def staying(after_cycles=150):
    pile = Pile()
    pile.charge(rate=locked(idle=IDLE), cycles=100)
    pile.command("stop", order_id="o1")
    pile.cycle(after_cycles)
    assert pile.session().phase == "Staying"
    return pile


def test_a_plug_that_bounces_while_the_vehicle_stays_on_is_not_counted_and_ends_nothing():
    """Contacts were seen to bounce for 0.4 s; staying on ended, and the connector was free with a vehicle in
    it.
    """
    pile = staying()
    before_ms = pile.session().usage.stay_ms
    for cycles in (4, 9):
        pile.plugged[1] = False
        pile.cycle(cycles)
        pile.plugged[1] = True
        pile.cycle(10)
    assert pile.session().usage.stay_ms - before_ms == 2_000
    pile.plugged[1] = False
    pile.cycle(12)
    assert pile.connector().order is None
    assert checked(pile, locked(idle=IDLE))["stop_reason"] == "Remote"


def test_a_plug_that_cannot_be_read_for_a_while_is_not_counted():
    """For 10 s it may come back; then the stay is over and billed without the time in which nobody saw the
    vehicle.
    """
    pile = staying()
    before_ms = pile.session().usage.stay_ms
    blind(pile)
    pile.cycle(90)
    assert pile.session().usage.stay_ms == before_ms
    pile.plug_switch = True
    pile.cycle(10)
    assert pile.session().usage.stay_ms == before_ms + 1_000
    blind(pile)
    pile.cycle(105)
    assert pile.connector().order is None
    settlement = checked(pile, locked(idle=IDLE))
    assert settlement["idle"]["time_ms"] == max(0, before_ms + 1_000 - 10_000), settlement


def test_a_plug_that_cannot_be_read_as_the_charge_ends_does_not_make_staying_free():
    pile = Pile()
    pile.charge(rate=locked(idle=IDLE), cycles=100)
    blind(pile)
    pile.command("stop", order_id="o1")
    pile.cycle(30)
    assert pile.session().phase == "Staying" and pile.session().usage.stay_ms == 0
    pile.plug_switch = True
    pile.cycle(20)
    assert pile.session().usage.stay_ms == 2_000


def test_a_stay_whose_last_reading_is_lost_has_a_stop_reason():
    """The settlement said null, so the cloud could not read it."""
    pile = staying()
    pile.store.files.pop("check-1")
    pile.boot(AT + 600)
    pile.plugged[1] = False
    pile.settle()
    assert checked(pile, locked(idle=IDLE))["stop_reason"] == "PowerLoss"


def test_a_stay_ends_when_it_does_however_often_the_power_is_cut():
    """Each cut added what had been stayed until then to the end of the charge, until the cloud flagged the
    bill as one of the future.
    """
    pile = staying(250)
    stay_ms = pile.session().usage.stay_ms
    ended_at = pile.session().ended_at
    for _ in range(4):
        pile.boot(AT + 5_000)
        pile.cycle(20)
        assert pile.session().ended_at == ended_at
    pile.plugged[1] = False
    pile.settle()
    idle = checked(pile, locked(idle=IDLE))["idle"]
    assert stay_ms // 1000 <= idle["until_at"] - idle["since_at"] <= stay_ms // 1000 + 10, idle


def test_a_cheaper_price_to_come_does_not_move_the_end_of_an_order():
    """Without a clock, energy after the last reading is billed at the lowest price until the order's end; the
    next cut made the begin of that price the end of the charge.
    """
    steps = [[AT - 60, 2_000_000, 0, "peak"], [AT + 1_800, 1_000_000, 0, "valley"]]
    for is_stopped in (True, False):
        pile = Pile()
        made = rate(steps=steps, idle=IDLE, until_at=AT + 2 * 86_400)
        pile.charge(rate=made, cycles=100)
        if is_stopped:
            pile.command("stop", order_id="o1")
            while pile.session().phase == "Charging":
                pile.cycle(1)
        for _ in range(2):
            pile.boot()
            for _ in range(1_300):
                if pile.connector().order is None or pile.session().phase in ("Staying", "Done"):
                    break
                pile.cycle(1)
        pile.plugged[1] = False
        pile.settle()
        settlement = checked(pile, made)
        assert AT + 9 <= settlement["ended_at"] <= AT + 12, (is_stopped, settlement)


def test_who_loses_the_charge_by_a_power_cut_pays_nothing_for_staying():
    """It was so only where the meter was read in the first cycle after the start."""
    pile = Pile()
    made = locked(idle=IDLE)
    pile.charge(rate=made, cycles=100)
    pile.boot(AT + 86_000, ready=False)
    pile.meters[1].silent = True
    pile.cycle(10)
    pile.meters[1].silent = False
    pile.cycle(20)
    assert pile.connector().order is None
    settlement = checked(pile, made)
    assert settlement["stop_reason"] == "PowerLoss" and settlement["idle"]["time_ms"] == 0
