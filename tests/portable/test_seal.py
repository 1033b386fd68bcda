"""The seal: RFC 4231's vectors, and no byte of a message that could be altered unseen."""

import binascii

from pile_protocol import seal
from pile_protocol.errors import SealError
from tests.portable.kit import KEY, OTHER_KEY, order, raises, sealed

BODY = b'{"kind":"order","x":1}'

# RFC 4231, section 4: (key, data, HMAC-SHA256 in hex, of which as much as the RFC gives)
RFC_4231 = (
    (b"\x0b" * 20, b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
    (
        b"Jefe",
        b"what do ya want for nothing?",
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    ),
    (b"\xaa" * 20, b"\xdd" * 50, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
    (bytes(range(1, 26)), b"\xcd" * 50, "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"),
    (b"\x0c" * 20, b"Test With Truncation", "a3b6167473100ee06e0c796c2955552b"),
    (
        b"\xaa" * 131,
        b"Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
    ),
    (
        b"\xaa" * 131,
        b"This is a test using a larger than block-size key and a larger than block-size data. "
        b"The key needs to be hashed before being used by the HMAC algorithm.",
        "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
    ),
)


def test_the_vectors_of_rfc_4231():
    for key, data, expected in RFC_4231:
        for hmac in (seal.hmac_sha256, seal.hmac_by_hand):  # one and the same where there is no hmac module
            got = binascii.hexlify(hmac(key, data)).decode()
            assert got[: len(expected)] == expected, data


def test_a_sealed_message_gives_its_mac():
    data = seal.seal(BODY, KEY)
    assert data[: len(BODY) - 1] == BODY[:-1]
    mac = seal.check(data, KEY)
    assert data[len(BODY) - 1 :] == b',"mac":"' + mac.encode() + b'"}'
    assert mac == binascii.hexlify(seal.hmac_sha256(KEY, BODY[:-1])).decode()


def test_text_and_bytes_seal_alike():
    assert seal.seal(BODY.decode(), KEY) == seal.seal(BODY, KEY) == seal.seal(bytearray(BODY), KEY)


def test_received_bytes_may_be_of_any_kind():
    data = seal.seal(BODY, KEY)
    assert seal.check(bytearray(data), KEY) == seal.check(memoryview(data), KEY) == seal.check(data, KEY)


def test_every_altered_byte_is_refused():
    data = sealed(order())
    for i in range(len(data)):
        for flip in (0x01, 0x20, 0x80):
            altered = data[:i] + bytes((data[i] ^ flip,)) + data[i + 1 :]
            try:
                seal.check(altered, KEY)
            except SealError:
                continue
            raise AssertionError("byte %d altered by %02x was let through" % (i, flip))


def test_every_cut_is_refused():
    data = sealed(order())
    for i in range(len(data)):
        raises(SealError, seal.check, data[:i], KEY)
    for i in range(1, len(data)):
        raises(SealError, seal.check, data[i:], KEY)


def test_added_bytes_are_refused():
    data = seal.seal(BODY, KEY)
    for altered in (data + b" ", b" " + data, data + b"\n", data[:-1] + b" }", data + data):
        raises(SealError, seal.check, altered, KEY)


def test_another_key_is_refused():
    raises(SealError, seal.check, seal.seal(BODY, OTHER_KEY), KEY)


def test_a_mac_that_is_not_last_is_refused():
    data = seal.seal(BODY, KEY)
    raises(SealError, seal.check, data[:-1] + b',"x":2}', KEY)


def test_upper_case_digits_are_another_spelling_and_refused():
    data = seal.seal(BODY, KEY)
    raises(SealError, seal.check, data[:-66] + data[-66:-2].upper() + data[-2:], KEY)


def test_only_an_object_with_a_member_can_be_sealed():
    for text in ("", "{}", "{ }"[:1], "[1]", '"x"', "{}\n", '{"a":1} '):
        raises(SealError, seal.seal, text, KEY)


def test_a_key_is_64_hex_digits():
    assert seal.parse_key("00" * 31 + "fF\n") == bytes(31) + b"\xff"
    for text in ("", "00" * 31, "00" * 33, "0" * 63, "0g" * 32, "zz" * 32, "00" * 31 + " 0"):
        raises(SealError, seal.parse_key, text)


def test_equal_tells_equal_from_different():
    for a, b, same in ((b"", b"", True), (b"ab", b"ab", True), (b"ab", b"ac", False), (b"ab", b"abc", False)):
        assert seal.equal(a, b) is same, (a, b)


def test_the_broker_learns_no_key():
    password = seal.mqtt_password(KEY)
    assert len(password) == 64 and password != binascii.hexlify(KEY).decode()
    assert password != seal.mqtt_password(OTHER_KEY)
    raises(SealError, seal.check, seal.seal(BODY, password.encode()), KEY)


def test_an_mqtt_client_id_names_the_pile_and_cannot_be_guessed():
    mine = seal.mqtt_client_id("PILE-1", bytes(32))
    assert mine.startswith("PILE-1-") and len(mine) == len("PILE-1-") + 16
    assert mine != seal.mqtt_client_id("PILE-1", bytes(31) + b"\x01")
    assert mine == seal.mqtt_client_id("PILE-1", bytes(32))
