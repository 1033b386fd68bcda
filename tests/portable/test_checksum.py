"""The checksum around a record: what is damaged reads as nothing."""

from pile.checksum import framed, unframed


def test_a_record_comes_back():
    for content in (b"", b"x", b"\n", b"a\nb\n", bytes(range(256)), b"x" * 5000):
        assert unframed(framed(content)) == content


def test_the_frame_is_the_crc_32_in_hex():
    assert framed(b"123456789") == b"123456789\ncbf43926"


def test_every_flipped_bit_is_seen():
    data = framed(b"o1 1800000000 5000000")
    for i in range(len(data)):
        for bit in range(8):
            assert unframed(data[:i] + bytes((data[i] ^ 1 << bit,)) + data[i + 1 :]) is None, (i, bit)


def test_every_cut_is_seen():
    data = framed(b"o1 1800000000 5000000")
    for i in range(len(data)):
        assert unframed(data[:i]) is None, i


def test_foreign_content_is_no_record():
    for data in (b"", b"\n", b"0" * 9, b"hello\n12345678", b"\xff" * 4096, bytes(128), framed(b"x") + b"\n"):
        assert unframed(data) is None, data[:20]
