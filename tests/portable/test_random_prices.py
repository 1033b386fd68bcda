"""Orders at rates of any components, drawn from a seed: meters of all kinds, bouncing plugs, power cuts. The
total is never above the money limit, and the settlement is what the engine makes of its own lines.
"""

from pile.readings import MeterTraits
from pile_protocol import components, messages, wire
from tests.fuzz.mutate import Random
from tests.portable.kit import AT, KINDS, Meter, Pile, rate

HOURLY = (0, 3_600_000, 36_000_000, 360_000_000)  # a minor unit in 10 s, 1 s, 0.1 s
SEEDS = 15


def any_rate(random):
    steps = [[AT - 3_600, random.choice((0, 1_000_000, 30_000_000)), 500_000, "flat"]]
    for i in range(random.below(3)):
        steps.append([AT + 7 + 20 * i, random.choice((0, 1_000_000, 80_000_000)), 0, "peak"])
    found = {"steps": steps, "session_fee_minor": random.choice((0, 5, 50))}
    if random.below(3):
        found["time_prices"] = [random.choice(HOURLY) for _ in steps]
    if random.below(3):
        prices = sorted([random.choice(HOURLY) for _ in range(3)])
        found["tiers"] = [[(200_000, 3_000_000, 8_000_000)[i], prices[i]] for i in range(3)]
    if random.below(3):
        idle = {"price": random.choice(HOURLY[1:]), "after_s": random.below(5)}
        idle["max_minor"] = random.choice((1, 30, 1000))
        found["idle"] = idle
    if random.below(2):
        found["minimum_minor"] = random.below(100)
    if random.below(2):
        found["maximum_minor"] = 100 + random.below(100)
    if random.below(2):
        found["tax_per_mille"] = random.below(1_001)
    return rate(**found)


def any_order(seed):
    """One order from its beginning to its settlement."""
    random = Random(seed)
    made = any_rate(random)
    limits = {"duration_s": random.choice((20, 60, 3_600)), "cost_minor": 1 + random.below(150)}
    refresh_ms, interval_ms, step_mwh, forgets = random.choice(KINDS)
    traits = MeterTraits(refresh_ms, interval_ms, 0, step_mwh, not forgets)
    pile = Pile(meter=lambda: Meter(traits=traits, forgets=forgets))
    pile.power_mw[1] = random.choice((0, 200_000, 200_001, 7_200_000))
    pile.charge(rate=made, limits=limits, cycles=0)
    for n in range(700):
        if pile.connector().order is None:
            break
        if n == 400:
            pile.command("stop", order_id="o1")
        if not random.below(150):
            pile.power_mw[1] = random.choice((0, 150_000, 7_200_000, 20_000_000))
        pile.plugged[1] = bool(random.below(200)) if pile.plugged[1] else not random.below(4)
        if not random.below(300):
            pile.boot(AT + 5 + n // 5)
        pile.cycle(random.choice((1, 1, 1, 7)))
        order = pile.connector().order
        if order is not None:
            told = order.meter_message(0, pile.clock.now_ms)
            assert told["cost_minor"] <= limits["cost_minor"], (seed, told)
    pile.plugged[1] = False
    pile.settle()
    (settlement,) = pile.settlements()
    messages.validate(wire.SETTLEMENT, settlement)
    usage = components.usage_of(made, settlement)
    bill = components.bill(made, usage, limits["cost_minor"])
    for name in ("periods", "times", "tiers", "total_minor", "top_up_minor", "tax_minor"):
        assert bill.get(name) == settlement.get(name), (seed, name, settlement)
    assert settlement["total_minor"] <= limits["cost_minor"], (seed, settlement)
    assert settlement["ended_at"] <= AT + pile.clock.now_ms // 1000 + 1_000, (seed, settlement)


def test_any_order_keeps_its_money_limit_and_settles_what_its_lines_give():
    for seed in range(SEEDS):
        any_order(seed)
