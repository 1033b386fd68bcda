"""A TCP or TLS stream to the broker. Nothing here blocks the loop but the arithmetic of a TLS handshake."""

import asyncio
import errno
import select
import socket

_IPPROTO_TCP = 6
_TCP_NODELAY = 1
_POLL_MS = 5


def is_ipv4(host):
    parts = host.split(".")
    return len(parts) == 4 and all([part.isdigit() and int(part) < 256 for part in parts])


async def open_stream(address, port, context=None, host=None):
    """An asyncio Stream to address:port; over TLS where a context is given, with a certificate for `host`.
    Raises OSError.
    """
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        # One write per packet and no Nagle: with it, a round trip waits 40 ms for a delayed acknowledgement.
        sock.setsockopt(_IPPROTO_TCP, _TCP_NODELAY, 1)
        try:
            sock.connect(socket.getaddrinfo(address, port)[0][-1])
        except OSError as error:
            if error.errno != errno.EINPROGRESS:
                raise
        await _connected(sock)
        if context is not None:
            sock = context.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
            sock.setblocking(False)
    except:  # noqa: E722 - also when cancelled: the socket must not outlive this call
        sock.close()
        raise
    return asyncio.StreamWriter(sock)


async def _connected(sock):
    poller = select.poll()
    poller.register(sock, select.POLLOUT)
    while True:
        for _, event in poller.ipoll(0):
            if event & (select.POLLERR | select.POLLHUP):
                raise OSError(errno.ECONNREFUSED)
            return
        await asyncio.sleep_ms(_POLL_MS)
