"""The price of an order by all components of a rate. A module of its own, because a pile imports it only for
an order whose rate has more than energy prices and a session fee.

Members of a rate beyond those of pricing.py, each of which may be absent:

    time_prices     the price of an hour of charging, one for each step, 10^-6 currency per hour
    tiers           [[up_to_mw, price], ...]: the price of an hour by power drawn; the last has no upper limit
    idle            {price, after_s, max_minor}: the price of an hour that the vehicle stays on after the
                    charge, from after_s on, at most max_minor
    minimum_minor   of the whole order, like maximum_minor
    tax_per_mille   the tax that the prices include

Exact integers, in eighteenths of 10^-12 currency, `_parts`: 1 mWh at a price per kWh is 18 x price of them,
1 ms at a price per hour 5 x price (10^-6 / 3,600,000 = 5/18 x 10^-12). Rounded once, half up.

An order that delivered no energy costs nothing, whatever its rate.
"""

from . import pricing
from .errors import PricingError

COMPONENTS = ("time", "tiers", "idle", "minimum", "maximum", "tax")
ENERGY_PARTS = 18  # of 1 mWh at price 1
TIME_PARTS = 5  # of 1 ms at price 1


class Usage:
    """The usage of an order. energies: (step index, mWh) pairs, times: (step index, ms) pairs, both in order
    of time; tiers_ms: one for each tier; idle_ms: the time that the vehicle stayed on after the grace time.
    """

    def __init__(self, energies=(), times=(), tiers_ms=(), idle_ms=0):
        self.energies = energies
        self.times = times
        self.tiers_ms = tiers_ms
        self.idle_ms = idle_ms

    @property
    def energy_mwh(self):
        return sum([mwh for _, mwh in self.energies])

    def has_energy(self):
        for _, mwh in self.energies:
            if mwh:
                return True
        return False


def components_of(rate):
    """Those of COMPONENTS that a pile must support to bill this rate."""
    return [COMPONENTS[i] for i in range(len(pricing.MEMBERS)) if rate.get(pricing.MEMBERS[i]) is not None]


def parts_per_minor(minor_digits):
    """How many parts make one minor unit of the currency."""
    return ENERGY_PARTS * pricing.pico_per_minor(minor_digits)


def idle_parts(rate, idle_ms):
    """The exact cost of staying on for idle_ms after the grace time, up to the cap; None: the cap."""
    idle = rate["idle"]
    most = idle["max_minor"] * parts_per_minor(rate["minor_digits"])
    return most if idle_ms is None else min(TIME_PARTS * idle_ms * idle["price"], most)


def _amounts(rate, usage):
    """Exact amounts in parts, in the order of the lines: electricity and service of each energy pair, each
    time pair, each tier, staying on, the session fee.
    """
    amounts = []
    steps = rate["steps"]
    parts = ENERGY_PARTS  # a local variable is faster than a global
    for index, mwh in usage.energies:
        _, electricity_price, service_price, _ = steps[index]
        mwh *= parts
        amounts.append(mwh * electricity_price)
        amounts.append(mwh * service_price)
    for index, ms in usage.times:
        amounts.append(TIME_PARTS * ms * rate["time_prices"][index])
    for i, ms in enumerate(usage.tiers_ms):
        amounts.append(TIME_PARTS * ms * rate["tiers"][i][1])
    amounts.append(idle_parts(rate, usage.idle_ms) if "idle" in rate else 0)
    amounts.append(rate["session_fee_minor"] * parts_per_minor(rate["minor_digits"]))
    return amounts if usage.has_energy() else [0] * len(amounts)


def cost_parts(rate, usage):
    """The exact cost before minimum, maximum and limit."""
    return sum(_amounts(rate, usage))


def costs(rate, usage, limit_minor=None):
    """The cost so far by component, in minor units, as the `costs` of a meter message, and the total."""
    bill_ = bill(rate, usage, limit_minor)
    found = {"energy_minor": sum([row[5] + row[6] for row in bill_["periods"]])}
    found["fee_minor"] = bill_["session_fee_minor"]
    if "times" in bill_:
        found["time_minor"] = sum([row[3] for row in bill_["times"]])
    if "tiers" in bill_:
        found["tiers_minor"] = sum([row[3] for row in bill_["tiers"]])
    if "idle_minor" in bill_:
        found["idle_minor"] = bill_["idle_minor"]
    return found, bill_["total_minor"]


def bill(rate, usage, limit_minor=None):
    """The members of a settlement that follow from the rate: periods, session_fee_minor, total_minor and, if
    the rate has that component, times, tiers, idle_minor, top_up_minor (up to the minimum), tax_minor.

    limit_minor: the money limit. It is never exceeded, not even by the minimum.
    """
    digits = rate["minor_digits"]
    amounts = _amounts(rate, usage)
    unit = parts_per_minor(digits)
    exact = sum(amounts)
    computed = (2 * exact + unit) // (2 * unit)
    total = computed
    if rate.get("maximum_minor") is not None:
        total = min(total, rate["maximum_minor"])
    if rate.get("minimum_minor") is not None and usage.has_energy():
        total = max(total, rate["minimum_minor"])
    if limit_minor is not None:
        total = min(total, limit_minor)
    lines = min(total, computed)
    shares = pricing.apportion(amounts, exact, lines)
    periods = []
    at = 0
    steps = rate["steps"]
    for index, mwh in usage.energies:
        from_at, electricity_price, service_price, label = steps[index]
        periods.append([from_at, electricity_price, service_price, label, mwh, shares[at], shares[at + 1]])
        at += 2
    found = {"periods": periods, "session_fee_minor": shares[-1], "total_minor": total}
    if "time_prices" in rate:
        found["times"] = []
        for index, ms in usage.times:
            found["times"].append([rate["steps"][index][0], rate["time_prices"][index], ms, shares[at]])
            at += 1
    if "tiers" in rate:
        found["tiers"] = []
        for i, ms in enumerate(usage.tiers_ms):
            found["tiers"].append([rate["tiers"][i][0], rate["tiers"][i][1], ms, shares[at]])
            at += 1
    if "idle" in rate:
        found["idle_minor"] = shares[-2]
    if "minimum_minor" in rate:
        found["top_up_minor"] = total - lines
    if "tax_per_mille" in rate:
        found["tax_minor"] = tax_minor(total, rate["tax_per_mille"])
    return found


def tax_minor(total_minor, tax_per_mille):
    """The tax that a total includes, rounded half up; the net amount is the rest."""
    whole = 1000 + tax_per_mille
    return (2 * total_minor * tax_per_mille + whole) // (2 * whole)


def usage_of(rate, fields):
    """The Usage of a settlement. Raises PricingError if a row does not fit the locked rate."""
    steps = rate["steps"]
    index_of = {step[0]: i for i, step in enumerate(steps)}
    energies = []
    for row in fields["periods"]:
        energies.append((_index(index_of, steps, row[:4]), row[4]))
    times = []
    for from_at, price, ms, _ in fields.get("times", ()):
        index = index_of.get(from_at)
        if index is None or "time_prices" not in rate or price != rate["time_prices"][index]:
            raise PricingError("a time that is not of the rate")
        times.append((index, ms))
    for pairs in (energies, times):
        for i in range(1, len(pairs)):
            if pairs[i][0] <= pairs[i - 1][0]:
                raise PricingError("periods that are not in order of time")
    tiers = fields.get("tiers", [])
    if [list(row[:2]) for row in tiers] != [list(row) for row in rate.get("tiers", ())]:
        raise PricingError("tiers that are not of the rate")
    idle = fields.get("idle")
    if idle and "idle" not in rate:
        raise PricingError("staying on is not in the rate")
    return Usage(energies, times, [row[2] for row in tiers], idle["time_ms"] if idle else 0)


def _index(index_of, steps, values):
    index = index_of.get(values[0])
    if index is None or list(steps[index]) != list(values):
        raise PricingError("a period that is not of the rate")
    return index
