"""Verifies signatures: ECDSA over the curve P-256 with SHA-256 (FIPS 186-5), in slices.

Key, digest and signature are public. So the computation need not take constant time, and uses ordinary big
integers. The work is divided into steps of a few milliseconds on a chip. The state between two steps has a
fixed size.

A signature has one form only: s must be at most half the order n of the curve. If (r, s) is valid, (r, n - s)
is valid too, so without this rule anybody could make a second signature from the first.
"""

import binascii

P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
BASE = G + (1,)
BITS = 256
INVERT_BITS = 16  # of the exponent in one step; one takes a sixteenth of the time of a multiplication's bit
INFINITY = (1, 1, 0)
_HEX_DIGITS = 64  # of one number


def number(text):
    """The number in 64 hex digits. Raises ValueError."""
    if len(text) != _HEX_DIGITS or text.strip("0123456789abcdef"):
        raise ValueError("a number of P-256 has 64 hex digits")
    return int(text, 16)


def public_key(text):
    """The point (x, y) of a public key in 128 hex digits; a line end may follow. Raises ValueError."""
    text = text.strip()
    x, y = number(text[:_HEX_DIGITS]), number(text[_HEX_DIGITS:])
    if x >= P or y >= P or (y * y - (x * x - 3) * x - B) % P:
        raise ValueError("the key is no point of the curve P-256")
    return x, y


class Verification:
    """key: of public_key(). digest: the 32 bytes of a SHA-256. signature: r and s, 128 hex digits.

    step() does one slice of the work. It returns None until the result is known, then True or False.
    """

    def __init__(self, key, digest, signature):
        self._key = key + (1,)
        self._both = INFINITY  # the sum of BASE and key, when it is needed
        self._z = int.from_bytes(digest, "big")
        self._left = BITS
        self._power = 1  # of s: after BITS steps its inverse
        self._sum = INFINITY
        self._scalars = (0, 0)  # of BASE and of the key, when the inverse is known
        self._is_inverted = False
        self._result = None
        try:
            self._r = number(signature[:_HEX_DIGITS])
            self._s = number(signature[_HEX_DIGITS:])
        except (ValueError, TypeError):
            self._result = False
            return
        if not (0 < self._r < N and 0 < self._s <= N // 2):
            self._result = False

    def step(self):
        if self._result is not None:
            return self._result
        if not self._is_inverted:
            self._invert()
        else:
            self._left -= 1
            self._multiply()
        return self._result

    def _invert(self):
        """Some bits of s to the power of N - 2, which is its inverse modulo N (Fermat)."""
        for _ in range(INVERT_BITS):
            self._left -= 1
            self._power = self._power * self._power % N
            if N - 2 >> self._left & 1:
                self._power = self._power * self._s % N
        if not self._left:
            self._both = add(BASE, self._key)
            self._scalars = (self._z * self._power % N, self._r * self._power % N)
            self._is_inverted = True
            self._left = BITS

    def _multiply(self):
        """One bit of both scalars (Shamir's trick): sum = 2 * sum + the points whose scalars have the bit."""
        self._sum = double(self._sum)
        which = (self._scalars[0] >> self._left & 1) + 2 * (self._scalars[1] >> self._left & 1)
        if which:
            self._sum = add(self._sum, (BASE, self._key, self._both)[which - 1])
        if not self._left:
            self._result = self._is_r()

    def _is_r(self):
        """Whether the sum's x equals r modulo N. x is X / Z^2 modulo P, so X is compared with r x Z^2."""
        x, _, z = self._sum
        if not z:
            return False
        zz = z * z % P
        return self._r * zz % P == x or (self._r + N < P and (self._r + N) * zz % P == x)


def verify(key, digest, signature):
    """A generator: each step does one slice of the work. Raises ValueError unless `signature` is valid for
    the SHA-256 `digest` (hex). key: as in public_key().
    """
    verification = Verification(public_key(key), binascii.unhexlify(digest), signature)
    while True:
        is_valid = verification.step()
        if is_valid is not None:
            break
        yield True
    if not is_valid:
        raise ValueError("the signature is not valid")


# Points are (X, Y, Z) for x = X / Z^2, y = Y / Z^3; Z is 0 at infinity.


def double(point):
    x, y, z = point
    if not z:
        return point
    yy = y * y % P
    zz = z * z % P
    s = 4 * x * yy % P
    m = 3 * (x - zz) * (x + zz) % P
    x2 = (m * m - 2 * s) % P
    return x2, (m * (s - x2) - 8 * yy * yy) % P, 2 * y * z % P


def add(left, right):
    """The sum of two points, which may be equal, opposite or infinite."""
    if not left[2]:
        return right
    if not right[2]:
        return left
    x1, y1, z1 = left
    x2, y2, z2 = right
    zz1 = z1 * z1 % P
    zz2 = z2 * z2 % P
    u1 = x1 * zz2 % P
    s1 = y1 * z2 * zz2 % P
    h = (x2 * zz1 - u1) % P
    r = (y2 * z1 * zz1 - s1) % P
    if not h:
        return INFINITY if r else double(left)
    hh = h * h % P
    hhh = h * hh % P
    v = u1 * hh % P
    x3 = (r * r - hhh - 2 * v) % P
    return x3, (r * (v - x3) - s1 * hhh) % P, h * z1 * z2 % P
