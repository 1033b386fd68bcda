"""What a charge would cost, by the price engine that will bill it."""

from functools import lru_cache
from typing import Any

from pile_protocol import pricing

ENERGIES_MWH = (1_000_000, 5_000_000, 10_000_000)


def at_present_price(rate_view: dict[str, Any]) -> list[dict[str, int]]:
    """The bill of each of ENERGIES_MWH if all of it flowed at the price that holds now, session fee included.

    rate_view: of schedule.rate_view; `now` in it is that price.
    """
    now = rate_view["now"]
    totals = _totals_minor(
        now["electricity_price"],
        now["service_price"],
        rate_view["session_fee_minor"],
        rate_view["minor_digits"],
    )
    return [
        {"energy_mwh": energy_mwh, "total_minor": total_minor}
        for energy_mwh, total_minor in zip(ENERGIES_MWH, totals, strict=True)
    ]


@lru_cache(maxsize=1024)
def _totals_minor(electricity: int, service: int, fee_minor: int, digits: int) -> tuple[int, ...]:
    """Cached, because prices change a few times a day and many phones ask."""
    rate = {"steps": [[0, electricity, service, ""]], "session_fee_minor": fee_minor, "minor_digits": digits}
    return tuple(pricing.bill(rate, [(0, energy_mwh)])[0] for energy_mwh in ENERGIES_MWH)
