"""Stand-in for the price engine with components."""

from .errors import PricingError
from .pricing import apportion, pico_per_minor

COMPONENTS = ("time", "tiers", "idle", "minimum", "maximum", "tax")
_MEMBERS = ("time_prices", "tiers", "idle", "minimum_minor", "maximum_minor", "tax_per_mille")


def components_of(rate):
    return [word for word, name in zip(COMPONENTS, _MEMBERS) if name in rate]


class Usage:
    def __init__(self, energies, times=(), tiers_ms=(), idle_ms=0):
        self.energies = energies
        self.times = times
        self.tiers_ms = tiers_ms
        self.idle_ms = idle_ms


def usage_of(rate, fields):
    def rows(members, keys):
        found = []
        for row in members:
            key = list(row[: len(keys[0])])
            if key not in keys or (found and keys.index(key) <= found[-1][0]):
                raise PricingError("not of the rate")
            found.append((keys.index(key), row[len(key)]))
        return found

    for member, name in (("times", "time_prices"), ("tiers", "tiers"), ("idle", "idle")):
        if member in fields and name not in rate:
            raise PricingError("not of the rate")
        if name in rate and member not in fields and member != "idle":
            raise PricingError("missing")
    energies = rows(fields["periods"], [list(step) for step in rate["steps"]])
    times = []
    if "time_prices" in rate:
        times = rows(fields["times"], [[step[0], price] for step, price in zip(rate["steps"], rate["time_prices"])])
    tiers_ms = [0] * len(rate.get("tiers", ()))
    if "tiers" in rate:
        for at, ms in rows(fields["tiers"], [list(tier) for tier in rate["tiers"]]):
            tiers_ms[at] = ms
    return Usage(energies, times, tiers_ms, fields["idle"]["time_ms"] if "idle" in fields else 0)


def bill(rate, usage, limit_minor=None):
    steps = rate["steps"]
    digits = rate["minor_digits"]
    unit = 18 * pico_per_minor(digits)
    amounts = []
    delivered = 0
    for index, mwh in usage.energies:
        amounts.append(mwh * steps[index][1] * 18)
        amounts.append(mwh * steps[index][2] * 18)
        delivered += mwh
    n = len(amounts)
    times = usage.times if "time_prices" in rate else ()
    for index, ms in times:
        amounts.append(ms * rate["time_prices"][index] * 5)
    tiers = rate.get("tiers", ())
    for ms, (_, price) in zip(usage.tiers_ms, tiers):
        amounts.append(ms * price * 5)
    if "idle" in rate:
        amounts.append(min(usage.idle_ms * rate["idle"]["price"] * 5, rate["idle"]["max_minor"] * unit))
    amounts.append(rate["session_fee_minor"] * unit)
    if not delivered:
        amounts = [0] * len(amounts)
    computed = (2 * sum(amounts) + unit) // (2 * unit)
    total = computed
    if delivered:
        total = max(min(total, rate.get("maximum_minor", total)), rate.get("minimum_minor", 0))
    if limit_minor is not None:
        total = min(total, limit_minor)
    shares = apportion(amounts, min(total, computed))
    found = {"total_minor": total, "session_fee_minor": shares[-1]}
    found["periods"] = [
        [*steps[index], mwh, shares[2 * i], shares[2 * i + 1]] for i, (index, mwh) in enumerate(usage.energies)
    ]
    if "time_prices" in rate:
        found["times"] = [
            [steps[index][0], rate["time_prices"][index], ms, shares[n + i]] for i, (index, ms) in enumerate(times)
        ]
        n += len(times)
    if "tiers" in rate:
        found["tiers"] = [
            [*tier, ms, shares[n + i]] for i, (tier, ms) in enumerate(zip(tiers, usage.tiers_ms))
        ]
        n += len(tiers)
    if "idle" in rate:
        found["idle"] = shares[n]
    if "minimum_minor" in rate:
        found["top_up_minor"] = total - min(total, computed)
    if "tax_per_mille" in rate:
        tax = rate["tax_per_mille"]
        found["tax_minor"] = (2 * total * tax + 1000 + tax) // (2 * (1000 + tax))
    return found
