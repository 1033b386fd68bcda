"""Which addresses a webhook may have: none inside a private network, unless a setting allows it.

The name server of a webhook's host is not trusted. So the resolved IP address is checked, and the connection
is made to exactly that IP address: a different answer of the name server later has no effect.
"""

import ipaddress
import socket
from urllib.parse import SplitResult, urlsplit

from ...base.problems import Problem, invalid

URL_MAX = 500
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class NotAllowed(Exception):
    """The address may not be connected to."""


def parse(url: str, allow_private: bool) -> SplitResult:
    """The parts of a webhook's URL. Raises Problem (InvalidRequest).

    allow_private: also http://, and addresses inside a private network.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise _wrong(str(error)) from None
    if len(url) > URL_MAX or not url.isascii() or not url.isprintable() or " " in url:
        raise _wrong(f"must have at most {URL_MAX} printable ASCII characters")
    schemes = ("https", "http") if allow_private else ("https",)
    if parts.scheme not in schemes or not parts.hostname or port == 0:
        raise _wrong(f"must begin with {' or '.join(each + '://' for each in schemes)} and a host")
    if parts.username is not None or parts.fragment:
        raise _wrong("must have no user name and no fragment; a token may be in the path or the query")
    try:
        literal = ipaddress.ip_address(parts.hostname)
    except ValueError:
        return parts
    if not allow_private and not is_public(literal):
        raise _wrong(f"{literal} is no public address; RATELOCK_WEBHOOK_PRIVATE=true allows such")
    return parts


def _wrong(why: str) -> Problem:
    return invalid(("url", why))


def resolve(host: str, port: int, allow_private: bool) -> list[str]:
    """The addresses of the host that may be connected to, by the system's resolver.

    Raises NotAllowed if all its addresses are private; OSError, UnicodeError if the name has none.
    """
    found = [str(each[4][0]) for each in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    allowed = [each for each in found if allow_private or is_public(ipaddress.ip_address(each.split("%")[0]))]
    if not allowed:
        raise NotAllowed(f"{found[0]} is no public address")
    return allowed


def is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether the address is public. An IPv6 address that contains an IPv4 address is public if both are."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
        if address.is_site_local or address.teredo is not None:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved
