"""Damaged bytes from a seed, the same on every interpreter."""

_WORDS = (
    b"0",
    b"-1",
    b"1e5",
    b"1.5",
    b"2147483648",
    b"99999999999999999999",
    b"null",
    b"true",
    b"NaN",
    b"[]",
    b"{}",
    b"[[[[",
    b'"',
    b'""',
    b'"\\u0000"',
    b"\\ud800",
    b"\xff",
    b"\xc3",
    b"\x00",
    b",",
    b":",
    b"}",
    b"\n",
    b" ",
)


class Random:
    """xorshift32: MicroPython's and CPython's own generators differ."""

    def __init__(self, seed):
        self._state = (seed * 2_654_435_761 + 1) & 0xFFFFFFFF or 1

    def below(self, n):
        """0 <= value < n"""
        x = self._state
        x ^= x << 13 & 0xFFFFFFFF
        x ^= x >> 17
        x ^= x << 5 & 0xFFFFFFFF
        self._state = x
        return (x >> 3) % n

    def choice(self, values):
        return values[self.below(len(values))]

    def bytes(self, count):
        return bytes([self.below(256) for _ in range(count)])


def damaged(random, data):
    """`data` with one to four things wrong with it; now and then bytes that never were anything.

    A change may by chance leave `data` as it was.
    """
    if not random.below(40):
        return random.bytes(random.below(64))
    for _ in range(random.choice(_COUNTS)):
        data = random.choice(_WAYS)(random, data)
    return data


def _digit(random, data):
    """Another digit: what is left can still be a number."""
    at = random.below(len(data) + 1)
    while at < len(data) and not 48 <= data[at] <= 57:
        at += 1
    if at == len(data):
        return data
    return data[:at] + bytes((48 + random.below(10),)) + data[at + 1 :]


def _flip(random, data):
    if not data:
        return data
    at = random.below(len(data))
    return data[:at] + bytes((data[at] ^ (1 << random.below(8)),)) + data[at + 1 :]


def _replace(random, data):
    if not data:
        return data
    at = random.below(len(data))
    return data[:at] + random.bytes(1) + data[at + 1 :]


def _cut(random, data):
    return data[: random.below(len(data) + 1)]


def _remove(random, data):
    at = random.below(len(data) + 1)
    return data[:at] + data[at + 1 + random.below(16) :]


def _insert(random, data):
    at = random.below(len(data) + 1)
    return data[:at] + random.bytes(1 + random.below(8)) + data[at:]


def _word(random, data):
    """Over something or in between."""
    at = random.below(len(data) + 1)
    word = random.choice(_WORDS)
    return data[:at] + word + data[at + random.below(2) * len(word) :]


def _value(random, data):
    """Another value for one JSON member or item."""
    begin = data.find(b":", random.below(len(data) + 1)) + 1
    if not begin:
        return _word(random, data)
    end = begin
    while end < len(data) and data[end] not in b",}]":
        end += 1
    return data[:begin] + random.choice(_WORDS) + data[end:]


def _repeat(random, data):
    at = random.below(len(data) + 1)
    piece = data[at : at + 1 + random.below(64)]
    return data[:at] + piece * (2 + random.below(3)) + data[at:]


_WAYS = (_flip, _replace, _cut, _remove, _insert, _word, _value, _value, _repeat, _digit, _digit, _digit)
_COUNTS = (1, 1, 1, 1, 2, 2, 3, 4)
