"""The pile's verification of signatures against OpenSSL, in both directions, for keys, messages and damage
that hypothesis makes.
"""

from __future__ import annotations

import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.image import release
from update import p256

CURVE = ec.SECP256R1()
SCALARS = st.one_of(
    st.integers(1, p256.N - 1), st.sampled_from([1, 2, 3, p256.N // 2, p256.N - 2, p256.N - 1])
)
NUMBERS = st.one_of(
    st.integers(0, 2**256 - 1), st.sampled_from([0, 1, p256.N - 1, p256.N, p256.P, 2**256 - 1])
)
FEW = settings(max_examples=40, deadline=None)


def verify(key: str, message: bytes, signature: str) -> bool:
    *slices, is_valid = p256.verification(p256.public_key(key), hashlib.sha256(message).digest(), signature)
    assert not any(slices)
    return bool(is_valid)


def openssl_verifies(key: ec.EllipticCurvePrivateKey, message: bytes, r: int, s: int) -> bool:
    try:
        key.public_key().verify(utils.encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


@given(SCALARS, st.text(st.characters(max_codepoint=127), max_size=300))
@FEW
def test_what_a_release_is_signed_with_is_right_on_the_pile_and_to_openssl(secret: int, text: str) -> None:
    key = ec.derive_private_key(secret, CURVE)
    signature = release.sign(key, text)
    assert signature == release.sign(key, text)
    assert verify(release.public_text(key), text.encode(), signature)
    assert openssl_verifies(key, text.encode(), int(signature[:64], 16), int(signature[64:], 16))


@given(SCALARS, st.binary(max_size=100))
@FEW
def test_of_the_two_signatures_that_openssl_takes_the_pile_takes_one(secret: int, message: bytes) -> None:
    key = ec.derive_private_key(secret, CURVE)
    r, s = utils.decode_dss_signature(key.sign(message, ec.ECDSA(hashes.SHA256())))
    taken = []
    for each in (s, p256.N - s):
        assert openssl_verifies(key, message, r, each)
        taken.append(verify(release.public_text(key), message, f"{r:064x}{each:064x}"))
    assert taken == [s <= p256.N // 2, s > p256.N // 2]


@given(SCALARS, st.binary(max_size=60), st.integers(0, 511), st.sampled_from(["signature", "message", "key"]))
@FEW
def test_one_changed_bit_is_refused_by_both(secret: int, message: bytes, bit: int, where: str) -> None:
    key = ec.derive_private_key(secret, CURVE)
    r, s = utils.decode_dss_signature(key.sign(message, ec.ECDSA(hashes.SHA256())))
    s = min(s, p256.N - s)
    if where == "signature":
        r, s = divmod(r << 256 | s ^ 1 << bit if bit < 256 else (r << 256 | s) ^ 1 << bit, 1 << 256)
    elif where == "message":
        message += bytes([bit & 255])
    else:
        key = ec.derive_private_key((secret + bit) % (p256.N - 1) + 1, CURVE)
    agreed = openssl_verifies(key, message, r, s) if 0 < r < p256.N and 0 < s < p256.N else False
    assert not agreed or where == "key"
    assert verify(release.public_text(key), message, f"{r:064x}{s:064x}") == agreed


@given(SCALARS, st.binary(max_size=60), NUMBERS, NUMBERS)
@FEW
def test_made_up_numbers_are_judged_as_openssl_does(secret: int, message: bytes, r: int, s: int) -> None:
    key = ec.derive_private_key(secret, CURVE)
    assert verify(release.public_text(key), message, f"{r:064x}{s:064x}") == (
        s <= p256.N // 2 and openssl_verifies(key, message, r, s)
    )
