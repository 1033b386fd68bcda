"""Messages that wait to be published, besides settlements. Bounded: a full queue drops its oldest order
status. The settlement carries the complete data of an order.
"""

from pile_protocol import topics

ORDER_STATUSES_MAX = 16


class Mailbox:
    """The controller puts in, the link takes out. `status_due` asks the link for a fresh status message."""

    def __init__(self):
        self.status_due = True
        self._order_statuses = []
        self._meters = {}  # the newest of each connector

    def order_status(self, order_id, connector, state, reason, at):
        """Queues one order status; drops the oldest if ORDER_STATUSES_MAX wait already."""
        if len(self._order_statuses) >= ORDER_STATUSES_MAX:
            self._order_statuses.pop(0)
        self._order_statuses.append(
            {"order_id": order_id, "connector": connector, "state": state, "reason": reason, "at": at}
        )

    def meter(self, message):
        """Replaces the connector's meter message that waits."""
        self._meters[message["connector"]] = message

    def empty(self):
        return not (self.status_due or self._order_statuses or self._meters)

    def peek(self):
        """(topic name, message) to publish next, or None; it stays until done()."""
        if self._order_statuses:
            return topics.ORDER_STATUS, self._order_statuses[0]
        for message in self._meters.values():
            return topics.METER, message
        return None

    def done(self, name, message):
        """`message` has been published."""
        if name == topics.METER:
            if self._meters.get(message["connector"]) is message:
                del self._meters[message["connector"]]
        elif self._order_statuses and self._order_statuses[0] is message:
            self._order_statuses.pop(0)
