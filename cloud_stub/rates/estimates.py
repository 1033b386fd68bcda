"""What a charge would cost, by the price engine that will bill it."""

from functools import lru_cache
from typing import Any

from pile_protocol import pricing

ENERGIES_MWH = (1_000_000, 5_000_000, 10_000_000)


def at_present_price(shown: dict[str, Any]) -> list[dict[str, int]]:
    """The bill of each of ENERGIES_MWH if all of it flowed at the price that holds now, session fee included.

    shown: of rates.shown, whose first step is that price.
    """
    now = shown["now"]
    totals = _totals_minor(
        now["electricity_price"], now["service_price"], shown["session_fee_minor"], shown["minor_digits"]
    )
    return [
        {"energy_mwh": energy_mwh, "total_minor": total_minor}
        for energy_mwh, total_minor in zip(ENERGIES_MWH, totals, strict=True)
    ]


@lru_cache(maxsize=1024)
def _totals_minor(electricity: int, service: int, fee_minor: int, digits: int) -> tuple[int, ...]:
    """Prices change a few times a day, and many ask."""
    rate = {"steps": [[0, electricity, service, ""]], "session_fee_minor": fee_minor, "minor_digits": digits}
    return tuple(pricing.bill(rate, [(0, energy_mwh)])[0] for energy_mwh in ENERGIES_MWH)
