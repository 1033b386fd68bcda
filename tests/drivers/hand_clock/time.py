"""A clock moved by hand, with an ESP32's habits: ticks that wrap at 2**30, and an epoch of 2000."""

import utime

TICKS_PERIOD = 1 << 30
_TICKS_HALF = TICKS_PERIOD >> 1
_EPOCH_2000 = 946_684_800

_now_us = 0


def advance_ms(ms):
    global _now_us
    _now_us += ms * 1000


def set_ms(ms):
    global _now_us
    _now_us = ms * 1000


def now_us():
    """Never wraps: for the fakes, not for the code under test."""
    return _now_us


def ticks_ms():
    return _now_us // 1000 % TICKS_PERIOD


def ticks_us():
    return _now_us % TICKS_PERIOD


def ticks_add(ticks, delta):
    return (ticks + delta) % TICKS_PERIOD


def ticks_diff(end, start):
    return (end - start + _TICKS_HALF) % TICKS_PERIOD - _TICKS_HALF


def gmtime(seconds):
    return utime.gmtime(seconds + _EPOCH_2000)[:8]


def time():
    return _now_us // 1_000_000


def time_ns():
    return _now_us * 1000


def sleep_ms(ms):
    advance_ms(ms)
