"""Whether the heap grows over many orders, or over a long day: one JSON line. Runs on MicroPython.

growth.py orders N, or growth.py hours N. The controller as in a pile, over files in the working folder,
its clock moved by hand in the shell's own cycles, or over a day in cycles of a second.
"""

import gc
import json
import sys

from drivers.sim.store import SimStore
from pile.clock import CLOUD, Clock
from pile.controller import Controller
from pile.journal import USED_MAX
from pile.readings import Readings
from pile.safety import Limits
from pile_protocol import messages, seal, topics

KEY = bytes(range(32))
AT = 1_800_000_000
CYCLE_MS = 100
LONG_CYCLE_MS = 1_000  # over a day: a checkpoint in every cycle, and a tenth of the cycles between them
CYCLE_MWH = 200


class Pile:
    def __init__(self):
        self.clock = Clock(0)
        self.readings = Readings()
        self.register_mwh = 0
        self.controller = Controller(
            "PILE-1", KEY, SimStore("flash"), self.clock, [(self.readings, Limits())], "test"
        )
        self.clock.tell(AT, CLOUD)
        self.ticks_ms = 0

    def cycle(self, passed_ms=CYCLE_MS):
        self.ticks_ms = (self.ticks_ms + passed_ms) & 0x3FFFFFFF
        now_ms = self.clock.tick(self.ticks_ms)
        connector = self.controller.connectors[0]
        readings = self.readings
        if connector.commanded:
            self.register_mwh += CYCLE_MWH
        readings.register_mwh.take(self.register_mwh, now_ms)
        readings.power_mw.take(7_200_000 if connector.commanded else 0, now_ms)
        readings.relay_closed.take(connector.commanded, now_ms)
        self.controller.step(now_ms)
        self.controller.work(now_ms)

    def drain(self):
        """What the link does: takes every message, and has the settlement acknowledged."""
        controller = self.controller
        while True:
            item = controller.mailbox.peek()
            if item is None:
                break
            messages.encode(item[1])
            controller.mailbox.done(*item)
        controller.mailbox.status_due = False
        head = controller.outbox.head()
        if head is not None:
            seq, sealed = head
            ack = {
                "kind": "ack",
                "device_id": "PILE-1",
                "order_id": messages.parse_json(sealed)["order_id"],
                "seq": seq,
                "settlement_mac": sealed[-66:-2].decode(),
                "status": "Stored",
            }
            controller.receive(topics.SETTLEMENT_ACK, seal.seal(messages.encode(ack), KEY))

    def order(self, number, duration_s):
        at = self.clock.at()
        self.controller.receive(
            topics.ORDER,
            seal.seal(
                messages.encode(
                    {
                        "kind": "order",
                        "device_id": "PILE-1",
                        "connector": 1,
                        "order_id": "order-%d" % number,
                        "issued_at": at,
                        "expires_at": at + 10,
                        "limits": {"duration_s": duration_s},
                        "rate": {
                            "rate_id": "r1",
                            "currency": "CNY",
                            "minor_digits": 2,
                            "session_fee_minor": 50,
                            "steps": [[at - 60, 1_000_000, 800_000, "flat"]],
                            "until_at": at + 2 * 86_400,
                        },
                    }
                ),
                KEY,
            ),
        )

    def live_bytes(self):
        gc.collect()
        return gc.mem_alloc()


def orders(count):
    """[the most live bytes after an order] in each tenth of the orders.

    The list of used ids grows to USED_MAX, then loses those that have expired: a tenth of the orders must be
    more than USED_MAX, so that the list is at its longest in each.
    """
    tenth = count // 10
    assert tenth > USED_MAX
    pile = Pile()
    most = [0] * 10
    for number in range(1, count + 1):
        pile.order(number, 2)
        for _ in range(40):
            pile.cycle()
        pile.drain()
        i = (number - 1) // tenth
        most[i] = max(most[i], pile.live_bytes())
    return {"settled": pile.controller.outbox.last_seq, "live_bytes": most}


def hours(count):
    """[live bytes] after each hour of one order that charges all the time."""
    pile = Pile()
    live = []
    for hour in range(count):
        if hour % 23 == 0:
            pile.order(hour + 1, 23 * 3600 - 60)
        for _ in range(3600 * 1000 // LONG_CYCLE_MS):
            pile.cycle(LONG_CYCLE_MS)
            pile.drain()
        live.append(pile.live_bytes())
    return {"settled": pile.controller.outbox.last_seq, "live_bytes": live}


print(json.dumps({"orders": orders, "hours": hours}[sys.argv[1]](int(sys.argv[2]))))
