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
        self._newest = {}  # (topic name, message) by key

    def order_status(self, order_id, connector, state, reason, at):
        """Queues one order status; drops the oldest if ORDER_STATUSES_MAX wait already."""
        if len(self._order_statuses) >= ORDER_STATUSES_MAX:
            self._order_statuses.pop(0)
        self._order_statuses.append(
            {"order_id": order_id, "connector": connector, "state": state, "reason": reason, "at": at}
        )

    def meter(self, message):
        """Replaces the connector's meter message that waits."""
        self.newest(message["connector"], topics.METER, message)

    def newest(self, key, name, message):
        """Replaces the message of this key that waits, if there is one."""
        self._newest[key] = (name, message)

    def empty(self):
        return not (self.status_due or self._order_statuses or self._newest)

    def peek(self):
        """(topic name, message) to publish next, or None; it stays until done()."""
        if self._order_statuses:
            return topics.ORDER_STATUS, self._order_statuses[0]
        for item in self._newest.values():
            return item
        return None

    def done(self, name, message):
        """`message` has been published."""
        if name == topics.ORDER_STATUS:
            if self._order_statuses and self._order_statuses[0] is message:
                self._order_statuses.pop(0)
            return
        for key in self._newest:
            if self._newest[key][1] is message:
                del self._newest[key]
                return
