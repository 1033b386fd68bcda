"""The chip's own calendar: TLS judges certificates by it, and it runs on through a watchdog's reset."""

import time

import machine

# An ESP32 counts from 2000, the unix port from 1970. The one place where it matters.
_EPOCH_AT = 946_684_800 if time.gmtime(0)[0] == 2000 else 0
_SET_SINCE_AT = 1_704_067_200  # 2024: before that it has never been set


def set_utc(at):
    """`at` is Unix seconds."""
    now = time.gmtime(at - _EPOCH_AT)
    machine.RTC().datetime((now[0], now[1], now[2], 0, now[3], now[4], now[5], 0))


def utc():
    """Unix seconds, where the calendar has run on since it was set: after a watchdog's or a soft reset."""
    if machine.reset_cause() not in (machine.WDT_RESET, machine.SOFT_RESET):
        return None
    at = int(time.time()) + _EPOCH_AT
    return at if at >= _SET_SINCE_AT else None
