"""The verification of signatures: published vectors, and everything that is no signature. tests/security has
the comparison with OpenSSL.
"""

import hashlib

from tests.portable.kit import raises
from update import p256

# RFC 6979, A.2.5: P-256 with SHA-256, messages "sample" and "test"; s of the first is above half the order.
KEY = (
    "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
    "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"
)
R_SAMPLE = 0xEFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716
S_SAMPLE = 0xF7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8
R_TEST = 0xF1ABB023518351CD71D881567B1EA663ED3EFCF6C5132B354F28D3B0B7D38367
S_TEST = 0x019F4113742A2B14BD25926B49C649155F267E60D3814B4C0CC84250E46F0083
STEPS = p256.BITS + p256.BITS // p256.INVERT_BITS


def text(r, s):
    return "%064x%064x" % (r, s)


def verify(signature, message=b"test", key=KEY):
    """(the result, how many steps it took)."""
    found = list(p256.verification(p256.public_key(key), hashlib.sha256(message).digest(), signature))
    assert found[:-1] == [None] * (len(found) - 1)
    return found[-1], len(found)


def test_a_published_signature_is_right_after_a_fixed_number_of_steps():
    assert verify(text(R_TEST, S_TEST)) == (True, STEPS)
    assert verify(text(R_SAMPLE, p256.N - S_SAMPLE), b"sample") == (True, STEPS)


def test_the_other_s_of_a_signature_is_refused():
    """OpenSSL takes both; here a release has exactly one signature."""
    assert verify(text(R_SAMPLE, S_SAMPLE), b"sample") == (False, 1)
    assert verify(text(R_TEST, p256.N - S_TEST)) == (False, 1)


def test_another_message_key_r_or_s_is_refused():
    r, s = R_TEST, S_TEST
    assert verify(text(r, s), b"Test")[0] is False
    assert verify(text(r + 1, s))[0] is False
    assert verify(text(r, s + 1))[0] is False
    assert verify(text(s, r % (p256.N // 2)))[0] is False
    assert verify(text(r, s), key=text(*p256.G))[0] is False


def test_numbers_out_of_range_are_refused_at_once():
    half = p256.N // 2
    for r in (0, p256.N, p256.N + 1, p256.P, 2**256 - 1):
        assert verify(text(r, S_TEST)) == (False, 1), r
    for s in (0, half + 1, p256.N - 1, p256.N, p256.N + 1, 2**256 - 1):
        assert verify(text(R_TEST, s)) == (False, 1), s
    for r in (1, p256.N - 1):
        for s in (1, half):
            assert verify(text(r, s)) == (False, STEPS), (r, s)


def test_what_is_no_text_of_a_signature_is_refused_at_once():
    good = text(R_TEST, S_TEST)
    wrong = [
        "",
        good[:-1],
        good + "0",
        good.upper(),
        "0x" + good[2:],
        " " + good[1:],
        "+" + good[1:],
        5,
        None,
    ]
    wrong += [good[:5] + "g" + good[6:], good[:5] + "_" + good[6:], "-" + good[1:], good.encode()]
    for signature in wrong:
        assert verify(signature) == (False, 1), signature


def test_a_point_off_the_curve_is_no_key():
    x, y = p256.public_key(KEY)
    p256.public_key(text(x, p256.P - y) + "\n")  # the opposite point is on it
    for point in (
        text(x, y + 1),
        text(x + 1, y),
        text(0, 0),
        text(x + p256.P, y),
        text(x, y)[:-2],
        "",
        "x" * 128,
    ):
        raises(ValueError, p256.public_key, point)


def test_sums_of_points_that_need_a_case_of_their_own():
    one = p256.G + (1,)
    opposite = (p256.G[0], p256.P - p256.G[1], 1)
    two = p256.double(one)
    assert p256.add(one, one) == two
    assert p256.add(one, opposite) == p256.INFINITY
    assert p256.add(one, p256.INFINITY) == one and p256.add(p256.INFINITY, one) == one
    assert p256.double(p256.INFINITY) == p256.INFINITY
    x, y, z = p256.add(two, opposite)  # the base point again, with another Z
    assert (x - p256.G[0] * z * z) % p256.P == 0 and (y - p256.G[1] * z * z * z) % p256.P == 0


def test_a_key_that_is_the_base_point_or_its_opposite():
    """G plus the key is then twice G, or infinity."""
    for key in (p256.G, (p256.G[0], p256.P - p256.G[1])):
        assert verify(text(R_TEST, S_TEST), key=text(*key))[0] is False


def test_a_sum_at_infinity_is_no_signature():
    """The digest is chosen so that u1 * G + u2 * key is infinity: z = -r * d, here with the key d = 1."""
    digest = (p256.N - R_TEST).to_bytes(32, "big")
    assert list(p256.verification(p256.G, digest, text(R_TEST, S_TEST)))[-1] is False
