"""Messages from the cloud: a bounded queue, their seals and tables, and the call that each one means."""

from pile_protocol import messages, seal, topics
from pile_protocol.errors import ProtocolError

from . import admission

QUEUE_MESSAGES_MAX = 8
QUEUE_BYTES_MAX = messages.ORDER_MAX_BYTES  # one message of any size is taken while the queue is empty


class Inbox:
    """Calls the controller's take_...(). key: the device's, 32 bytes."""

    def __init__(self, controller, key):
        self._controller = controller
        self._key = key
        self._queue = []
        self._bytes = 0

    def put(self, name, data):
        """Queues one message of topic `name`. Returns False, changing nothing, while there is no room."""
        queue = self._queue
        if queue and (len(queue) >= QUEUE_MESSAGES_MAX or self._bytes + len(data) > QUEUE_BYTES_MAX):
            return False
        queue.append((name, data))
        self._bytes += len(data)
        return True

    @property
    def is_empty(self):
        return not self._queue

    def handle_next(self):
        """Acts on the oldest message. One that cannot be used, or whose effect the flash refuses, is counted
        and dropped: the cloud sends again what matters.
        """
        name, data = self._queue.pop(0)
        self._bytes -= len(data)
        try:
            self._handle(name, data)
        except (ProtocolError, OSError):
            self._controller.dropped += 1

    def _handle(self, name, data):
        controller = self._controller
        if name == topics.ORDER:
            try:
                order = admission.read_order(data, self._key)
            except admission.Refusal as refusal:
                controller.dropped += 1
                controller.reject(refusal.order_id, None, refusal.reason)
                return
            controller.take_order(order, data)
        elif name == topics.COMMAND:
            controller.take_command(self._open(name, data))
        elif name == topics.TIME:
            controller.take_time(self._open(name, data))
        elif name == topics.SETTLEMENT_ACK:
            controller.take_ack(self._open(name, data))
        elif name in topics.UPDATES and controller.on_update:
            if name != topics.UPDATE_CHUNK:
                seal.check(data, self._key)
            controller.on_update(name, data)

    def _open(self, name, data):
        """The checked message of a sealed topic. Raises ProtocolError."""
        seal.check(data, self._key)
        message = messages.decode(name, data)
        if message["device_id"] != self._controller.device_id:
            raise ProtocolError("a message for " + message["device_id"])
        return message
