"""No energy is billed at a price above the one that held when it was delivered, however unevenly it flows and
whatever the meter is like: held against the energy of every cycle and the price of its time. Orders begin,
and the clock is told, at whole seconds, because the wire has no others.
"""

from pile.clock import CLOUD
from tests.portable.kit import AT, CYCLE_MS, KINDS, rate
from tests.portable.test_meters import WH_22_KW, Random, pile_with, settlement_of

# What a charger draws: even; on and off in bursts; one second in ten; all of it before or after the price
# step.
BURSTS = (
    lambda ms: True,
    lambda ms: ms % 700 < 200,
    lambda ms: ms % 10_000 < 1_000,
    lambda ms: ms < 20_000,
    lambda ms: ms >= 20_000,
    lambda ms: 19_900 <= ms < 20_100,
)
PRICES = ((1, 9), (9, 1), (5, 9, 1), (1, 9, 1), (9, 1, 9), (1, 5, 9), (9, 5, 1), (5, 9, 5))


class Truth:
    """What flowed at which price. Cycles end where price steps begin, so each has one price."""

    def __init__(self, pile, steps):
        self._pile = pile
        self._steps = steps
        self.by_price = {}

    def cycle(self):
        now_ms = self._pile.clock.now_ms + CYCLE_MS
        before_mwh = self._pile.delivered_mwh()
        at = AT + (now_ms - 1) // 1000
        price = [step[1] for step in self._steps if step[0] <= at][-1]
        self._pile.cycle()
        flowed_mwh = self._pile.delivered_mwh() - before_mwh
        self.by_price[price] = self.by_price.get(price, 0) + flowed_mwh

    def above(self, price):
        return sum([mwh for p, mwh in self.by_price.items() if p >= price])


def holds(kind, truth, settlement, steps, what):
    """The promise; and that the driver gains no more than the meter may hide at each price step."""
    refresh_ms, interval_ms, step_mwh, _ = kind
    billed = {}
    for period in settlement["periods"]:
        billed[period[1]] = billed.get(period[1], 0) + period[4]
    gain_mwh = (len(steps) - 1) * (
        WH_22_KW * (refresh_ms + interval_ms) // 3_600_000 + step_mwh
    ) + 2 * step_mwh
    for price in truth.by_price:
        billed_mwh = sum([mwh for p, mwh in billed.items() if p >= price])
        # Less than one step of the meter may be from before the order.
        assert billed_mwh < truth.above(price) + step_mwh, (what, price, billed, truth.by_price)
        assert truth.above(price) - billed_mwh <= gain_mwh, (what, price, billed, truth.by_price)


def steps_of(prices, gap_s):
    return [
        [AT - 60 if i == 0 else AT + 20 + (i - 1) * gap_s, p * 1_000_000, 0, "flat"]
        for i, p in enumerate(prices)
    ]


def test_no_energy_is_billed_above_the_price_that_held_however_unevenly_it_flows():
    for n, kind in enumerate(KINDS):
        for m, draws in enumerate(BURSTS):
            for k, prices in enumerate(PRICES):
                steps = steps_of(prices, (1, 2, 7)[(n + m + k) % 3])
                pile = pile_with(kind, n + m + k)
                pile.cycle(1, CYCLE_MS - pile.clock.now_ms % CYCLE_MS)  # from here on it is whole tenths
                truth = Truth(pile, steps)
                random = Random(n * 100 + m * 10 + k)
                pile.cycle(10 * (2 + random.below(17)) - pile.clock.now_ms // CYCLE_MS)
                at = pile.clock.at()
                pile.order(issued_at=at, expires_at=at + 60, rate=rate(steps=steps))
                assert pile.connector().order is not None, pile.said()
                stops_ms = 21_000 + random.below(20_000)
                bounces_ms = 19_500 + random.below(2_000)
                while pile.clock.now_ms < stops_ms:
                    now_ms = pile.clock.now_ms
                    pile.power_mw[1] = WH_22_KW if draws(now_ms) else 0
                    pile.plugged[1] = not (k % 2 and bounces_ms <= now_ms < bounces_ms + 700)
                    truth.cycle()
                pile.plugged[1] = True
                pile.command("stop", order_id="o1")
                while pile.connector().order is not None:
                    truth.cycle()
                settlement = settlement_of(pile, "o1", rate(steps=steps))
                holds(kind, truth, settlement, steps, (kind, m, prices))


def test_a_power_cut_bills_nothing_above_the_price_that_held():
    for n, kind in enumerate(KINDS):
        for k, prices in enumerate(PRICES):
            for cut_ms in (15_000, 19_900, 20_000, 20_100, 23_000):
                steps = steps_of(prices, (2, 7)[k % 2])
                pile = pile_with(kind, n + k)
                pile.cycle(1, CYCLE_MS - pile.clock.now_ms % CYCLE_MS)  # from here on it is whole tenths
                truth = Truth(pile, steps)
                random = Random(n * 10 + k)
                pile.cycle(10 - pile.clock.now_ms // CYCLE_MS)
                at = pile.clock.at()
                pile.order(issued_at=at, expires_at=at + 60, rate=rate(steps=steps))
                pile.power_mw[1] = 1_000_000 + random.below(21_000_000)
                while pile.clock.now_ms < cut_ms:
                    truth.cycle()
                begun_ms = pile.clock.now_ms
                pile.boot(ready=False)
                pile.clock.tick((pile.ticks_ms + begun_ms) % (1 << 30))  # Truth counts on; ticks begin anew
                pile.ticks_ms = (pile.ticks_ms + begun_ms) % (1 << 30)
                while pile.clock.now_ms % 1000:
                    truth.cycle()
                pile.clock.tell(AT + pile.clock.now_ms // 1000, CLOUD)
                while pile.connector().order is not None and pile.clock.now_ms < 40_000:
                    truth.cycle()
                pile.command("stop", order_id="o1")
                while pile.connector().order is not None:
                    truth.cycle()
                settlement = settlement_of(pile, "o1", rate(steps=steps))
                billed = {}
                for period in settlement["periods"]:
                    billed[period[1]] = billed.get(period[1], 0) + period[4]
                # An order goes on at a whole second, so a price falls up to a second late, and rises no
                # sooner.
                late_ms = 0 if list(prices) == sorted(prices) else 1_000
                more_mwh = kind[2] + pile.power_mw[1] * late_ms // 3_600_000
                for price in truth.by_price:
                    billed_mwh = sum([mwh for p, mwh in billed.items() if p >= price])
                    assert billed_mwh < truth.above(price) + more_mwh, (
                        kind,
                        prices,
                        cut_ms,
                        billed,
                        truth.by_price,
                    )
