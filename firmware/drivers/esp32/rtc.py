"""The chip's calendar. TLS judges certificates by it, and after a reset an interrupted order is judged by it.

It runs on through every reset but power-on (and brown-out, which the chip reports as power-on). So does the
RTC memory, in which a mark says that the calendar was set from a time that the cloud has sealed. A calendar
that was set from NTP has no mark: anybody can forge an NTP answer.
"""

import binascii
import time

import machine

# An ESP32 counts from 2000, the unix port from 1970. The one place where it matters.
_EPOCH_AT = 946_684_800 if time.gmtime(0)[0] == 2000 else 0
_NAME = b"RateLock"  # the RTC memory may hold what another program has left there


class SinceReset:
    """What has happened since the chip started."""

    sealed = False  # set_utc() was called


def set_utc(at):
    """Sets the calendar to a time sealed by the cloud; `at`: Unix seconds."""
    _set_datetime(at)
    text = b"%s %d" % (_NAME, at)
    machine.RTC().memory(b"%s %08x" % (text, _checksum(text)))
    SinceReset.sealed = True


def set_calendar(at):
    """Sets the calendar to a time that nobody has sealed, unless it runs on a sealed one already."""
    if utc() is None:
        _set_datetime(at)


def utc():
    """Unix seconds where the calendar has run on since set_utc(); None where it has not."""
    if machine.reset_cause() == machine.PWRON_RESET and not SinceReset.sealed:
        machine.RTC().memory(b"")  # a brown-out can leave the mark, and lose the calendar
        return None
    sealed_at = _marked_at()
    at = int(time.time()) + _EPOCH_AT
    return at if sealed_at is not None and at >= sealed_at else None


def _marked_at():
    """The time that set_utc() was given, as the mark has it; None without a valid mark."""
    text, _, checksum = bytes(machine.RTC().memory()).rpartition(b" ")
    if text[: len(_NAME)] != _NAME or checksum != b"%08x" % _checksum(text):
        return None
    return int(text[len(_NAME) :])


def _set_datetime(at):
    now = time.gmtime(at - _EPOCH_AT)
    machine.RTC().datetime((now[0], now[1], now[2], 0, now[3], now[4], now[5], 0))


def _checksum(text):
    return binascii.crc32(text) & 0xFFFFFFFF
