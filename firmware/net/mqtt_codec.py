"""MQTT 3.1.1 packets to and from bytes (OASIS standard, sections 2 and 3); QoS 0 and 1. No I/O."""

from .errors import MqttError

CONNACK = 2
PUBLISH = 3
PUBACK = 4
SUBACK = 9
PINGRESP = 13

CONNACK_REASONS = (
    "accepted",
    "unacceptable protocol version",
    "client identifier rejected",
    "server unavailable",
    "bad user name or password",
    "not authorized",
)

MAX_PACKET_BYTES = 9216  # an order of 8 KB, its topic and its header
_HEAD_BYTES = 160  # of a packet too large to keep: enough for its topic and packet id
_MAX_REMAINING = 268_435_455  # section 2.2.3

PINGREQ = b"\xc0\x00"
DISCONNECT = b"\xe0\x00"


def _remaining(length):
    if length > _MAX_REMAINING:
        raise MqttError("a packet of %d bytes is too large" % length)
    encoded = bytearray()
    while True:
        digit = length & 0x7F
        length >>= 7
        if not length:
            encoded.append(digit)
            return bytes(encoded)
        encoded.append(digit | 0x80)


def _text(value):
    data = value.encode() if isinstance(value, str) else value
    if len(data) > 65_535:
        raise MqttError("a text of %d bytes is too long" % len(data))
    return bytes((len(data) >> 8, len(data) & 0xFF)) + data


def _id(packet_id):
    return bytes((packet_id >> 8, packet_id & 0xFF))


def connect(client_id, username, password, keepalive_s, will_topic, will_payload):
    """CONNECT with a clean session and a retained QoS 1 will (section 3.1)."""
    flags = 0x02 | 0x04 | 0x08 | 0x20 | 0x40 | 0x80
    body = _text("MQTT") + bytes((4, flags)) + _id(keepalive_s) + _text(client_id)
    body += _text(will_topic) + _text(will_payload) + _text(username) + _text(password)
    return b"\x10" + _remaining(len(body)) + body


def publish(topic, payload, qos, retain, packet_id):
    """PUBLISH (section 3.3) as one bytes object, so that it leaves in one write; packet_id for qos 1 only."""
    head = _text(topic) + (_id(packet_id) if qos else b"")
    first = bytes((0x30 | qos << 1 | (1 if retain else 0),))
    return first + _remaining(len(head) + len(payload)) + head + payload


def subscribe(packet_id, topics):
    """SUBSCRIBE (section 3.8) to each topic at QoS 1."""
    body = _id(packet_id)
    for topic in topics:
        body += _text(topic) + b"\x01"
    return b"\x82" + _remaining(len(body)) + body


def puback(packet_id):
    return b"\x40\x02" + _id(packet_id)


class Publish:
    """An incoming PUBLISH. `payload` is None where it was too large to keep; `size` counts its bytes."""

    def __init__(self, topic, payload, qos, packet_id, size):
        self.topic = topic
        self.payload = payload
        self.qos = qos
        self.packet_id = packet_id
        self.size = size


class Decoder:
    """Takes the server's bytes in any pieces and gives whole packets.

    Memory is bounded: of a packet larger than `max_packet_bytes` only the head is kept and the rest skipped.
    """

    def __init__(self, max_packet_bytes=MAX_PACKET_BYTES):
        self._max = max_packet_bytes
        self._buffer = b""
        self._skip = 0
        self._oversize = None

    def feed(self, data):
        """The packets completed by `data`, as (type, value): CONNACK return code, PUBLISH a Publish,
        PUBACK packet id, SUBACK (packet id, return codes), PINGRESP None. Raises MqttError.
        """
        if self._skip:
            taken = min(self._skip, len(data))
            self._skip -= taken
            data = data[taken:]
        packets = []
        if self._oversize and not self._skip:
            packets.append((PUBLISH, self._oversize))
            self._oversize = None
        self._buffer = self._buffer + data if self._buffer else bytes(data)
        offset = 0
        while not self._skip:
            end = self._packet(offset, packets)
            if end is None:
                break
            offset = end
        if offset:
            self._buffer = self._buffer[offset:]
        return packets

    def _packet(self, offset, packets):
        """Adds the packet at `offset` to `packets` and returns its end; None while it is incomplete."""
        buffer = self._buffer
        length = 0
        at = offset + 1
        for shift in (0, 7, 14, 21):
            if at >= len(buffer):
                return None
            length |= (buffer[at] & 0x7F) << shift
            at += 1
            if not buffer[at - 1] & 0x80:
                break
        else:
            raise _malformed(buffer[offset] >> 4, len(buffer))
        first = buffer[offset]
        if length > self._max:
            return self._oversize_packet(first, at, length, packets)
        if at + length > len(buffer):
            return None
        packets.append(_parse(first, buffer, at, at + length, length))
        return at + length

    def _oversize_packet(self, first, at, length, packets):
        if first >> 4 != PUBLISH:
            raise _malformed(first >> 4, length)
        have = len(self._buffer) - at
        if have < _HEAD_BYTES:
            return None
        packet = PUBLISH, _parse_publish(first, self._buffer, at, at + _HEAD_BYTES, length, False)
        taken = min(have, length)
        self._skip = length - taken
        if self._skip:
            self._oversize = packet[1]
        else:
            packets.append(packet)
        return at + taken


def _parse(first, buffer, at, end, length):
    """(type, value) of the packet whose body stands in buffer[at:end]."""
    kind = first >> 4
    if kind == PUBLISH:
        return PUBLISH, _parse_publish(first, buffer, at, end, length, True)
    if first & 0x0F:
        raise _malformed(kind, length)
    body = buffer[at:end]
    if kind == CONNACK and length == 2:
        return CONNACK, body[1]
    if kind == PUBACK and length == 2:
        return PUBACK, body[0] << 8 | body[1]
    if kind == SUBACK and length >= 3:
        return SUBACK, (body[0] << 8 | body[1], body[2:])
    if kind == PINGRESP and length == 0:
        return PINGRESP, None
    raise _malformed(kind, length)


def _malformed(kind, length):
    return MqttError("a packet of type %d with %d bytes breaks MQTT's rules" % (kind, length))


def _parse_publish(first, buffer, at, end, length, whole):
    """Of a packet that is not `whole`, buffer[at:end] is the head alone."""
    qos = first >> 1 & 3
    if qos > 1 or end - at < 2:
        raise _malformed(PUBLISH, length)
    topic_end = at + 2 + (buffer[at] << 8 | buffer[at + 1])
    begin = topic_end + 2 if qos else topic_end
    if begin > end:
        raise _malformed(PUBLISH, length)
    packet_id = buffer[topic_end] << 8 | buffer[topic_end + 1] if qos else 0
    try:
        topic = str(buffer[at + 2 : topic_end], "utf-8")
    except UnicodeError:
        topic = ""
    if not topic or qos and not packet_id:
        raise _malformed(PUBLISH, length)
    # Cut out once: of an order of 8 KB there is no room for many copies.
    return Publish(topic, buffer[begin:end] if whole else None, qos, packet_id, at + length - begin)
