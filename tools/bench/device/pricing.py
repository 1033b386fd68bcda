"""Times of a bill of 96 price steps, also with power tiers and staying on, and of the same sums in bare
integers: µs each, as JSON.
"""

import json
import sys
import time

from pile_protocol import components, pricing

STEPS = 96
TIMES = int(sys.argv[1])


def make():
    steps = []
    energies = []
    for i in range(STEPS):
        steps.append([1_800_000_000 + 900 * i, 400_000 + 3_001 * i, 200_000 + 701 * i, "flat"])
        energies.append((i, 250_000 + 977 * i))
    rate = {"steps": steps, "minor_digits": 2, "session_fee_minor": 50, "until_at": 1_800_090_000}
    return rate, energies


def make_components():
    rate, energies = make()
    rate["tiers"] = [[200_000 * (i + 1), 500_000 * (i + 1)] for i in range(4)]
    rate["idle"] = {"price": 2_000_000, "after_s": 1_800, "max_minor": 1_000}
    tiers_ms = [20_000_123, 21_000_456, 22_000_789, 23_000_987]
    return rate, components.Usage(energies, (), tiers_ms, 3_000_321)


def bare_components(rate, usage):
    """As bare_lines, with four tiers and staying on."""
    steps = rate["steps"]
    amounts = []
    for index, mwh in usage.energies:
        step = steps[index]
        amounts.append(18 * mwh * step[1])
        amounts.append(18 * mwh * step[2])
    tiers = rate["tiers"]
    for i, ms in enumerate(usage.tiers_ms):
        amounts.append(5 * ms * tiers[i][1])
    idle = rate["idle"]
    amounts.append(min(5 * usage.idle_ms * idle["price"], idle["max_minor"] * 180_000_000_000))
    whole = sum(amounts) + rate["session_fee_minor"] * 180_000_000_000
    total = (2 * whole + 180_000_000_000) // 360_000_000_000
    lines = [amount * total // whole for amount in amounts]
    return total, lines


def bare_total(rate, energies):
    """The total only."""
    steps = rate["steps"]
    cost = 0
    for index, mwh in energies:
        step = steps[index]
        cost += mwh * (step[1] + step[2])
    cost += rate["session_fee_minor"] * 10_000_000_000
    return (2 * cost + 10_000_000_000) // 20_000_000_000


def bare_lines(rate, energies):
    """The total and the lines, without the rounding that makes the lines add up to the total."""
    steps = rate["steps"]
    amounts = []
    for index, mwh in energies:
        step = steps[index]
        amounts.append(mwh * step[1])
        amounts.append(mwh * step[2])
    whole = sum(amounts) + rate["session_fee_minor"] * 10_000_000_000
    total = (2 * whole + 10_000_000_000) // 20_000_000_000
    lines = [amount * total // whole for amount in amounts]
    return total, lines


def ours_total(rate, energies):
    cost = pricing.cost_pico(rate["steps"], energies, rate["session_fee_minor"], 2)
    return pricing.round_half_up(cost, 2)


def _cpu_us():
    return time.clock() * 1_000_000  # CPU time of this process


def took_us(work, rate, energies):
    begin = _cpu_us()
    for _ in range(TIMES):
        work(rate, energies)
    return (_cpu_us() - begin) / TIMES


rate, energies = make()
if pricing.bill(rate, energies)[0] != bare_lines(rate, energies)[0]:
    raise ValueError("the baseline adds up to something else")
many, usage = make_components()
if components.bill(many, usage)["total_minor"] != bare_components(many, usage)[0]:
    raise ValueError("the baseline with components adds up to something else")
print(
    json.dumps(
        {
            "bill": took_us(pricing.bill, rate, energies),
            "total": took_us(ours_total, rate, energies),
            "bare_total": took_us(bare_total, rate, energies),
            "bare_lines": took_us(bare_lines, rate, energies),
            "components": took_us(components.bill, many, usage),
            "bare_components": took_us(bare_components, many, usage),
        }
    )
)
