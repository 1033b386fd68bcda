"""Numbers and untrusted text as a terminal shows them. Takes whole numbers and makes no float of them."""

from __future__ import annotations

import unicodedata
from datetime import datetime, timezone

# Controls, format characters (some turn the reading direction around), surrogates, private use, separators.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def clean(text: str, most: int = 1_000) -> str:
    r"""`text` on one line, safe to print: a control character reads \x1b; beyond `most` it is cut."""
    cut = text[:most]
    if not cut.isascii() or not cut.isprintable():
        cut = "".join(_spelled(c) if unicodedata.category(c) in _HIDDEN else c for c in cut)
    return cut + "…" if len(text) > most else cut


def _spelled(c: str) -> str:
    code = ord(c)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def grouped(number: int) -> str:
    """1234567 -> 1,234,567"""
    return f"{number:,}"


def fixed(number: int, digits: int) -> str:
    """A whole number of 10^-digits units: fixed(1234, 2) -> 12.34"""
    sign = "-" if number < 0 else ""
    whole, rest = divmod(abs(number), 10**digits)
    return f"{sign}{whole:,}.{rest:0{digits}d}" if digits else f"{sign}{whole:,}"


def kwh(mwh: int) -> str:
    """1234567 mWh -> 1.234 kWh; rounded down, as a meter shows it"""
    return fixed(mwh // 1_000, 3) + " kWh"


def kw(mw: int) -> str:
    """7000000 mW -> 7.00 kW"""
    return fixed(mw // 10_000, 2) + " kW"


def money(minor: int, currency: str | None, digits: int | None) -> str:
    """148 -> 1.48 CNY; 148 minor if the currency is not known yet"""
    if currency is None or digits is None:
        return f"{minor:,} minor"
    return f"{fixed(minor, digits)} {currency}"


def price(millionths: int) -> str:
    """1200000 -> 1.2: of the currency a kWh, no needless zeros"""
    text = fixed(millionths, 6).rstrip("0")
    return text + "00" if text.endswith(".") else text + "0" if text[-2] == "." else text


def duration(seconds: int) -> str:
    """3725 -> 1:02:05, 65 -> 1:05"""
    sign = "-" if seconds < 0 else ""
    minutes, s = divmod(abs(seconds), 60)
    hours, m = divmod(minutes, 60)
    return f"{sign}{hours}:{m:02}:{s:02}" if hours else f"{sign}{m}:{s:02}"


def size(count: int) -> str:
    """Bytes: 54321 -> 53.0 KiB"""
    return f"{fixed(count * 10 // 1024, 1)} KiB" if count >= 1024 else f"{count} B"


def age(ms: int) -> str:
    """How long ago, in one short word: now, 12 s, 5 min, 3 h, 2 d"""
    seconds = max(0, ms) // 1000
    if seconds < 2:
        return "now"
    for unit, length_s, up_to_s in (("s", 1, 60), ("min", 60, 3_600), ("h", 3_600, 86_400)):
        if seconds < up_to_s:
            return f"{seconds // length_s} {unit}"
    return f"{seconds // 86_400} d"


def utc(at_ms: int) -> str:
    """2026-11-23T06:01:40.123Z"""
    return f"{_moment(at_ms):%Y-%m-%dT%H:%M:%S}.{at_ms % 1000:03}Z"


def clock(at_ms: int) -> str:
    """The local time of day: 06:01:40.123"""
    return f"{_moment(at_ms).astimezone():%H:%M:%S}.{at_ms % 1000:03}"


def local(at_s: int) -> str:
    """A local date and time: 2026-11-23 06:01:40"""
    return f"{_moment(at_s * 1000).astimezone():%Y-%m-%d %H:%M:%S}"


def _moment(at_ms: int) -> datetime:
    # A capture may hold any number; beyond the year 9999 there is no datetime.
    return datetime.fromtimestamp(min(at_ms // 1000, 253_402_300_799 - 86_400), timezone.utc)
