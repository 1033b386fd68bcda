"""The chip's own calendar, by which TLS judges certificates."""

import time

import machine

# An ESP32 counts from 2000, the unix port from 1970. The one place where it matters.
_EPOCH_AT = 946_684_800 if time.gmtime(0)[0] == 2000 else 0


def set_utc(at):
    """`at` is Unix seconds."""
    now = time.gmtime(at - _EPOCH_AT)
    machine.RTC().datetime((now[0], now[1], now[2], 0, now[3], now[4], now[5], 0))
