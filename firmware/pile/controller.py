"""The pile: its connectors, journal and outbox, and what each message from the cloud does to them.

The shell's cycle, ten times a second and once after each message:

    fill every Readings -> step() -> set every relay to `commanded` -> record()

step() only decides, so a relay never waits for flash to open; record() makes durable what step() decided.
The other way round for closing: an order is durable before step() can see it.
"""

from pile_protocol import messages, seal, topics
from pile_protocol.errors import ProtocolError

from . import admission, settlement
from . import session as phases
from .admission import Refusal
from .clock import CLOUD
from .connector import FAULT_CHANGED, ORDER_CHANGED, Connector
from .journal import Journal
from .mailbox import Mailbox
from .outbox import Outbox
from .session import Session

CHECKPOINT_MS = 1_000
RETRY_MS = 1_000  # after the flash refused a write
# A time that took longer than this to come is too old to set a clock by. Less than the cloud's grace for
# expired orders (RATELOCK_EXPIRY_GRACE_S, 5 s): what the cloud has given up, a late clock must not start.
HELLO_ANSWER_MS = 4_000

_STATE_OF_PHASE = {
    phases.STARTING: "Accepted",
    phases.CHARGING: "Charging",
    phases.FINISHING: "Finishing",
    phases.RECOVERING: "Accepted",
    phases.DONE: "Finishing",
}


class Controller:
    """device_id, key (32 bytes) and store belong to this pile; `equipment` is [(Readings, safety.Limits),
    ...], one for each connector from 1 on. Reads the journal: orders that a power cut ended come back
    recovering.
    """

    def __init__(self, device_id, key, store, clock, equipment, firmware):
        self.device_id = device_id
        self.clock = clock
        self.journal = Journal(store)
        self.outbox = Outbox(store)
        self.mailbox = Mailbox()
        self.dropped = 0  # inbound messages that could not be used
        self._key = key
        self._store = store
        self._firmware = firmware
        self._nonce = None
        self._nonce_ms = 0
        self._faults = self.journal.faults()
        self._changed = []  # (connector, its changes) that record() has yet to see
        self._unclosed = []  # connectors whose order is over, but still in flash
        self._retry_ms = 0
        self.connectors = []
        for i, (readings, limits) in enumerate(equipment):
            self.connectors.append(Connector(i + 1, readings, limits, self._faults.get(i + 1, [None])[0]))
        self._recover()

    def _recover(self):
        """Takes up the orders that the power cut ended; closes those whose settlement is durable."""
        orders = {}
        for connector in self.connectors:
            if "faults" in self.journal.lost:
                self._set_fault(connector, "InternalError")  # there may have been one, and nobody knows which
            record = self.journal.load(connector.number)
            if record is None:
                continue
            try:
                order = admission.read_order(record["sealed"], self._key)
            except Refusal:
                order = None
            else:
                self.journal.remember(order["order_id"], order["expires_at"])
            if (
                order is None
                or order["connector"] != connector.number
                or record["started_at"] < order["issued_at"]  # no price holds then
            ):
                self._set_fault(connector, "InternalError")  # of another key, place or time: not ours to bill
                self._changed.append((connector, FAULT_CHANGED))
                self._unclosed.append(connector.number)
            else:
                orders[order["order_id"]] = (connector, order, record)
        for order_id in self.outbox.load(list(orders)):
            self._unclosed.append(orders.pop(order_id)[0].number)
        for connector, order, record in orders.values():
            connector.start(Session.recover(order, record, self.clock.now_ms, connector.limits))

    # -- the cycle ------------------------------------------------------------------------------------------

    def step(self, now_ms):
        """Decides, from the readings as they are; now_ms is clock.now_ms. Writes and sends nothing."""
        for connector in self.connectors:
            # UTC is asked for only where it is used: on an ESP32 it is too big for an int without heap.
            session = connector.session
            recovering = session is not None and session.phase == phases.RECOVERING
            changes = connector.step(now_ms, self.clock.at() if recovering else None)
            if changes:
                self._changed.append((connector, changes))

    def record(self, now_ms):
        """Makes durable what step() decided, and puts what is to be told into the mailbox.

        Flash that refuses a write stops every order: without it a power cut could lose what was charged.
        The writes are tried again every RETRY_MS.
        """
        if now_ms < self._retry_ms:
            return
        try:
            self._record(now_ms)
        except OSError:
            self._retry_ms = now_ms + RETRY_MS
            for connector in self.connectors:
                if connector.session is not None and not connector.latch.fault:
                    self._set_fault(connector, "InternalError")
                    self._changed.append((connector, FAULT_CHANGED))  # durable as soon as flash takes it
        self._note_status()

    def _record(self, now_ms):
        self.journal.keep_used()
        self._close_orders()
        while self._changed:
            connector, changes = self._changed[0]
            if changes & FAULT_CHANGED:
                self._set_fault(connector, connector.latch.fault)
                self.journal.save_faults(self._faults)
            if changes & ORDER_CHANGED and connector.session is not None:
                self._record_order(connector, now_ms)
            self._changed.pop(0)
        for connector in self.connectors:
            session = connector.session
            if session is None:
                continue
            if session.phase == phases.DONE:
                self._settle(connector, now_ms)
            elif session.phase != phases.RECOVERING:
                self._checkpoint(connector, now_ms)

    def _record_order(self, connector, now_ms):
        session = connector.session
        if session.phase == phases.DONE:
            return
        if len(session.boundaries) > connector.steps_kept:
            self.journal.steps(connector.number, session.boundaries)
            connector.steps_kept = len(session.boundaries)
        if session.phase == phases.FINISHING:
            self._keep_reading(connector, session.at(now_ms), now_ms)  # and that it was stopped
        self._tell(connector, _STATE_OF_PHASE[session.phase], session.stop_reason, session.at(now_ms))

    def _checkpoint(self, connector, now_ms):
        """Keeps the newest reading, once a second, where it has moved; and tells it."""
        session = connector.session
        if connector.checkpoint_ms is not None and now_ms - connector.checkpoint_ms < CHECKPOINT_MS:
            return
        if session.register_mwh != connector.checkpoint_mwh or connector.checkpoint_ms is None:
            self._keep_reading(connector, session.at(now_ms), now_ms)
        connector.checkpoint_ms = now_ms
        self.mailbox.meter(connector.meter(session, now_ms))

    def _keep_reading(self, connector, at, now_ms):
        session = connector.session
        self.journal.checkpoint(
            connector.number, session.order_id, at, session.register_mwh, session.stop_reason
        )
        connector.checkpoint_ms = now_ms
        connector.checkpoint_mwh = session.register_mwh

    def _settle(self, connector, now_ms):
        """The settlement is durable before anything says that the order has ended. Its last reading is
        durable before that: a meter that forgets must not go on from an earlier one.
        """
        session = connector.session
        if session.register_mwh != connector.checkpoint_mwh:
            self._keep_reading(connector, session.ended_at, now_ms)
        outbox = self.outbox
        number = connector.number
        outbox.add(
            settlement.make(
                session,
                number,
                self.device_id,
                self._key,
                self._firmware,
                outbox.last_seq + 1,
                outbox.last_mac,
            )
        )
        # It is settled from here on, and never again: even where the heap has no room for a word about it.
        connector.session = None
        self._unclosed.append(number)
        self.mailbox.order_status(session.order_id, number, "Settled", session.stop_reason, session.ended_at)
        self._close_orders()

    def _close_orders(self):
        while self._unclosed:
            self.journal.close_order(self._unclosed[0])
            self._unclosed.pop(0)

    def _set_fault(self, connector, fault):
        connector.latch.fault = fault
        if fault:
            self._faults[connector.number] = [fault, self.clock.at()]
        else:
            self._faults.pop(connector.number, None)  # reset before the flash took it

    # -- messages from the cloud ----------------------------------------------------------------------------

    def receive(self, name, data):
        """Acts on one message of topic `name`; one that cannot be used, or whose effect the flash refuses, is
        counted and dropped: the cloud says again what matters.
        """
        try:
            if name == topics.ORDER:
                self._receive_order(data)
            elif name == topics.COMMAND:
                self._receive_command(self._open(name, data))
            elif name == topics.TIME:
                self._receive_time(self._open(name, data))
            elif name == topics.SETTLEMENT_ACK:
                self._receive_ack(self._open(name, data))
        except (ProtocolError, OSError):
            self.dropped += 1

    def _open(self, name, data):
        """The checked message of a sealed topic. Raises ProtocolError."""
        seal.check(data, self._key)
        message = messages.decode(name, data)
        if message["device_id"] != self.device_id:
            raise ProtocolError("a message for " + message["device_id"])
        return message

    def _receive_order(self, data):
        try:
            order = admission.read_order(data, self._key)
        except Refusal as refusal:
            self.dropped += 1
            self.mailbox.order_status(refusal.order_id, None, "Rejected", refusal.reason, self.clock.at())
            return
        order_id = order["order_id"]
        number = order["connector"]
        for connector in self.connectors:
            if connector.session is not None and connector.session.order_id == order_id:
                self._tell_again(connector)
                return
        try:
            reason = self._refuse(order) or self._accept(order, data)
            if reason:
                self.journal.keep_used()  # an accepted one is in flash as an order; record() does it then
        except OSError:
            reason = "StorageFailure"
        if reason:
            self.mailbox.order_status(order_id, number, "Rejected", reason, self.clock.at())

    def _refuse(self, order):
        """The first reason against an order, or None. Its id is used up in either case."""
        at = self.clock.cloud_at()
        if self.journal.is_used(order["order_id"]):
            return "UsedOrder"
        reason = admission.reason_to_refuse(order, self.device_id, len(self.connectors), at)
        if reason is None and self.journal.may_be_used(order["issued_at"], at - self.clock.now_ms // 1000):
            return "UsedOrder"
        if reason is None:
            reason = admission.reason_not_ready(self.connectors[order["connector"] - 1])
        if reason is None and self.outbox.full:
            reason = "OutboxFull"
        if reason is None and (self._unclosed or self._store.free_bytes() < admission.FREE_BYTES_MIN):
            reason = "StorageFailure"
        if reason not in ("WrongDevice", "Expired") and not self.journal.use(
            order["order_id"], order["expires_at"], at
        ):
            return reason or "StorageFailure"
        return reason

    def _accept(self, order, data):
        """Makes the order durable and gives it to its connector, whose next step closes the relay."""
        connector = self.connectors[order["connector"] - 1]
        register_mwh = connector.readings.register_mwh
        # The order itself proves that it is issued_at by now; a clock of whole seconds may lag behind that.
        at = max(self.clock.at(), order["issued_at"])
        # Made first: an order in flash must not lack the heap to run, or it would run after the next boot.
        session = Session(order, at, register_mwh, self.clock.now_ms, connector.limits)
        try:
            self.journal.open_order(connector.number, order["order_id"], data, at, register_mwh)
        except OSError:
            self._unclosed.append(connector.number)  # it may be in flash even so, and run after the next boot
            raise
        connector.start(session)
        self._tell(connector, "Accepted", None, at)

    def _receive_command(self, command):
        at = self.clock.cloud_at()
        action = command["action"]
        if action == "stop":
            for connector in self.connectors:
                if connector.session is not None and connector.session.order_id == command.get("order_id"):
                    connector.session.stop("Remote")
            return
        if at is None or at >= command["expires_at"]:
            raise ProtocolError("the command has expired, or the cloud has not told the time")
        if action == "report":
            self.report()
        elif action == "reset":
            self._reset(command)

    def _reset(self, command):
        """Clears a fault that was latched before the command was made: an old command clears no new fault."""
        number = command.get("connector", 0)
        latched = self._faults.get(number)
        if number > len(self.connectors) or latched is None or command["issued_at"] < (latched[1] or 0):
            raise ProtocolError("no fault to reset that the command could know of")
        faults = dict(self._faults)
        faults.pop(number)
        self.journal.save_faults(faults)
        self._faults = faults
        self.connectors[number - 1].latch.reset()

    def _receive_time(self, message):
        if message["nonce"] != self._nonce or self.clock.now_ms - self._nonce_ms > HELLO_ANSWER_MS:
            raise ProtocolError("a time that nobody asked for, or too late")
        self._nonce = None
        self.clock.tell(message["at"], CLOUD)
        self.mailbox.status_due = True

    def _receive_ack(self, ack):
        # An order that is not closed must stay known as settled, or the next boot would settle it again.
        if not self.outbox.acknowledge(ack["seq"], ack["settlement_mac"], keep=bool(self._unclosed)):
            raise ProtocolError("an acknowledgement of no settlement that waits")
        self.mailbox.status_due = True

    # -- messages to the cloud ------------------------------------------------------------------------------

    def hello(self, nonce):
        """The greeting for a new connection; the cloud's time is believed only with this `nonce`."""
        self._nonce = nonce
        self._nonce_ms = self.clock.now_ms
        orders = []
        for connector in self.connectors:
            if connector.session is not None:
                orders.append([connector.session.order_id, _STATE_OF_PHASE[connector.session.phase]])
        return {
            "device_id": self.device_id,
            "firmware": self._firmware,
            "nonce": nonce,
            "connectors": len(self.connectors),
            "orders": orders,
            "last_seq": self.outbox.last_seq,
            "outbox": self.outbox.depth,
        }

    @property
    def knows_time(self):
        return self.clock.source == CLOUD

    def status(self, heap_free_bytes, heap_min_free_bytes, late_max_ms):
        """The retained status message; what the shell measured comes with it."""
        return {
            "online": True,
            "firmware": self._firmware,
            "connectors": [connector.report() for connector in self.connectors],
            "heap_free_bytes": heap_free_bytes,
            "heap_min_free_bytes": heap_min_free_bytes,
            "clock": self.clock.source,
            "outbox": self.outbox.depth,
            "outbox_full": self.outbox.full,
            "dropped": self.dropped,
            "damaged": len(self.journal.lost) + self.outbox.damaged,
            "late_max_ms": late_max_ms,
            "at": self.clock.at(),
        }

    def report(self):
        """Tells everything anew."""
        self.mailbox.status_due = True
        for connector in self.connectors:
            if connector.session is not None:
                self._tell_again(connector)

    def _note_status(self):
        """Asks for a fresh status message where it would read differently from the last; not while a relay
        is on its way: it would be out of date before it is read, and order/status tells."""
        for connector in self.connectors:
            if not connector.is_switching() and connector.report_changed():
                self.mailbox.status_due = True

    def _tell(self, connector, state, reason, at):
        self.mailbox.order_status(connector.session.order_id, connector.number, state, reason, at)

    def _tell_again(self, connector):
        session = connector.session
        self._tell(
            connector, _STATE_OF_PHASE[session.phase], session.stop_reason, session.at(self.clock.now_ms)
        )
