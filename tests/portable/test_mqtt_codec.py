"""MQTT packets to and from bytes: in any pieces, at any size, and nothing but MqttError for what is wrong."""

from net import mqtt_codec as codec
from net.errors import MqttError
from tests.portable.kit import raises


def described(packets):
    """Packets as plain values that can be compared."""
    return [
        (kind, (v.topic, v.payload, v.qos, v.packet_id, v.size) if kind == codec.PUBLISH else v)
        for kind, v in packets
    ]


def decoded(data, piece=None, decoder=None):
    """Everything in `data`, fed in pieces of so many bytes."""
    decoder = decoder or codec.Decoder()
    packets = []
    for i in range(0, len(data), piece or len(data) or 1):
        packets += decoder.feed(data[i : i + (piece or len(data))])
    return described(packets)


CONNACK = b"\x20\x02\x00\x00"
PUBACK = b"\x40\x02\x01\x02"
SUBACK = b"\x90\x05\x00\x07\x01\x00\x80"
PINGRESP = b"\xd0\x00"
STREAM = (
    CONNACK
    + codec.publish("a/b", b"hello", 1, False, 9)
    + PINGRESP
    + SUBACK
    + codec.publish("t", b"", 0, True, 0)
    + codec.publish("t", b"x" * 200, 1, False, 65_535)
    + PUBACK
    + codec.publish("t", b"y" * 3000, 0, False, 0)
)
PACKETS = [
    (codec.CONNACK, 0),
    (codec.PUBLISH, ("a/b", b"hello", 1, 9, 5)),
    (codec.PINGRESP, None),
    (codec.SUBACK, (7, b"\x01\x00\x80")),
    (codec.PUBLISH, ("t", b"", 0, 0, 0)),
    (codec.PUBLISH, ("t", b"x" * 200, 1, 65_535, 200)),
    (codec.PUBACK, 0x0102),
    (codec.PUBLISH, ("t", b"y" * 3000, 0, 0, 3000)),
]


# -- what we send --------------------------------------------------------------------------------------------


def test_connect():
    assert codec.connect("id", "user", "pass", 60, "will", b"gone") == (
        b"\x10\x26\x00\x04MQTT\x04\xee\x00\x3c\x00\x02id\x00\x04will\x00\x04gone\x00\x04user\x00\x04pass"
    )


def test_publish():
    assert codec.publish("a/b", b"xyz", 0, False, 0) == b"\x30\x08\x00\x03a/bxyz"
    assert codec.publish("a/b", b"xyz", 1, True, 258) == b"\x33\x0a\x00\x03a/b\x01\x02xyz"


def test_subscribe_puback_ping():
    assert codec.subscribe(10, ["a", "b/c"]) == b"\x82\x0c\x00\x0a\x00\x01a\x01\x00\x03b/c\x01"
    assert codec.puback(65_535) == b"\x40\x02\xff\xff"
    assert codec.PINGREQ == b"\xc0\x00"


def test_the_remaining_length_takes_one_to_four_bytes():
    for length, encoded in (
        (0, b"\x00"),
        (127, b"\x7f"),
        (128, b"\x80\x01"),
        (16_383, b"\xff\x7f"),
        (16_384, b"\x80\x80\x01"),
        (2_097_151, b"\xff\xff\x7f"),
        (2_097_152, b"\x80\x80\x80\x01"),
        (268_435_455, b"\xff\xff\xff\x7f"),
    ):
        assert codec._remaining(length) == encoded, length
    raises(MqttError, codec._remaining, 268_435_456)


def test_texts_are_utf_8():
    topic = "säule/ü"
    assert decoded(codec.publish(topic, b"", 0, False, 0))[0][1][0] == topic


def test_what_is_too_long_to_send():
    assert len(codec.publish("x" * 65_535, b"", 0, False, 0)) == 1 + 3 + 2 + 65_535
    raises(MqttError, codec.publish, "x" * 65_536, b"", 0, False, 0)


# -- what we receive -----------------------------------------------------------------------------------------


def test_a_stream_in_any_pieces_gives_the_same_packets():
    for piece in (None, 1, 2, 3, 5, 7, 64, 1024):
        assert decoded(STREAM, piece) == PACKETS, piece


def test_a_stream_cut_in_two_at_every_byte():
    for i in range(len(STREAM) + 1):
        decoder = codec.Decoder()
        packets = decoder.feed(STREAM[:i]) + decoder.feed(STREAM[i:])
        assert described(packets) == PACKETS, i


def test_a_suback_of_one_topic():
    assert decoded(b"\x90\x03\x01\x02\x00") == [(codec.SUBACK, (258, b"\x00"))]


def test_nothing_gives_nothing():
    assert codec.Decoder().feed(b"") == []


def test_a_remaining_length_of_four_bytes():
    decoder = codec.Decoder()
    assert (
        decoder.feed(b"\x32\x8d\x80\x80\x01\x00\x09big/topic\x00\x4d") == []
    )  # 2,097,152 + 13 bytes to come
    for _ in range(2047):
        assert decoder.feed(b"z" * 1024) == []
    packets = decoder.feed(b"z" * 1024 + PINGRESP)
    assert described(packets) == [
        (codec.PUBLISH, ("big/topic", None, 1, 77, 1 << 21)),
        (codec.PINGRESP, None),
    ]


def test_more_length_bytes_than_needed_are_still_a_length():
    assert decoded(b"\xd0\x80\x80\x80\x00" + CONNACK) == [(codec.PINGRESP, None), (codec.CONNACK, 0)]


def test_a_packet_too_large_to_keep_is_skipped_and_told_of():
    for qos, packet_id in ((0, 0), (1, 513)):
        for size in (9_300, 20_000):
            packet = codec.publish("pile/v1/x/order", b"w" * size, qos, False, packet_id)
            for piece in (1, 7, 160, 163, 1000, 1024, 9_000, None):
                expected = [(codec.PUBLISH, ("pile/v1/x/order", None, qos, packet_id, size))]
                assert decoded(packet, piece) == expected, (qos, size, piece)
                expected = PACKETS[:3] + expected + PACKETS[3:]
                cut = len(CONNACK) + len(codec.publish("a/b", b"hello", 1, False, 9)) + len(PINGRESP)
                whole = STREAM[:cut] + packet + STREAM[cut:]
                assert decoded(whole, piece) == expected, (qos, size, piece)


def test_large_packets_one_after_the_other():
    packet = codec.publish("t", b"w" * 10_000, 1, False, 3)
    one = (codec.PUBLISH, ("t", None, 1, 3, 10_000))
    for piece in (1, 1024, None):
        assert decoded(packet * 3, piece) == [one] * 3, piece


def test_memory_is_bounded_while_a_large_packet_passes():
    decoder = codec.Decoder()
    decoder.feed(b"\x30\xff\xff\xff\x7f")  # a PUBLISH of 256 MB, the largest there can be
    assert decoder.feed(b"\x00\x01t" + b"w" * 1021) == []
    for _ in range(50):
        assert decoder.feed(b"w" * 1024) == []
        assert len(decoder._buffer) == 0


def test_the_largest_packet_that_is_kept():
    payload = b"k" * (codec.MAX_PACKET_BYTES - 3)
    assert decoded(codec.publish("t", payload, 0, False, 0), 1024) == [
        (codec.PUBLISH, ("t", payload, 0, 0, len(payload)))
    ]
    payload += b"k"
    assert decoded(codec.publish("t", payload, 0, False, 0), 1024) == [
        (codec.PUBLISH, ("t", None, 0, 0, len(payload)))
    ]


MALFORMED = (
    b"\x00\x00",  # type 0 is reserved
    b"\xf0\x00",  # type 15 as well
    b"\x10\x00",  # CONNECT, SUBSCRIBE, UNSUBSCRIBE, PINGREQ, DISCONNECT: a client's, never a server's
    b"\x82\x06\x00\x01\x00\x01a\x01",
    b"\xa2\x05\x00\x01\x00\x01a",
    b"\xc0\x00",
    b"\xe0\x00",
    b"\x50\x02\x00\x01",  # PUBREC, PUBREL, PUBCOMP: QoS 2, which nobody asked for
    b"\x62\x02\x00\x01",
    b"\x70\x02\x00\x01",
    b"\x20\x00",  # CONNACK of a wrong length
    b"\x20\x01\x00",
    b"\x20\x03\x00\x00\x00",
    b"\x21\x02\x00\x00",  # reserved flags
    b"\x41\x02\x00\x01",
    b"\x40\x00",  # PUBACK of a wrong length
    b"\x40\x01\x00",
    b"\x40\x03\x00\x01\x00",
    b"\x90\x00",  # SUBACK without a code
    b"\x90\x02\x00\x01",
    b"\x98\x03\x00\x01\x01",
    b"\xd0\x01\x00",  # PINGRESP with something in it
    b"\xd1\x00",
    b"\x34\x05\x00\x01a\x00\x01",  # QoS 2
    b"\x36\x05\x00\x01a\x00\x01",  # QoS 3
    b"\x30\x00",  # PUBLISH without a topic
    b"\x30\x01\x00",
    b"\x30\x03\x00\x02a",  # its topic cut short
    b"\x32\x03\x00\x01a",  # QoS 1 without a packet id
    b"\x32\x04\x00\x01a\x01",
    b"\x32\x05\x00\x01a\x00\x00",  # packet id 0
    b"\x30\x04\x00\x02\xc3\x28",  # a topic that is not UTF-8
    b"\xd0\x80\x80\x80\x80\x00",  # a length of five bytes
    b"\x30\xff\xff\xff\xff\x7f",
    b"\x40\xff\xff\xff\x7f",  # 256 MB of PUBACK
    b"HTTP/1.1 400 Bad Request\r\n\r\n",
    b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
    b"\x15\x03\x01\x00\x02\x02\x46",  # a TLS alert
)


def test_malformed_packets_whole_and_byte_by_byte():
    for data in MALFORMED:
        for piece in (None, 1):
            try:
                packets = decoded(data + bytes(100), piece)
            except MqttError:
                continue
            raise AssertionError("%r gave %r" % (data, packets))


def test_a_topic_that_is_too_long_for_the_kept_head():
    packet = codec.publish("t" * 200, b"w" * 10_000, 0, False, 0)
    raises(MqttError, decoded, packet, 1024)


def test_random_bytes_give_packets_or_an_mqtt_error():
    seed = 1
    for _ in range(3000):
        data = bytearray()
        for _ in range(40):
            seed = (seed * 6364136223846793005 + 1442695040888963407) % (1 << 64)
            data.append(seed >> 33 & 0xFF)
        data[0] = (0x20, 0x30, 0x31, 0x32, 0x40, 0x90, 0xD0, data[0])[data[0] % 8]
        data[1] %= 40
        decoder = codec.Decoder()
        try:
            decoder.feed(data)
        except MqttError:
            pass
        assert len(decoder._buffer) <= 40
