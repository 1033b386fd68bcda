"""The question and the answer of one name look-up, as bytes (RFC 1035)."""

from net import dns

ID = b"\x12\x34"
QUESTION = b"\x06broker\x04home\x00\x00\x01\x00\x01"
POINTER = b"\xc0\x0c"


def answer(*records, question=QUESTION):
    return (
        ID
        + b"\x81\x80\x00\x01"
        + bytes((0, len(records)))
        + b"\x00\x00\x00\x00"
        + question
        + b"".join(records)
    )


def record(kind, data, name=POINTER):
    return name + bytes((0, kind, 0, 1, 0, 0, 0, 60, 0, len(data))) + data


A = record(1, bytes((192, 168, 1, 10)))
CNAME = record(5, b"\x03alt\xc0\x13")
AAAA = record(28, bytes(16))


def test_a_query_asks_for_one_address():
    assert dns.query("broker.home", ID) == ID + b"\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + QUESTION


def test_the_first_address_is_taken():
    for data, address in (
        (answer(A), "192.168.1.10"),
        (answer(A, record(1, bytes((10, 0, 0, 1)))), "192.168.1.10"),
        (answer(CNAME, A), "192.168.1.10"),
        (answer(AAAA, A), "192.168.1.10"),
        (answer(record(1, bytes((0, 255, 0, 255)), name=b"\x06broker\x04home\x00")), "0.255.0.255"),
        (answer(), None),
        (answer(CNAME), None),
        (answer(AAAA), None),
        (answer(record(1, bytes(3)), A), "192.168.1.10"),
    ):
        assert dns.first_address(data) == address, data


def test_an_answer_cut_at_any_byte_gives_no_address():
    data = answer(CNAME, A)
    for i in range(len(data)):
        assert dns.first_address(data[:i]) is None, i


def test_damaged_answers_end_and_give_an_address_or_none():
    data = answer(CNAME, A)
    for i in range(2, len(data)):
        for value in (0x00, 0x01, 0x3F, 0x40, 0x80, 0xC0, 0xFF):
            address = dns.first_address(data[:i] + bytes((value,)) + data[i + 1 :])
            assert address is None or dns.is_ipv4(address), (i, value)


def test_addresses():
    for text, is_one in (
        ("127.0.0.1", True),
        ("255.255.255.255", True),
        ("256.0.0.1", False),
        ("1.2.3", False),
        ("1.2.3.4.5", False),
        ("1.2.3.", False),
        ("1.2.3.-4", False),
        ("a.b.c.d", False),
        ("", False),
        ("broker.home", False),
        ("::1", False),
    ):
        assert dns.is_ipv4(text) is is_one, text
