"""The cloud as a script: it tells the time, sends the orders of a plan, stops them, and stores
settlements.
"""

import json

from world import BASE_AT, DEVICE_ID, KEY

from pile_protocol import messages, pricing, seal, topics

NONCE = "00112233445566ff"
CLOCK_MS = 300  # from the greeting to the answer
ACK_MS = 300
STOP_AGAIN_MS = 2_000
TOO_SOON_MS = 300
EXPIRES_S = 280
CLOCK_SLACK_S = 2  # whole seconds on both sides
# The price changes in the middle of the first order, and again while it is dark after a cut. The lowest price
# is to come: it holds in no story.
STEP_S = (-100, 6, 25, 3_000)
PRICES = (500_000, 900_000, 700_000, 300_000)


class Order:
    """One order of the plan. It is sent when `after` (an earlier order, or None) is over.

    limits: of the order; stop_ms: after how much charging the phone stops it, None where a limit does;
    step_s: when its price steps begin, in seconds of the story; rate: members of its rate beside the usual
    ones.
    """

    def __init__(
        self, order_id, connector, limits, stop_ms=None, after=None, delay_ms=0, step_s=STEP_S, rate=()
    ):
        self.order_id = order_id
        self.connector = connector
        self.limits = limits
        self.stop_ms = stop_ms
        self.after = after
        self.delay_ms = delay_ms
        self.state = None
        self.sealed = None
        self.stored = []  # distinct sealed settlements
        self.over = False
        self.rate = {
            "rate_id": "r1",
            "currency": "CNY",
            "minor_digits": 2,
            "session_fee_minor": 50,
            "steps": [[BASE_AT + s, PRICES[i % 4], 400_000, "flat"] for i, s in enumerate(step_s)],
            "until_at": BASE_AT + 2 * 86_400,
        }
        self.rate.update(rate)
        self._expires_at = None
        self._sent_this_time = False
        self._active_ms = None
        self._stop_sent_ms = None

    def step_index(self, at):
        return pricing.step_index(self.rate["steps"], at)

    def connected(self):
        """A new connection: what nobody answered is sent again."""
        self._sent_this_time = False

    def due(self, now_ms):
        return (
            not self._sent_this_time
            and self.state is None
            and (self.after is None or self.after.over)
            and now_ms >= self.delay_ms
        )

    def send_again(self, after_ms):
        """The phone confirms again: another order, with an id of its own."""
        self.order_id += "r"
        self.sealed = None
        self.state = None
        self.delay_ms = after_ms
        self._sent_this_time = False

    def expired(self, at):
        """Nobody answered in time: it is not sent again, and the pile could not accept it any more."""
        if self.state is None and self._expires_at is not None and at >= self._expires_at:
            self.state = "Expired"
        return self.state == "Expired"

    def send(self, at):
        self._sent_this_time = True
        if self.sealed is None:
            self._expires_at = at + EXPIRES_S
            self.sealed = seal_message(
                kind="order",
                device_id=DEVICE_ID,
                connector=self.connector,
                order_id=self.order_id,
                issued_at=at,
                expires_at=self._expires_at,
                limits=self.limits,
                rate=self.rate,
            )
        return self.sealed

    def stop_due(self, now_ms):
        if self.stop_ms is None or self.over or self.state not in ("Accepted", "Charging"):
            return False
        if self._active_ms is None:
            self._active_ms = now_ms
        if now_ms - self._active_ms < self.stop_ms:
            return False
        if self._stop_sent_ms is not None and now_ms - self._stop_sent_ms < STOP_AGAIN_MS:
            return False
        self._stop_sent_ms = now_ms
        return True


def seal_message(**message):
    return seal.seal(messages.encode(message), KEY)


class Cloud:
    """clock_ms: how long after each boot the pile is told the time."""

    def __init__(self, world, plan, clock_ms=CLOCK_MS):
        self.plan = plan
        self.told = []  # (order_id, state) in the order they came
        self.stored = []  # sealed settlements in the order they were stored first
        self.settled_claims = (
            None  # called with the order_id when the pile says Settled, or sends its settlement
        )
        self.clock_ms = clock_ms
        self._world = world
        self._boot_ms = 0
        self._head = None  # (seq, when it came in ms)
        self._time_told = False

    def connected(self):
        self._boot_ms = self._world.now_ms
        self._time_told = False
        self._head = None
        for order in self.plan:
            order.connected()

    def finished(self, controller):
        busy = [connector for connector in controller.connectors if connector.order is not None]
        return not busy and not controller.outbox.depth and all([order.over for order in self.plan])

    def cycle(self, pile):
        """Everything that the cloud has to say after one cycle of the pile."""
        self._listen(pile.controller)
        now_ms = self._world.now_ms
        at = self._world.at()
        if not self._time_told and now_ms - self._boot_ms >= self.clock_ms:
            self._time_told = True
            pile.controller.hello(NONCE)
            pile.receive(topics.TIME, seal_message(kind="time", device_id=DEVICE_ID, nonce=NONCE, at=at))
        if self._time_told:
            for order in self.plan:
                if order.expired(at):
                    continue
                if order.due(now_ms) and self._world.wires[order.connector - 1].plant.plugged:
                    pile.receive(topics.ORDER, order.send(at))
                elif order.stop_due(now_ms):
                    pile.receive(topics.COMMAND, self._stop(order, at))
        self._store(pile, now_ms)

    def _listen(self, controller):
        mailbox = controller.mailbox
        while True:
            item = mailbox.peek()
            if item is None:
                return
            name, message = item
            mailbox.done(name, message)
            if name != topics.ORDER_STATUS:
                continue
            for order in self.plan:
                if order.order_id == message["order_id"]:
                    order.state = message["state"]
                    self.told.append((order.order_id, order.state))
                    if order.state == "Settled":
                        self.settled_claims(order.order_id)
                    elif order.state == "Rejected":
                        self._rejected(order, controller, message["reason"])

    def _rejected(self, order, controller, reason):
        """Only an id that was used up by a cut may be refused; it may have a settlement that still waits.
        After one that came too soon the phone confirms again.
        """
        if reason == "TooSoon":
            order.send_again(self._world.now_ms + TOO_SOON_MS)
            return
        if reason != "UsedOrder":
            self._world.violated("order %s was refused: %s" % (order.order_id, reason))
        order.over = not controller.outbox.depth

    def _store(self, pile, now_ms):
        head = pile.controller.outbox.head()
        if head is None:
            self._head = None
            for order in self.plan:
                order.over = order.over or order.state in ("Rejected", "Expired")
            return
        seq, sealed = head
        if self._head is None or self._head[0] != seq:
            self._head = (seq, now_ms)
            self._keep(bytes(sealed))
        elif now_ms - self._head[1] >= ACK_MS:
            settlement = json.loads(sealed)
            pile.receive(
                topics.SETTLEMENT_ACK,
                seal_message(
                    kind="ack",
                    device_id=DEVICE_ID,
                    order_id=settlement["order_id"],
                    seq=seq,
                    settlement_mac=settlement["mac"],
                    status="Stored",
                ),
            )

    def _keep(self, sealed):
        settlement = json.loads(sealed)
        order_id = settlement["order_id"]
        self.settled_claims(order_id)
        over_at = max(settlement["ended_at"], settlement.get("idle", settlement).get("until_at", 0))
        if over_at > self._world.at() + CLOCK_SLACK_S:
            self._world.violated("%s ends %d s after its receipt" % (order_id, over_at - self._world.at()))
        if sealed not in self.stored:
            self.stored.append(sealed)
        for order in self.plan:
            if order.order_id == order_id:
                order.over = True

    def _stop(self, order, at):
        return seal_message(
            kind="command",
            device_id=DEVICE_ID,
            action="stop",
            order_id=order.order_id,
            issued_at=at,
            expires_at=at + 60,
        )
