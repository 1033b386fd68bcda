"""The time from the network: SNTP (RFC 4330), one question over UDP. Nothing here blocks the loop."""

import errno
import os
import socket

from .dns import ask, resolve

PORT = 123
TRIES = 3
TRY_MS = 2_000
_PACKET_BYTES = 48
_CLIENT = 0x23  # no leap warning, version 4, mode 3
_EPOCH_AT = 2_208_988_800  # from 1900 to 1970
_ERA_S = 1 << 32  # NTP seconds begin anew in February 2036
_EARLIEST_AT = 1_704_067_200  # 2024: what would be before is in the next era


def request(nonce):
    """The question; the answer must bring back `nonce` (8 bytes), so a stranger cannot give it unasked."""
    return bytes((_CLIENT,)) + bytes(39) + nonce


def parse(packet, nonce):
    """Unix seconds UTC in an answer; None where it answers another question, or its server has no time."""
    if len(packet) < _PACKET_BYTES or packet[24:32] != nonce:
        return None
    leap, mode, stratum = packet[0] >> 6, packet[0] & 7, packet[1]
    seconds = int.from_bytes(packet[40:44], "big")
    if leap == 3 or mode != 4 or not 1 <= stratum <= 15 or not seconds:
        return None
    at = seconds - _EPOCH_AT
    return at if at >= _EARLIEST_AT else at + _ERA_S


async def query(server, name_server=None):
    """Unix seconds UTC from `server` ("host" or "host:port"). Raises OSError where none comes."""
    host, _, port = server.partition(":")
    address = socket.getaddrinfo(await resolve(host, name_server), int(port or PORT))[0][-1]
    for _ in range(TRIES):
        at = await _ask(address)
        if at is not None:
            return at
    raise OSError(errno.ETIMEDOUT)


async def _ask(address):
    nonce = os.urandom(8)
    return await ask(address, request(nonce), lambda packet: parse(packet, nonce), TRY_MS)
