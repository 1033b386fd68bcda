"""What a charge would cost, by the price engine that will bill it."""

from functools import lru_cache
from typing import Any

from pile_protocol import components

from . import component_body, highest_cost, schedule

ENERGIES_MWH = (1_000_000, 5_000_000, 10_000_000)
_HOUR_S = 3600
_LEAST_MWH = 1  # an order that delivers nothing costs nothing


def offered(rate: dict[str, Any], now: int, duration_s: int, power_w: int) -> dict[str, Any]:
    """The rate as a driver is shown it: schedule.rate_view with estimates, offers and `hold_minor`, the most
    that an order without limits costs; each estimate and offer has its own, for an order with its limits.

    rate: one of holding. duration_s: the time limit of an order whose driver sets none. power_w: the most
    that the connector carries.
    """
    view = schedule.rate_view(rate, now)
    return view | _sums(_View(view, rate["rate_id"], duration_s, power_w))


class _View:
    """A rate_view as a key, by all that the sums depend on."""

    __slots__ = ("body", "duration_s", "key", "power_w")

    def __init__(self, body: dict[str, Any], rate_id: str, duration_s: int, power_w: int):
        self.body = body
        self.duration_s = duration_s
        self.power_w = power_w
        prices = tuple((step[1], step[2]) for step in body["steps"])
        self.key = (rate_id, duration_s, power_w, prices, tuple(body.get("time_prices", ())))

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _View) and other.key == self.key


@lru_cache(maxsize=1024)
def _sums(of: _View) -> dict[str, Any]:
    """Cached, because prices change a few times a day and many phones ask."""
    view, limits = of.body, {"duration_s": of.duration_s}
    offers = [
        offer
        | {"limits": (own := component_body.limits_of(offer))}
        | _of_offer(view, offer, limits | own, of.power_w)
        for offer in view.get("offers", ())
    ]
    found = at_present_price(view)
    for each in found:
        own = limits | component_body.limits_of(each)
        each["hold_minor"] = highest_cost.highest_minor(view, own, of.power_w)
    return {
        "estimates": found,
        "offers": offers,
        "hold_minor": highest_cost.highest_minor(view, limits, of.power_w),
    }


def at_present_price(rate_view: dict[str, Any]) -> list[dict[str, Any]]:
    """The bill of each of ENERGIES_MWH if all of it flowed at the price that holds now, session fee, minimum
    and maximum included; where time costs, too, also that of an hour. Staying on is in none of them.

    `is_least`: the time that the energy takes, or the energy that flows in the hour, costs more on top.
    `power_w`: at which power the hour is priced, one row a tier. rate_view: of schedule.rate_view; `now` in
    it is that price.
    """
    found = [
        {
            "energy_mwh": energy_mwh,
            "total_minor": _total_minor(rate_view, energy_mwh, 0),
            "is_least": _costs_time(rate_view),
        }
        for energy_mwh in ENERGIES_MWH
    ]
    if not _costs_time(rate_view):
        return found
    has_energy_price = bool(_energy_price(rate_view))
    if "tiers" not in rate_view:
        total_minor = _total_minor(rate_view, _LEAST_MWH, _HOUR_S)
        return [*found, {"duration_s": _HOUR_S, "total_minor": total_minor, "is_least": has_energy_price}]
    return found + [
        {
            "duration_s": _HOUR_S,
            "power_w": up_to_mw // 1000,
            "total_minor": _total_minor(rate_view, up_to_mw, _HOUR_S, tier),
            "is_least": False,
        }
        for tier, (up_to_mw, _) in enumerate(rate_view["tiers"])
    ]


def _of_offer(
    view: dict[str, Any], offer: dict[str, Any], limits: dict[str, int], power_w: int
) -> dict[str, int | None]:
    """estimate_minor: what the whole offer costs, null where that depends on the vehicle; and hold_minor."""
    estimate_minor = None
    if offer["kind"] == "money":
        estimate_minor = offer["cost_minor"]
    elif offer["kind"] == "energy" and not _costs_time(view):
        estimate_minor = _total_minor(view, offer["energy_mwh"], 0)
    elif offer["kind"] == "time" and "tiers" not in view and not _energy_price(view):
        estimate_minor = _total_minor(view, _LEAST_MWH, offer["duration_s"])
    hold_minor = highest_cost.highest_minor(view, limits, power_w)
    return {"estimate_minor": estimate_minor, "hold_minor": hold_minor}


def _costs_time(view: dict[str, Any]) -> bool:
    return "time_prices" in view or "tiers" in view


def _energy_price(view: dict[str, Any]) -> int:
    return view["now"]["electricity_price"] + view["now"]["service_price"]


def _at_present(view: dict[str, Any]) -> dict[str, Any]:
    """The rate as an order would lock it if its present prices held for ever."""
    now = view["now"]
    rate = {
        "minor_digits": view["minor_digits"],
        "session_fee_minor": view["session_fee_minor"],
        "steps": [[0, now["electricity_price"], now["service_price"], now["label"]]],
    }
    if "time_prices" in view:
        rate["time_prices"] = [now["time_price"]]
    return rate | {name: view[name] for name in ("tiers", "minimum_minor", "maximum_minor") if name in view}


def _total_minor(view: dict[str, Any], energy_mwh: int, seconds: int, tier: int = 0) -> int:
    rate = _at_present(view)
    tiers_ms = [seconds * 1000 if at == tier else 0 for at in range(len(rate.get("tiers", ())))]
    times = [(0, seconds * 1000)] if "time_prices" in rate else []
    usage = components.Usage([(0, energy_mwh)], times, tiers_ms)
    return components.bill(rate, usage)["total_minor"]
