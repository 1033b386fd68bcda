"""Whole numbers of small units written out as decimals, exactly."""


def decimal(value: int, digits: int) -> str:
    """`value` units of 10^-digits: 1234567, 6 as "1.234567", -5, 2 as "-0.05"."""
    whole, rest = divmod(abs(value), 10**digits)
    sign = "-" if value < 0 else ""
    return f"{sign}{whole}.{rest:0{digits}d}" if digits else f"{sign}{whole}"
