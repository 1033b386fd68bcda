"""Sealed messages: a JSON object whose last member is the HMAC-SHA256 of every byte before it.

    {"kind":"order", ... ,"mac":"<64 lower-case hex digits>"}

The mac covers the bytes as they were received, so nothing is serialised again before it is checked.
HMAC: RFC 2104, by the hmac module, or built on hashlib where there is no such module (MicroPython).
"""

import binascii
import hashlib

try:
    import hmac
except ImportError:
    hmac = None

from .errors import SealError

KEY_BYTES = 32
_BLOCK_BYTES = 64
_MEMBER = b',"mac":"'
_TAIL_BYTES = len(_MEMBER) + 64 + 2  # ,"mac":"<64 hex>"}


def hmac_sha256(key, data):
    """32 bytes: HMAC-SHA256 (RFC 2104) of `data` under `key`, both bytes."""
    if hmac:
        return hmac.digest(key, data, "sha256")
    return hmac_by_hand(key, data)


def hmac_by_hand(key, data):
    """As hmac_sha256, from the hash alone."""
    if len(key) > _BLOCK_BYTES:
        key = hashlib.sha256(key).digest()
    key = key + bytes(_BLOCK_BYTES - len(key))
    inner = hashlib.sha256(_xored(key, b"\x36"))
    inner.update(data)
    outer = hashlib.sha256(_xored(key, b"\x5c"))
    outer.update(inner.digest())
    return outer.digest()


def _xored(key, byte):
    """Every byte of `key` xor `byte`, as two big numbers: on a pile that is faster than byte by byte."""
    number = int.from_bytes(key, "big") ^ int.from_bytes(byte * len(key), "big")
    return number.to_bytes(len(key), "big")


def equal(a, b):
    """Whether two byte strings are equal. The time it takes depends on their lengths only."""
    if hmac:
        return hmac.compare_digest(a, b)
    if len(a) != len(b):
        return False
    difference = 0
    for i in range(len(a)):
        difference |= a[i] ^ b[i]
    return difference == 0


def mac_of(body, key):
    """The 64 hex digits that seal `body`: all bytes before `,"mac"`."""
    return binascii.hexlify(hmac_sha256(key, body))


def seal(text, key):
    """The sealed bytes of a JSON object given as text or bytes. Raises SealError unless it has a member."""
    body = text.encode() if isinstance(text, str) else bytes(text)
    if body[:1] != b"{" or body[-1:] != b"}" or len(body) < 4:
        raise SealError("only a JSON object with at least one member can be sealed")
    body = body[:-1]
    return b"".join((body, _MEMBER, mac_of(body, key), b'"}'))


def check(data, key):
    """Returns the mac (64 hex digits, str) of sealed bytes. Raises SealError if the seal is not valid."""
    body = memoryview(data)[:-_TAIL_BYTES]  # without a copy: an order may have 8 KB
    tail = bytes(memoryview(data)[-_TAIL_BYTES:])
    if len(tail) != _TAIL_BYTES or tail[: len(_MEMBER)] != _MEMBER or tail[-2:] != b'"}':
        raise SealError('the message does not end in "mac":"<64 hex digits>"')
    mac = tail[len(_MEMBER) : -2]
    if not equal(mac, mac_of(body, key)):
        raise SealError("the mac does not belong to this message and key")
    return mac.decode()


def parse_key(text):
    """The 32 key bytes of their 64 hex digits. Raises SealError."""
    try:
        key = binascii.unhexlify(text.strip())
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise SealError("a device key is %d bytes, written as %d hex digits" % (KEY_BYTES, 2 * KEY_BYTES))
    return key


def mqtt_password(key):
    """The pile's password at the broker, derived from the key so that the broker never learns the key."""
    return binascii.hexlify(hmac_sha256(key, b"ratelock mqtt password")).decode()


def mqtt_client_id(device_id, key):
    """The MQTT client id of a pile. A broker ends an older connection with the same id, whoever opens the new
    one, so the id has a part that only this pile and the cloud can compute.
    """
    return device_id + "-" + binascii.hexlify(hmac_sha256(key, b"ratelock mqtt client id")).decode()[:16]
