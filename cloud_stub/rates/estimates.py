"""What a charge would cost, by the price engine that will bill it."""

from functools import lru_cache
from typing import Any

from pile_protocol import components, wire

from . import component_body, highest_cost, schedule

ENERGIES_MWH = (1_000_000, 5_000_000, 10_000_000)
_HOUR_S = 3600
_LEAST_MWH = 1  # an order that delivers nothing costs nothing


def offered(rate: dict[str, Any], now: int, duration_s: int, life_s: int, power_w: int) -> dict[str, Any]:
    """The rate as a driver is shown it: schedule.rate_view with estimates, offers and `hold_minor`, the most
    that an order without limits costs; each estimate and offer has its own, for an order with its limits.
    An offer by money that no order reaches is left out: it would limit nothing.
    `longest_hold_minor`: the most that an order costs whose driver sets a time limit above `duration_s`.

    rate: one of holding. duration_s: the time limit of an order whose driver sets none. life_s: how long a
    pile may take to begin an order. power_w: the most that the connector carries.
    """
    view = schedule.rate_view(rate, now)
    columns = schedule.columns_of(rate, now, now + life_s + wire.MAX_DURATION_S)
    durations = {duration_s, _HOUR_S, wire.MAX_DURATION_S}
    durations.update(offer["duration_s"] for offer in view.get("offers", ()) if "duration_s" in offer)
    counts = {
        each: sum(step[0] < now + life_s + each for step in columns["steps"]) for each in sorted(durations)
    }
    of = _View(view, columns, counts, rate["rate_id"], duration_s, power_w)
    return view | {"duration_s": duration_s} | _sums(of)


class _View:
    """A rate_view as a key, by all that the sums depend on. columns: of schedule.columns_of, as far as the
    longest order goes; counts: how many of its steps an order of each duration locks.
    """

    __slots__ = ("body", "columns", "counts", "duration_s", "key", "power_w")

    def __init__(
        self,
        body: dict[str, Any],
        columns: dict[str, Any],
        counts: dict[int, int],
        rate_id: str,
        duration_s: int,
        power_w: int,
    ):
        self.body = body
        self.columns = columns
        self.counts = counts
        self.duration_s = duration_s
        self.power_w = power_w
        prices = tuple((step[1], step[2]) for step in columns["steps"])
        times = tuple(columns.get("time_prices", ()))
        self.key = (rate_id, duration_s, power_w, prices, times, tuple(counts.items()))

    def highest_minor(self, limits: dict[str, int]) -> int:
        """What is held for an order with these limits that is made at once."""
        limits = {"duration_s": self.duration_s} | limits
        count = self.counts[limits["duration_s"]]
        locked = self.body | {name: rows[:count] for name, rows in self.columns.items()}
        return highest_cost.highest_minor(locked, limits, self.power_w)

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _View) and other.key == self.key


@lru_cache(maxsize=1024)
def _sums(of: _View) -> dict[str, Any]:
    """Cached, because prices change a few times a day and many phones ask."""
    view, hold_minor = of.body, of.highest_minor({})
    offers = [
        offer
        | {
            "limits": (limits := component_body.limits_of(offer)),
            "estimate_minor": _estimate_minor(view, offer),
            "hold_minor": of.highest_minor(limits),
        }
        for offer in view.get("offers", ())
        if offer.get("cost_minor", 0) <= hold_minor
    ]
    found = at_present_price(view)
    for each in found:
        each["hold_minor"] = of.highest_minor(component_body.limits_of(each))
    return {
        "estimates": found,
        "offers": offers,
        "hold_minor": hold_minor,
        "longest_hold_minor": of.highest_minor({"duration_s": wire.MAX_DURATION_S}),
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


def _estimate_minor(view: dict[str, Any], offer: dict[str, Any]) -> int | None:
    """What the whole offer costs; None where that depends on the vehicle."""
    if offer["kind"] == "money":
        return int(offer["cost_minor"])
    if offer["kind"] == "energy" and not _costs_time(view):
        return _total_minor(view, offer["energy_mwh"], 0)
    if offer["kind"] == "time" and "tiers" not in view and not _energy_price(view):
        return _total_minor(view, _LEAST_MWH, offer["duration_s"])
    return None


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
