"""Lines of CSV (RFC 4180) as spreadsheets read them."""

import csv
import io
from collections.abc import Iterable
from datetime import datetime, timezone

BOM = "\ufeff"  # a byte order mark, without which spreadsheets do not read UTF-8
MEDIA_TYPE = "text/csv; charset=utf-8"


def line(values: Iterable[str]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow([harmless(value) for value in values])
    return text.getvalue()


def harmless(value: str) -> str:
    """The value, escaped so that no spreadsheet takes it for a formula, because others choose names."""
    return "'" + value if value[:1] in ("=", "+", "-", "@", "\t", "\r", "\n") else value


def time_utc(at: int | None) -> str:
    """ISO 8601, in UTC; nothing for None."""
    return "" if at is None else datetime.fromtimestamp(at, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def decimal(value: int | None, digits: int) -> str:
    """A whole number of 10^-digits written out, exactly."""
    if value is None:
        return ""
    whole, rest = divmod(value, 10**digits)
    return f"{whole}.{rest:0{digits}d}" if digits else str(whole)
