"""The one price engine, run by the pile to settle and by the cloud to check.

Exact integers: price (10^-6 currency per kWh) x energy (10^-6 kWh = 1 mWh) = 10^-12 currency, `_pico`.
Rounded once, half up, to the currency's minor unit (ISO 4217 exponent) at the end of an order.

A step is `[from_at, electricity_price, service_price, label]`; it holds from `from_at` (Unix seconds, UTC)
until the next step begins.
"""

import binascii
import hashlib

from .errors import PricingError

_PICO_DIGITS = 12
# Of a rate that has more than energy prices and a session fee: components.py tells what they mean.
MEMBERS = ("time_prices", "tiers", "idle", "minimum_minor", "maximum_minor", "tax_per_mille")


def pico_per_minor(minor_digits):
    """How many 10^-12 of the currency make one minor unit; minor_digits 0 (JPY), 2 (CNY), 3 (KWD)."""
    return 10 ** (_PICO_DIGITS - minor_digits)


def step_index(steps, at):
    """Index of the step that holds at `at`. Raises PricingError before the first step."""
    if not steps or at < steps[0][0]:
        raise PricingError("no price holds at %d" % at)
    index = len(steps) - 1
    while steps[index][0] > at:
        index -= 1
    return index


def cost_pico(steps, energies, fee_minor, minor_digits):
    """Exact cost, in 10^-12 currency, of `energies`: (step index, mWh) pairs. No energy, no session fee."""
    cost = 0
    delivered_mwh = 0
    for index, mwh in energies:
        step = steps[index]
        cost += mwh * (step[1] + step[2])
        delivered_mwh += mwh
    if delivered_mwh:
        cost += fee_minor * pico_per_minor(minor_digits)
    return cost


def round_half_up(pico, minor_digits):
    """Minor units nearest to `pico` (>= 0); a half goes up."""
    unit = pico_per_minor(minor_digits)
    return (2 * pico + unit) // (2 * unit)


def energy_to_reach(limit_pico, spent_pico, price):
    """The fewest mWh at `price` that raise `spent_pico` to `limit_pico`; None if the price is 0."""
    missing = limit_pico - spent_pico
    if missing <= 0:
        return 0
    if not price:
        return None
    return -(-missing // price)


def apportion(amounts_pico, whole, total_minor):
    """Whole minor units for each amount, in proportion, that add up to `total_minor` exactly. whole: the sum
    of the amounts.

    Largest remainder method; of equal remainders the earlier amount is rounded up. Sorts remainders alone,
    because pairs of remainder and place would take heap that a pile does not have.
    """
    if not whole:
        return [0] * len(amounts_pico)
    remainders = [amount * total_minor % whole for amount in amounts_pico]
    left = sum(remainders) // whole
    least = up = too_many = 0
    if left:
        remainders.sort()
        least = remainders[-left]
        up = whole - least  # added before the division: rounds up every remainder from `least` on
        too_many = len(remainders) - remainders.index(least) - left
    shares = [(amount * total_minor + up) // whole for amount in amounts_pico]
    place = len(shares)
    while too_many:  # of the amounts with the remainder `least`, the last ones must not be rounded up
        place -= 1
        if amounts_pico[place] * total_minor % whole == least:
            shares[place] -= 1
            too_many -= 1
    return shares


def bill(rate, energies, limit_minor=None):
    """(total_minor, fee_minor, periods) of one order under its locked rate.

    rate: the `rate` member of an order. energies: (step index, mWh) pairs in order of time.
    limit_minor: the money limit, never exceeded. periods: one row a pair,
    `[from_at, electricity_price, service_price, label, energy_mwh, electricity_minor, service_minor]`;
    the rows' amounts and fee_minor add up to total_minor.
    """
    steps = rate["steps"]
    digits = rate["minor_digits"]
    delivered_mwh = 0
    amounts = []
    for index, mwh in energies:
        _, electricity_price, service_price, _ = steps[index]
        amounts.append(mwh * electricity_price)
        amounts.append(mwh * service_price)
        delivered_mwh += mwh
    amounts.append(rate["session_fee_minor"] * pico_per_minor(digits) if delivered_mwh else 0)
    whole = sum(amounts)
    total_minor = round_half_up(whole, digits)
    if limit_minor is not None and total_minor > limit_minor:
        total_minor = limit_minor
    shares = apportion(amounts, whole, total_minor)
    periods = []
    at = 0
    for index, mwh in energies:
        # Builds one list a row; joining a step and its amounts would build three, and the pile's heap is
        # small.
        from_at, electricity_price, service_price, label = steps[index]
        periods.append([from_at, electricity_price, service_price, label, mwh, shares[at], shares[at + 1]])
        at += 2
    return total_minor, shares[-1], periods


def digest(rate):
    """64 hex digits: SHA-256 over the values of the locked rate, in one fixed text form."""
    h = hashlib.sha256(
        "{rate_id};{currency};{minor_digits};{session_fee_minor};{until_at}".format(**rate).encode()
    )
    for from_at, electricity, service, label in rate["steps"]:
        h.update((";%d,%d,%d,%s" % (from_at, electricity, service, label)).encode())
    for name in MEMBERS:
        if name in rate:
            h.update((";%s=%s" % (name, _text(rate[name]))).encode())
    return binascii.hexlify(h.digest()).decode()


def _text(value):
    """Numbers in their order, with commas; those of an object in the order of its table."""
    if isinstance(value, dict):
        value = [value["price"], value["after_s"], value["max_minor"]]
    if isinstance(value, int):
        return str(value)
    return ",".join([_text(each) for each in value])
