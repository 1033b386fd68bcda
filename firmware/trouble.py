"""The lines of the log about errors of the network, and what a person can do. In the heap only while such a
line is made (Pile.log in app.py).
"""

from net.errors import LinkNoMemory, LinkRefused, LinkUntrusted
from net.wifi import LOST, NO_ADDRESS

# Reasons of IEEE 802.11, and those that the ESP32 has added.
_NO_NETWORK = (200, 201, 212)  # beacon timeout, no access point found, none above the signal threshold
_WRONG_SECURITY = (210, 211)
_WRONG_PASSWORD = (2, 15, 202, 204)  # expired authentication, handshake timeouts, authentication failed


def broker(error, host, port):
    """error: a LinkError."""
    if isinstance(error, LinkUntrusted):
        advice = "check the CA and the broker's name in the configuration, and the pile's clock"
    elif isinstance(error, LinkRefused):
        advice = "provision this pile again, or register it at the cloud"
    elif isinstance(error, LinkNoMemory):
        advice = "tried again by itself; the pile restarts when it goes on and no order runs"
    else:
        advice = "tried again by itself; check the address, and that the broker runs"
    return "%s (%s:%d): %s" % (error, host, port, advice)


def wifi(problem, ssid):
    """problem: as wifi.Station gives it."""
    if problem == LOST:
        return "Wi-Fi: lost the network '%s'; connecting again" % ssid
    if problem == NO_ADDRESS:
        return "Wi-Fi: '%s' gives no address: look at the DHCP server of its router" % ssid
    if type(problem) is str:
        return "Wi-Fi: the radio refuses (%s); it is tried again" % problem
    if problem in _NO_NETWORK:
        return (
            "Wi-Fi: no network '%s' in reach: check its name (capitals count), 2.4 GHz, and the distance"
            % ssid
        )
    if problem in _WRONG_PASSWORD:
        return "Wi-Fi: '%s' refuses the password: provision this pile again" % ssid
    if problem in _WRONG_SECURITY:
        return "Wi-Fi: '%s' has a security this pile cannot do: set its router to WPA2" % ssid
    return "Wi-Fi: '%s' refuses (reason %d); it is tried again" % (ssid, problem)


def time_server(error, server):
    return "no time from %s (%r): check the name, and that UDP port 123 is open" % (server, error)
