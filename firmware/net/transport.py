"""A TCP or TLS stream to the broker. Nothing here blocks the loop but the arithmetic of a TLS handshake."""

import asyncio
import binascii
import errno
import select
import socket

from .dns import resolve

_IPPROTO_TCP = 6
_TCP_NODELAY = 1
_POLL_MS = 5


def tls_context(ca):
    """A context that verifies the broker's certificate against `ca` (PEM or DER bytes) and its host name.

    The clock must be set before the handshake: a certificate is valid for a time.
    Raises ValueError where `ca` is no certificate.
    """
    import tls

    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    context.verify_mode = tls.CERT_REQUIRED  # pyright: ignore[reportAttributeAccessIssue] - the stubs lack it
    context.load_verify_locations(_der(ca))
    return context


def _der(ca):
    """The first certificate of a PEM file as DER: not every build of MicroPython reads PEM itself."""
    begin = ca.find(b"-----BEGIN CERTIFICATE-----")
    if begin < 0:
        return ca
    end = ca.find(b"-----END", begin)
    return binascii.a2b_base64(ca[begin + 27 : end])


async def open_stream(host, port, context=None, name_server=None):
    """An asyncio Stream to host:port, over TLS where a context is given. Raises OSError."""
    address = await resolve(host, name_server)
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
