"""One A query over UDP (RFC 1035), because getaddrinfo blocks the whole interpreter until it gives up."""

import asyncio
import errno
import os
import socket

from .transport import is_ipv4

TRIES = 3
TRY_MS = 2_000
_POLL_MS = 20
_PORT = 53


async def resolve(host, server=None):
    """The IPv4 address of `host` as text, asked of the name server `server`.

    An address is returned as it is; without a server (a PC) the system resolves. Raises OSError.
    """
    if server is None or is_ipv4(host):
        return host
    for _ in range(TRIES):
        address = await _ask(host, server)
        if address:
            return address
    raise OSError(errno.EHOSTUNREACH)


async def _ask(host, server):
    query_id = os.urandom(2)

    def read(answer):
        return first_address(answer) or "" if answer[:2] == query_id else None

    address = socket.getaddrinfo(server, _PORT)[0][-1]
    return await ask(address, query(host, query_id), read, TRY_MS)


async def ask(address, question, read, wait_ms):
    """One question over UDP: the first of its answers that `read` does not take for None; None after wait_ms.
    Raises OSError.
    """
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.sendto(question, address)
        for _ in range(wait_ms // _POLL_MS):
            await asyncio.sleep_ms(_POLL_MS)
            try:
                answer = read(sock.recv(512))
            except OSError as error:
                if error.errno != errno.EAGAIN:
                    raise
                continue
            if answer is not None:
                return answer
        return None
    finally:
        sock.close()


def query(host, query_id):
    """The bytes of one recursive question for the A record of `host`."""
    name = b""
    for label in host.encode().split(b"."):
        name += bytes((len(label),)) + label
    return query_id + b"\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + name + b"\x00\x00\x01\x00\x01"


def first_address(answer):
    """The first A record of an answer as dotted text; None where there is none, or it is cut short."""
    try:
        at = _after_name(answer, 12) + 4
        for _ in range(answer[6] << 8 | answer[7]):
            at = _after_name(answer, at)
            kind = answer[at] << 8 | answer[at + 1]
            length = answer[at + 8] << 8 | answer[at + 9]
            at += 10
            if kind == 1 and length == 4 and at + 4 <= len(answer):
                return "%d.%d.%d.%d" % tuple(answer[at : at + 4])
            at += length
    except IndexError:
        pass
    return None


def _after_name(data, at):
    while data[at]:
        if data[at] & 0xC0:  # a pointer ends the name
            return at + 2
        at += data[at] + 1
    return at + 1
