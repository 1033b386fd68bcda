"""What a charge would cost, by the price engine that will bill it."""

from typing import Any

from pile_protocol import pricing

ENERGIES_MWH = (1_000_000, 5_000_000, 10_000_000)


def at_present_price(shown: dict[str, Any]) -> list[dict[str, int]]:
    """The bill of each of ENERGIES_MWH if all of it flowed at the price that holds now, session fee included.

    shown: of rates.shown, whose first step is that price.
    """
    found = []
    for energy_mwh in ENERGIES_MWH:
        total_minor, _, _ = pricing.bill(shown, [(0, energy_mwh)])
        found.append({"energy_mwh": energy_mwh, "total_minor": total_minor})
    return found
