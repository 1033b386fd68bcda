"""The pile: its connectors, and what each message from the cloud decides.

The shell's cycle, ten times a second, and at once while work() says so:

    read every Readings -> step() -> set every relay to `commanded` -> work()

step() only decides, so a relay never waits for flash to open. work() handles one message and makes durable
what was decided. An order is durable before step() can see it, so before its relay closes.
"""

from pile_protocol.errors import ProtocolError

from . import admission, safety
from .clock import CLOUD
from .connector import Connector
from .faults import Faults
from .inbox import Inbox
from .journal import Journal
from .keeper import Keeper
from .mailbox import Mailbox
from .open_order import OpenOrder
from .outbox import Outbox
from .session import Session

# A time that took longer than this to come is too old to set a clock by. Less than the cloud's grace for
# expired orders (RATELOCK_EXPIRY_GRACE_S, 5 s), so that no late clock can start what the cloud has given up.
HELLO_ANSWER_MS = 4_000
HELLO_AGAIN_MS = 10_000  # between two greetings that only ask for the time
RESTART_AFTER_MS = 2_000  # the status that announces it leaves first, and a relay shows that it is open


class Controller:
    """device_id, key (32 bytes) and store belong to this pile. parts: [(Readings, safety.Limits), ...], one
    for each connector from 1 on. feed: {"limit_ma": ...} of a supply that all connectors share, or None.

    recovery.take_up() lets it go on from what flash holds. keeper: what makes durable what was decided.
    on_time: called with the cloud's time, Unix seconds, so that the board can set its calendar.
    on_update: called with (topic name, bytes) of a message of topics.UPDATES whose seal is good.
    traits: members of wire.HELLO that only the board knows.
    """

    def __init__(self, device_id, key, store, clock, parts, firmware, feed=None):
        self.device_id = device_id
        self.firmware = firmware
        self.clock = clock
        self.journal = Journal(store)
        self.outbox = Outbox(store)
        self.mailbox = Mailbox()
        self.inbox = Inbox(self, key)
        self.faults = Faults(self.journal, len(parts))
        self.on_time = None
        self.on_update = None
        self.traits = {}
        self.dropped = 0  # messages that could not be used
        self._store = store
        self.keeper = Keeper(self, key)
        self._feed = None
        if feed:
            from .feed import Feed  # in the heap only of a board that has one

            self._feed = Feed(feed["limit_ma"])
        self._nonce = None
        self._hello_ms = -HELLO_AGAIN_MS
        self._doubts_clock = False
        self._has_accepted = False  # an order, since the last step
        self._restart_ms = None  # when the restart that the cloud asked for is due
        self.connectors = []
        for i, (readings, limits) in enumerate(parts):
            self.connectors.append(Connector(i + 1, readings, limits, self.faults.latches[i], clock.now_ms))

    # -- the cycle ------------------------------------------------------------------------------------------

    def step(self, now_ms):
        """Decides, from the readings as they are; now_ms is clock.now_ms. Writes and sends nothing."""
        for connector in self.connectors:
            changes = connector.step(now_ms, self.clock)
            if changes:
                self.keeper.note(connector, changes)
        if self._feed:
            self._feed.step(now_ms, self.connectors)

    def work(self, now_ms):
        """Handles the oldest message that waits, and makes durable what was decided. Returns whether a
        message was handled: the next cycle is to follow at once.
        """
        handled = not self.inbox.is_empty
        if handled:
            self.inbox.handle_next()
        if self._has_accepted:
            self._has_accepted = False  # the relay is to close before anything else is written
        else:
            self.keeper.keep(now_ms)
        # Not while a relay is on its way: the status would be out of date before it is read.
        for connector in self.connectors:
            if not connector.is_switching() and connector.note_report():
                self.mailbox.status_due = True
        return handled

    # -- messages from the cloud ----------------------------------------------------------------------------

    def receive(self, name, data):
        """Queues one message of topic `name`. Returns False while the queue is full: offer it again later."""
        return self.inbox.put(name, data)

    def take_order(self, order, data):
        """An order with a good seal; data: its bytes."""
        order_id = order["order_id"]
        for connector in self.connectors:
            if connector.order is not None and connector.order.order_id == order_id:
                self.tell(connector)
                return
        try:
            reason = self._reason_to_refuse(order)
            if reason not in admission.KEEPS_ID:
                reason = self._consume_id(order, reason)
            if reason is None:
                self._accept(order, data)
            else:
                self.journal.keep_ids()
        except OSError:
            reason = "StorageFailure"
        if reason in admission.DOUBTS_CLOCK:
            self._doubts_clock = True
        if reason:
            if not self.journal.is_used(order_id):
                self.journal.note_refused(order_id)
            self.reject(order_id, order["connector"], reason)

    def _reason_to_refuse(self, order):
        """The first reason against an order, or None."""
        at = self.clock.cloud_at()
        if self.journal.is_used(order["order_id"]):
            return "UsedOrder"
        reason = admission.reason_to_refuse(order, self.device_id, len(self.connectors), at)
        if reason:
            return reason
        now_ms = self.clock.now_ms
        if self.journal.may_be_used(order["issued_at"], at - now_ms // 1000):
            return "UsedOrder"
        if self._restart_ms is not None:
            return "OutOfService"
        connector = self.connectors[order["connector"] - 1]
        reason = admission.reason_not_ready(connector, now_ms)
        if reason:
            return reason
        if not admission.can_bill(order, connector):
            return "NotBillable"
        if self._feed and not self._feed.has_room(self.connectors, connector):
            return "FeedBusy"
        if self.outbox.full:
            return "OutboxFull"
        if self.keeper.has_unclosed or self._store.free_bytes() < admission.FREE_BYTES_MIN:
            return "StorageFailure"
        return None

    def _consume_id(self, order, reason):
        """Marks the order's id as used. Returns the reason to refuse the order, or None."""
        at = self.clock.cloud_at()
        if at is not None and order["expires_at"] > at + admission.ID_LIFE_S:
            return reason  # it cannot be valid yet; ids are not kept for longer than an order of now may live
        if not self.journal.consume_id(order["order_id"], order["expires_at"], at):
            return reason or "StorageFailure"
        return reason

    def _accept(self, order, data):
        """Makes the order durable and gives it to its connector, whose next step closes the relay."""
        connector = self.connectors[order["connector"] - 1]
        number = connector.number
        register_mwh = connector.readings.register_mwh.value
        # The order itself proves that it is issued_at by now; a clock of whole seconds may lag behind that.
        at = max(self.clock.at(), order["issued_at"])
        # Made first: an order in flash that the heap has no room for would run after the next boot.
        session = Session(order, at, register_mwh, self.clock.now_ms, connector.limits)
        open_order = OpenOrder(number, order, session)
        try:
            self.journal.open_order(number, order["order_id"], data, at, register_mwh)
        except OSError:
            self.keeper.close_later(number)  # it may be in flash all the same, and run after the next boot
            raise
        connector.order = open_order
        self._has_accepted = True
        self.tell(connector)

    def reject(self, order_id, number, reason):
        self.mailbox.order_status(order_id, number, "Rejected", reason, self.clock.at())

    def take_command(self, command):
        """A command with a good seal. Raises ProtocolError if it is not valid, OSError if flash refuses."""
        at = self.clock.cloud_at()
        action = command["action"]
        if action == "stop":
            for connector in self.connectors:
                if connector.order is not None and connector.order.order_id == command.get("order_id"):
                    connector.order.session.stop("Remote")
            return
        if at is None or at >= command["expires_at"]:
            raise ProtocolError("the command has expired, or the cloud has not told the time")
        if action == "report":
            self.report()
        elif action == "reset":
            number = command.get("connector", 0)
            self.faults.reset(number, command["issued_at"])
            self.connectors[number - 1].watch.restart()
        elif action == "service":
            out = command.get("out", self.journal.service)
            self.journal.save_service(out)
            self.set_service(out)
        elif action == "restart":
            began_at = at - self.clock.now_ms // 1000
            for connector in self.connectors:
                if connector.order is not None or command["issued_at"] < began_at:
                    raise ProtocolError("an order runs, or the restart has happened")
            self._restart_ms = self.clock.now_ms + RESTART_AFTER_MS
        self.mailbox.status_due = True

    def set_service(self, out):
        """out: [[connector, reason], ...] of every connector that is out of service. A running order goes
        on.
        """
        reasons = dict(out)
        for connector in self.connectors:
            connector.out_of_service = reasons.get(connector.number)

    def take_time(self, message):
        """The cloud's answer to a hello. Raises ProtocolError if nobody asked, or if it took too long."""
        if message["nonce"] != self._nonce or self.clock.now_ms - self._hello_ms > HELLO_ANSWER_MS:
            raise ProtocolError("a time that nobody asked for, or too late")
        self._nonce = None
        self._doubts_clock = False
        self.clock.tell(message["at"], CLOUD)
        self.mailbox.status_due = True
        if self.on_time:
            self.on_time(message["at"])

    def take_ack(self, ack):
        """The cloud has stored a settlement. Raises ProtocolError if none waits, OSError if flash refuses."""
        # An order that is not closed must stay known as settled, or the next boot would settle it again.
        if not self.outbox.acknowledge(ack["seq"], ack["settlement_mac"], keep=self.keeper.has_unclosed):
            raise ProtocolError("an acknowledgement of no settlement that waits")
        self.mailbox.status_due = True

    # -- messages to the cloud ------------------------------------------------------------------------------

    def hello(self, nonce):
        """The greeting for a new connection; the cloud's time is believed only with this `nonce`."""
        self._nonce = nonce
        self._hello_ms = self.clock.now_ms
        self._doubts_clock = False
        orders = []
        for connector in self.connectors:
            if connector.order is not None:
                orders.append([connector.order.order_id, connector.order.session.state])
        message = {
            "device_id": self.device_id,
            "firmware": self.firmware,
            "nonce": nonce,
            "connectors": len(self.connectors),
            "orders": orders,
            "last_seq": self.outbox.last_seq,
            "outbox": self.outbox.depth,
            "commands": ["restart", "service"],  # wire.LATER_ACTIONS
            "bills": ["time", "tiers", "idle", "minimum", "maximum", "tax"],  # components.COMPONENTS
            "idle_connectors": [
                each.number for each in self.connectors if safety.has_plug_switch(each.readings)
            ],
        }
        message.update(self.traits)
        return message

    @property
    def hello_due(self):
        """Whether the pile doubts its clock: an order with a good seal was refused for time."""
        return self._doubts_clock and self.clock.now_ms - self._hello_ms >= HELLO_AGAIN_MS

    @property
    def knows_time(self):
        return self.clock.source == CLOUD

    def reason_busy(self):
        """Why the pile must not be updated at this moment, a word of wire.UPDATE_REASONS; None if it may."""
        for connector in self.connectors:
            if connector.order is not None:
                return "OrderRuns"
        return "SettlementWaits" if self.outbox.depth or self.keeper.has_unclosed else None

    def status(self, vitals):
        """The retained status message. vitals: members of wire.STATUS that only the shell can measure."""
        message = {
            "online": True,
            "firmware": self.firmware,
            "connectors": [connector.report() for connector in self.connectors],
            "clock": self.clock.source,
            "outbox": self.outbox.depth,
            "outbox_full": self.outbox.full,
            "dropped": self.dropped,
            "damaged": len(self.journal.lost) + self.outbox.damaged,
            "at": self.clock.at(),
            "uptime_s": self.clock.now_ms // 1000,
            "boots": self.journal.boots,
            "recoveries": self.journal.recoveries,
        }
        if self._restart_ms is not None:
            message["restarting"] = True
        message.update(vitals)
        return message

    @property
    def restart_due(self):
        """Whether the restart that the cloud asked for is to happen in this cycle."""
        return self._restart_ms is not None and self.clock.now_ms >= self._restart_ms

    def report(self):
        """Tells everything anew."""
        self.mailbox.status_due = True
        for connector in self.connectors:
            if connector.order is not None:
                self.tell(connector)

    def tell(self, connector):
        """Queues the order/status of a connector's order."""
        order = connector.order
        session = order.session
        at = session.at(self.clock.now_ms)
        self.mailbox.order_status(order.order_id, connector.number, session.state, session.stop_reason, at)
