"""The whole pile under random trouble, several kinds at once: plugs, buttons, resets, flash that refuses,
late and doubled messages, clocks that jump. In the end every order is settled once, for what flowed in it.
"""

from pile.clock import CLOUD
from pile.safety import Limits
from pile_protocol import topics
from tests.portable.kit import AT, KINDS, order, rate, sealed, totals_agree
from tests.portable.test_meters import WH_22_KW, Random, pile_with

STEPS = [[AT - 60 + 30 * i, (3 + i * 5 % 7) * 1_000_000, 0, "flat"] for i in range(60)]
LOST_MS = 2_000  # of charging, for each reset
RAM_ONLY = ("TooSoon", "Expired", "NotYetValid", "StorageFailure")  # the id of such an order is not in flash


class Story:
    """One pile, and what flowed for which order."""

    def __init__(self, kind, seed):
        self.kind = kind
        self.random = Random(seed)
        self.pile = pile_with(kind, seed, feedback=seed % 3 != 0, limits=Limits(pause_ms=200))
        self.pile.power_mw[1] = 1_000_000 + self.random.below(WH_22_KW)
        self.flowed = {}
        self.resets = {}
        self.any_reset = False
        self.sent = []
        self.said = []
        self.pile.cycle(1, 100 - self.pile.clock.now_ms % 100)
        self.started_ms = self.pile.clock.now_ms
        self.true_ms = 0

    def cycles(self, count):
        pile = self.pile
        for _ in range(count):
            running = pile.connector().order
            before_mwh = pile.delivered_mwh()
            pile.cycle()
            self.true_ms += 100
            flowed_mwh = pile.delivered_mwh() - before_mwh
            if flowed_mwh:
                assert running is not None, "energy without an order"
                name = running.order_id
                self.flowed[name] = self.flowed.get(name, 0) + flowed_mwh
            self.said += pile.said()

    def true_at(self):
        return AT + self.true_ms // 1000

    def send_order(self):
        name = "o%d" % len(self.sent)
        at = self.true_at()
        limits = [{"duration_s": 600}, {"duration_s": 5}, {"duration_s": 600, "energy_mwh": 9_000}]
        limits.append({"duration_s": 600, "cost_minor": 20})
        message = order(
            name,
            issued_at=at,
            expires_at=at + 60,
            limits=limits[self.random.below(4)],
            rate=rate(steps=STEPS),
        )
        self.sent.append(sealed(message))
        self.offer(self.sent[-1])

    def offer(self, data):
        self.pile.controller.receive(topics.ORDER, data)

    def reset(self):
        self.any_reset = True
        running = self.pile.connector().order
        if running is not None:
            self.resets[running.order_id] = self.resets.get(running.order_id, 0) + 1
        at = self.true_at()
        self.pile.boot(ready=False)
        if self.random.below(4):
            self.pile.clock.tell(at, CLOUD)

    def trouble(self):
        pile = self.pile
        readings = pile.readings()
        what = self.random.below(14)
        if what == 0:
            pile.plugged[1] = not pile.plugged[1]
        elif what == 1:
            readings.estop = not readings.estop
        elif what == 2:
            readings.stop_button = not readings.stop_button
        elif what == 3:
            self.reset()
        elif what == 4:
            pile.store.refuse_after = self.random.below(4)
        elif what in (5, 6, 7):
            self.send_order()
        elif what == 8 and self.sent:
            self.offer(self.sent[self.random.below(len(self.sent))])
        elif what == 9 and pile.connector().order is not None:
            pile.connector().order.session.stop("Remote")
        elif what == 10:
            pile.clock.tell(self.true_at() - self.random.below(40), CLOUD)
        elif what == 11:
            for _ in range(12):
                self.offer(self.sent[-1] if self.sent else b"{")
        elif what == 12:
            pile.power_mw[1] = 0 if self.random.below(2) else self.random.below(WH_22_KW)
        else:
            pile.meters[1].silent = not pile.meters[1].silent

    def heal(self):
        pile = self.pile
        pile.store.refuse_after = None
        pile.plugged[1] = True
        pile.meters[1].silent = False
        pile.readings().estop = pile.readings().stop_button = False
        pile.clock.tell(self.true_at(), CLOUD)

    def audit(self):
        _, interval_ms, step_mwh, forgets = self.kind
        settled = {}
        for settlement in self.pile.settlements():
            totals_agree(settlement, rate(steps=STEPS)) if settlement["total_minor"] != 20 else None
            assert settlement["order_id"] not in settled, "settled twice"
            settled[settlement["order_id"]] = settlement
        accepted = {name for name, state, _ in self.said if state == "Accepted"}
        first = {}
        for name, state, reason in self.said:
            first.setdefault(name, (state, reason))
        for name in settled:
            state, reason = first.get(name, ("Accepted", None))
            # A reset forgets ids that are in RAM alone.
            assert state != "Rejected" or (self.any_reset and reason in RAM_ONLY), (name, first[name])
        assert set(self.flowed) <= set(settled) and accepted <= set(settled)
        for name, settlement in settled.items():
            flowed_mwh = self.flowed.get(name, 0)
            billed_mwh = settlement["energy_mwh"]
            what = (self.kind, name, flowed_mwh, settlement["stop_reason"], self.resets.get(name))
            assert billed_mwh < flowed_mwh + step_mwh, (billed_mwh, what)
            if "last_reading" not in settlement:
                bound_ms = self.resets.get(name, 0) * (LOST_MS + interval_ms + self.kind[0] + 100)
                most_mwh = (1 + self.resets.get(name, 0)) * step_mwh + WH_22_KW * bound_ms // 3_600_000
                assert flowed_mwh - billed_mwh <= most_mwh, (billed_mwh, what)


def test_random_trouble_loses_no_order_and_bills_no_energy_that_did_not_flow():
    for seed in range(45):
        story = Story(KINDS[seed % len(KINDS)], seed)
        try:
            for _ in range(60):
                story.trouble()
                story.cycles(1 + story.random.below(60))
                if story.random.below(3) == 0:
                    story.heal()
            story.heal()
            story.cycles(100)
            if story.pile.connector().order is not None:
                story.pile.connector().order.session.stop("Remote")
            story.cycles(300)
            assert story.pile.connector().order is None
            story.audit()
        except AssertionError:
            print("seed", seed)
            raise
