"""Tells one plot again and again, cut at every flash operation, and prints what came of it as one JSON
object.

micropython cuts.py once PLOT AGE TEAR SEED      every operation of the story
micropython cuts.py some PLOT AGE STRIDE SEED    every STRIDE-th operation of the story
micropython cuts.py twice PLOT AGE STRIDE SEED   every STRIDE-th operation, and each of the recovery that
follows
"""

import json
import sys

from flash import TEARS
from story import Cut, plot_of, tell, used_flash
from world import POWER_W

SECOND_MAX = 40  # operations of the life after the first cut: all of the recovery, and some checkpoints


class Figures:
    def __init__(self):
        self.stories = 0
        self.cuts = 0
        self.remounts = 0
        self.lost_mwh = self.unbilled_mwh = self.lost_use_ms = 0
        self.violations = []

    def add(self, verdict, label):
        self.stories += 1
        self.cuts += verdict.cuts
        self.remounts += len(verdict.operations) - 1
        if verdict.cuts == 1:
            self.lost_mwh = max(self.lost_mwh, verdict.lost_mwh)
            self.lost_use_ms = max(self.lost_use_ms, verdict.lost_use_ms)
            self.unbilled_mwh = max(self.unbilled_mwh, verdict.unbilled_mwh)
        self.violations += ["%s: %s" % (label, text) for text in verdict.violations]

    def text(self):
        return json.dumps(
            {
                "stories": self.stories,
                "cuts": self.cuts,
                "remounts": self.remounts,
                "lost_mwh": self.lost_mwh,  # in a story with one cut
                "lost_ms": self.lost_mwh * 3_600 // POWER_W,  # of charging
                "lost_use_ms": self.lost_use_ms,  # of time, tiers or staying
                "unbilled_mwh": self.unbilled_mwh,
                "violations": self.violations,
            }
        )


def once(plot, flash, figures, tear, seed):
    operations = tell(plot, flash, []).operations[0]
    for k in range(1, operations + 1):
        figures.add(tell(plot, flash, [Cut(k, tear, seed)]), "cut %s at operation %d" % (tear, k))


def some(plot, flash, figures, stride, seed):
    operations = tell(plot, flash, []).operations[0]
    for k in range(1 + seed % stride, operations + 1, stride):
        figures.add(tell(plot, flash, [Cut(k, _tear(k // stride), seed)]), "cut at operation %d" % k)


def twice(plot, flash, figures, stride, seed):
    operations = tell(plot, flash, []).operations[0]
    for k in range(1 + seed % stride, operations + 1, stride):
        after = tell(plot, flash, [Cut(k, _tear(k), seed)]).operations[1]
        for second in range(1, min(after, SECOND_MAX) + 1):
            cuts = [Cut(k, _tear(k), seed), Cut(second, _tear(k + second), seed)]
            figures.add(tell(plot, flash, cuts), "cuts at operations %d and %d" % (k, second))


def _tear(k):
    return TEARS[k % len(TEARS)]


def main(how, name, age, argument, seed):
    figures = Figures()
    flash = used_flash(int(age))
    if how == "once":
        once(plot_of(name), flash, figures, argument, int(seed))
    elif how == "some":
        some(plot_of(name), flash, figures, int(argument), int(seed))
    else:
        twice(plot_of(name), flash, figures, int(argument), int(seed))
    print(figures.text())


main(*sys.argv[1:])
