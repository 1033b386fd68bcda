"""A clock moved by hand, with an ESP32's habits: ticks that wrap at 2**30, and an epoch of 2000."""

import utime

TICKS_PERIOD = 1 << 30
_TICKS_HALF = TICKS_PERIOD >> 1
_EPOCH_2000 = 946_684_800

_now_us = 0
_calendar_s = 0  # seconds since 2000 when the ticks began


def set_calendar(date):
    """The chip's calendar is set to (year, month, day, hours, minutes, seconds); it runs with the ticks."""
    global _calendar_s
    year, month, day, hours, minutes, seconds = date
    days = (year - 2000) * 365 + (year - 1997) // 4 + day - 1  # right from 2000 to 2099
    for of_month in (31, 29 if year % 4 == 0 else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)[: month - 1]:
        days += of_month
    _calendar_s = days * 86_400 + hours * 3_600 + minutes * 60 + seconds - _now_us // 1_000_000


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
    return _calendar_s + _now_us // 1_000_000


def time_ns():
    return _now_us * 1000


def sleep_ms(ms):
    advance_ms(ms)
