"""Lines of CSV (RFC 4180) as spreadsheets read them."""

import csv
import io
from collections.abc import Iterable

from ..base import decimals
from ..base.clock import iso_utc

BOM = "\ufeff"  # a byte order mark, without which spreadsheets do not read UTF-8
MEDIA_TYPE = "text/csv; charset=utf-8"
# Spreadsheets for Chinese and Japanese take the full-width forms (the last four), too.
_BEGINS_FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")


def line(values: Iterable[str]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow([harmless(value) for value in values])
    return text.getvalue()


def harmless(value: str) -> str:
    """The value, escaped so that no spreadsheet takes it for a formula, because others choose names."""
    return "'" + value if value.startswith(_BEGINS_FORMULA) else value


def time_utc(at: int | None) -> str:
    """ISO 8601, in UTC; nothing for None."""
    return "" if at is None else iso_utc(at)


def decimal(value: int | None, digits: int) -> str:
    """A whole number of 10^-digits written out, exactly."""
    return "" if value is None else decimals.decimal(value, digits)
