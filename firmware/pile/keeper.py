"""Makes durable what a step decided, tells it, settles orders that have ended, and tries again what flash
refused.
"""

from . import session as phases
from . import settlement
from .connector import FAULT_CHANGED, ORDER_CHANGED

RETRY_MS = 1_000  # after the flash refused a write


class Keeper:
    """Works for one Controller, whose parts it writes to flash."""

    def __init__(self, controller, key):
        self._controller = controller
        self._key = key
        self._changed = []  # (connector, its changes) that are to be made durable
        self._unclosed = []  # connector numbers whose order is over, but still in flash
        self._retry_ms = 0

    def note(self, connector, changes):
        self._changed.append((connector, changes))

    def close_later(self, number):
        """The order file of connector `number` is to leave flash."""
        self._unclosed.append(number)

    @property
    def has_unclosed(self):
        """An order that is over is still in flash: no other may replace it, and its settlement must stay."""
        return bool(self._unclosed)

    def latch(self, connector, code="InternalError"):
        """Latches a fault that a person must reset; durable as soon as the flash takes it."""
        if connector.latch.set(code, self._controller.clock, True):
            self.note(connector, FAULT_CHANGED)

    def keep(self, now_ms):
        """Makes durable what is to be. Flash that refuses a write stops every order, because a power cut
        could lose what was charged. The writes are tried again every RETRY_MS.
        """
        if now_ms < self._retry_ms:
            return
        try:
            self._keep(now_ms)
        except OSError:
            self._retry_ms = now_ms + RETRY_MS
            for connector in self._controller.connectors:
                if connector.order is not None and not connector.fault:
                    self.latch(connector)

    def _keep(self, now_ms):
        controller = self._controller
        controller.journal.keep_ids()
        self._close_orders()
        while self._changed:
            connector, changes = self._changed[0]
            if changes & FAULT_CHANGED:
                controller.faults.save()
            if changes & ORDER_CHANGED and connector.order is not None:
                connector.order.keep_change(controller.journal, now_ms)
                if connector.order.session.phase != phases.DONE:
                    controller.tell(connector)
            self._changed.pop(0)
        for connector in controller.connectors:
            order = connector.order
            if order is None:
                continue
            phase = order.session.phase
            if phase == phases.DONE:
                self._settle(connector, now_ms)
            elif phase == phases.RECOVERING or not order.session.has_run:
                continue  # a reading in flash shows that the relay has closed
            elif order.keep_reading(controller.journal, now_ms):
                power_mw, current_ma = connector.power_mw(), connector.measured_ma()
                controller.mailbox.meter(order.meter_message(power_mw, now_ms, current_ma))

    def _settle(self, connector, now_ms):
        """The settlement is durable before anything says that the order has ended."""
        controller = self._controller
        order = connector.order
        order.keep_last_reading(controller.journal, now_ms)
        outbox = controller.outbox
        if not outbox.has(order.order_id):
            outbox.add(
                settlement.make(
                    order,
                    controller.device_id,
                    self._key,
                    controller.firmware,
                    outbox.last_seq + 1,
                    outbox.last_mac,
                )
            )
        # From here on it is settled and must not be again, even if the heap has no room for a message about
        # it.
        connector.order = None
        self._unclosed.append(order.number)
        session = order.session
        controller.mailbox.order_status(
            order.order_id, order.number, "Settled", session.stop_reason, session.ended_at
        )
        self._close_orders()

    def _close_orders(self):
        while self._unclosed:
            self._controller.journal.close_order(self._unclosed[0])
            self._unclosed.pop(0)
