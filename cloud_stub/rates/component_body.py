"""The parts of a rate beyond energy and session fee, as an operator writes them: power tiers, staying on,
minimum, maximum, tax, offers.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Literal

from pydantic import Field

from pile_protocol import messages, pricing, wire

from ..base.body import Body

TIERS_MAX = 4
TIER_MAX_W = 1_000_000
OFFERS_MAX = 8
# From the relay's opening to the end of the longest stay. A pile ends an order then, whatever it costs.
STAY_MAX_S = 86_400
# The longest duration of an order, and room for what it takes to end.
_HOURS_MAX = 25
_PICO_PER_HOUR = 1_000_000  # of a price of 1 (10^-6 currency per hour)


class TierBody(Body):
    """The price of an hour in which at most so much power is drawn; power above the last tier counts to
    the last.
    """

    up_to_w: int = Field(ge=1, le=TIER_MAX_W, examples=[200])
    price: int = Field(ge=0, le=wire.MAX_PRICE, description="10^-6 currency per hour")


class IdleBody(Body):
    """What staying plugged in costs after charging has ended."""

    price: int = Field(ge=1, le=wire.MAX_PRICE, description="10^-6 currency per hour")
    after_s: int = Field(ge=0, lt=STAY_MAX_S, description="Free after the relay has opened", examples=[900])
    max_minor: int = Field(ge=1, le=messages.MAX_MINOR, description="The most that it costs", examples=[2000])


class OfferBody(Body):
    """A choice for the driver: an order limited to money, time or energy, or until the vehicle is full."""

    kind: Literal["money", "time", "energy", "full"]
    cost_minor: int | None = Field(default=None, ge=1, le=messages.MAX_MINOR)
    duration_s: int | None = Field(default=None, ge=60, le=wire.MAX_DURATION_S)
    energy_mwh: int | None = Field(default=None, ge=1, le=messages.MAX_ENERGY_MWH)


_LIMIT_OF_KIND = {"money": "cost_minor", "time": "duration_s", "energy": "energy_mwh"}


class ComponentsBody(Body):
    """Each is left out, or null, where the rate does not have it."""

    tiers: list[TierBody] | None = Field(
        default=None, min_length=1, max_length=TIERS_MAX, description="Price per hour by the power drawn"
    )
    idle: IdleBody | None = None
    minimum_minor: int | None = Field(
        default=None, ge=1, le=messages.MAX_MINOR, description="An order that delivered energy costs no less"
    )
    maximum_minor: int | None = Field(
        default=None, ge=1, le=messages.MAX_MINOR, description="An order costs no more"
    )
    tax_per_mille: int | None = Field(
        default=None, ge=0, le=1000, description="Tax that the prices contain", examples=[190]
    )
    offers: list[OfferBody] = Field(default=[], max_length=OFFERS_MAX)


def members(body: ComponentsBody) -> dict[str, Any]:
    """What is stored of it: as the members of an order's rate, and the offers."""
    found: dict[str, Any] = {}
    if body.tiers:
        found["tiers"] = [[tier.up_to_w * 1000, tier.price] for tier in body.tiers]
    if body.idle is not None:
        found["idle"] = body.idle.model_dump()
    for name in ("minimum_minor", "maximum_minor", "tax_per_mille"):
        if (value := getattr(body, name)) is not None:
            found[name] = value
    if body.offers:
        found["offers"] = [offer.model_dump(exclude_none=True) for offer in body.offers]
    return found


def limits_of(offer: dict[str, Any]) -> dict[str, int]:
    """The limits of the order that the offer is for."""
    return {name: offer[name] for name in _LIMIT_OF_KIND.values() if name in offer}


def least_limit_minor(rate: dict[str, Any]) -> int:
    """The lowest money limit under which an order can deliver energy and still cost what the rate says."""
    least = max(rate["session_fee_minor"] + 1, rate.get("minimum_minor", 1))
    return min(least, rate.get("maximum_minor", least))


def longest_stay_s(rate: dict[str, Any]) -> int:
    """How long an order may go on after charging has ended."""
    return STAY_MAX_S if "idle" in rate else 0


def errors(body: ComponentsBody, fee_minor: int, digits: int) -> Iterator[tuple[str, str]]:
    """(field, what is wrong) of what cannot be sold together."""
    tiers = body.tiers or []
    for i, (before, tier) in enumerate(pairwise(tiers), 1):
        if tier.up_to_w <= before.up_to_w:
            yield f"tiers[{i}].up_to_w", "must be above the tier before"
        if tier.price < before.price:
            yield f"tiers[{i}].price", "must not be below the tier before"
    if body.idle is not None:
        cap_pico = body.idle.max_minor * pricing.pico_per_minor(digits)
        if cap_pico * 3600 > body.idle.price * _PICO_PER_HOUR * (STAY_MAX_S - body.idle.after_s):
            yield "idle.max_minor", "would not be reached within 24 hours, when the order ends"
    if body.maximum_minor is not None:
        if body.minimum_minor is not None and body.minimum_minor > body.maximum_minor:
            yield "maximum_minor", "must not be below the minimum"
        if fee_minor > body.maximum_minor:
            yield "maximum_minor", "must not be below the session fee"
    least = least_limit_minor(members(body) | {"session_fee_minor": fee_minor})
    for i, offer in enumerate(body.offers):
        wanted = _LIMIT_OF_KIND.get(offer.kind)
        given = {name for name in _LIMIT_OF_KIND.values() if getattr(offer, name) is not None}
        if wanted is not None and wanted not in given:
            yield f"offers[{i}].{wanted}", f"is missing in an offer of {offer.kind}"
        for name in sorted(given - {wanted}):
            yield f"offers[{i}].{name}", f"does not belong to an offer of {offer.kind}"
        if offer.kind == "money" and offer.cost_minor is not None:
            if offer.cost_minor < least:
                yield f"offers[{i}].cost_minor", f"must be at least {least}: session fee and minimum reach it"
            if body.maximum_minor is not None and offer.cost_minor > body.maximum_minor:
                yield f"offers[{i}].cost_minor", "must not be above the maximum: no order costs more"


def sum_errors(
    body: ComponentsBody, time_price: int, energy_and_fee_pico: int, digits: int
) -> Iterator[tuple[str, str]]:
    """The part with which the largest possible bill no longer fits a settlement. time_price: the highest."""
    parts = [("periods", time_price * _HOURS_MAX * _PICO_PER_HOUR)]
    if body.tiers:
        dearest = max(tier.price for tier in body.tiers)
        parts.append(("tiers", dearest * _HOURS_MAX * _PICO_PER_HOUR))
    if body.idle is not None:
        parts.append(("idle.max_minor", body.idle.max_minor * pricing.pico_per_minor(digits)))
    pico = energy_and_fee_pico
    for field, more_pico in parts:
        pico += more_pico
        if pricing.round_half_up(pico, digits) > messages.MAX_MINOR:
            yield field, f"the largest order would cost more than {messages.MAX_MINOR} minor units"
            return
