"""Times of a bill of 96 price steps and of the same sum in bare integers: µs each, as JSON."""

import json
import sys
import time

from pile_protocol import pricing

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
print(
    json.dumps(
        {
            "bill": took_us(pricing.bill, rate, energies),
            "total": took_us(ours_total, rate, energies),
            "bare_total": took_us(bare_total, rate, energies),
            "bare_lines": took_us(bare_lines, rate, energies),
        }
    )
)
