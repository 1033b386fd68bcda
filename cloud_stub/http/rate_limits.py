"""Limits how often one client may ask: a bucket of tokens for each address, filled steadily by time.

Clients on this machine are not limited (a console, a benchmark, a reverse proxy that sends no
X-Forwarded-For). Behind a reverse proxy of Settings.trusted_proxies, a client's address is the last one in
X-Forwarded-For that is not itself a trusted proxy's. Clients for whom a proxy gives no IP address share one
bucket, because otherwise every new word there would be a new client.
"""

import ipaddress
from collections import OrderedDict

CLIENTS_KEPT = 20_000
_NO_ADDRESS = "no address"
_IPV6_SITE_BITS = 64  # an IPv6 network of one household


class Limit:
    """At most `per_minute` requests a minute from one client, all at once after a quiet minute; 0: no limit.

    In whole milliseconds: a request costs `_cost_ms` of the client's time; no client may owe more than a
    minute.
    """

    def __init__(self, per_minute: int):
        self._cost_ms = 60_000 // per_minute if per_minute else 0
        self._free_at: OrderedDict[str, int] = OrderedDict()  # client -> ms at which it owes nothing

    def wait_s(self, client: str | None, now_ms: int) -> int:
        """0: allowed, and this request counts. Otherwise the whole seconds after which to try again.

        client: an IP address, or whatever a proxy told instead; None is not limited.
        now_ms: of a clock that never steps.
        """
        name = network(client)
        if name is None or not self._cost_ms:
            return 0
        free_at = max(self._free_at.get(name, now_ms), now_ms)
        owed_ms = free_at + self._cost_ms - now_ms
        if owed_ms > 60_000:
            return -(-(owed_ms - 60_000) // 1000)
        self._free_at[name] = free_at + self._cost_ms
        self._free_at.move_to_end(name)
        if len(self._free_at) > CLIENTS_KEPT:
            self._free_at.popitem(last=False)
        return 0


def network(client: str | None) -> str | None:
    """What of an address one household or site shares; None for this machine."""
    if client is None:
        return None
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return _NO_ADDRESS
    mapped = getattr(address, "ipv4_mapped", None)
    address = mapped or address
    if address.is_loopback:
        return None
    if address.version == 6:
        return str(ipaddress.ip_network((address, _IPV6_SITE_BITS), strict=False))
    return str(address)
