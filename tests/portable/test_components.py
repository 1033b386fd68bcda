"""The price of an order by everything that a rate may be made of: worked examples."""

from pile_protocol import components, pricing
from pile_protocol.components import Usage
from pile_protocol.errors import PricingError
from tests.portable.kit import raises

STEPS = [[1_800_000_000, 500_000, 300_000, "flat"], [1_800_003_600, 900_000, 300_000, "peak"]]
HOUR_MS = 3_600_000


def rate(**members):
    made = {
        "rate_id": "r",
        "currency": "CNY",
        "minor_digits": 2,
        "session_fee_minor": 0,
        "steps": STEPS,
        "until_at": 1_800_090_000,
    }
    made.update(members)
    return made


def test_a_rate_without_components_is_billed_and_digested_as_before():
    energies = [(0, 2_000_000), (1, 3_333_333)]
    total, fee, periods = pricing.bill(rate(session_fee_minor=50), energies, 600)
    found = components.bill(rate(session_fee_minor=50), Usage(energies), 600)
    assert found == {"periods": periods, "session_fee_minor": fee, "total_minor": total}
    assert components.components_of(rate()) == []


def test_each_component_alone():
    energy = [(0, 1_000_000)]  # 0.80
    stayed = Usage(energy, [], [], HOUR_MS)
    for members, usage, total, member, value in (
        ({"time_prices": [2_000_000, 4_000_000]}, Usage(energy, [(0, HOUR_MS), (1, HOUR_MS // 2)]),
         480, "times", [[STEPS[0][0], 2_000_000, HOUR_MS, 200], [STEPS[1][0], 4_000_000, HOUR_MS // 2, 200]]),
        ({"tiers": [[200_000, 1_000_000], [400_000, 1_500_000]]}, Usage(energy, [], [HOUR_MS, 2 * HOUR_MS]),
         480, "tiers", [[200_000, 1_000_000, HOUR_MS, 100], [400_000, 1_500_000, 2 * HOUR_MS, 300]]),
        ({"idle": {"price": 6_000_000, "after_s": 900, "max_minor": 1_000}}, stayed, 680,
         "idle_minor", 600),
        ({"idle": {"price": 6_000_000, "after_s": 900, "max_minor": 100}}, stayed, 180,
         "idle_minor", 100),
        ({"minimum_minor": 200}, Usage(energy), 200, "top_up_minor", 120),
        ({"minimum_minor": 80}, Usage(energy), 80, "top_up_minor", 0),
        ({"maximum_minor": 50}, Usage(energy), 50, "session_fee_minor", 0),
        ({"tax_per_mille": 130}, Usage(energy), 80, "tax_minor", 9),  # 80 x 130 / 1130 = 9.2
    ):  # fmt: skip
        found = components.bill(rate(**members), usage)
        assert found["total_minor"] == total, (members, found)
        assert found[member] == value, (members, found)


def test_without_energy_nothing_costs_anything():
    made = rate(
        session_fee_minor=100,
        time_prices=[9_000_000, 9_000_000],
        tiers=[[200_000, 9_000_000]],
        idle={"price": 9_000_000, "after_s": 0, "max_minor": 900},
        minimum_minor=500,
        tax_per_mille=190,
    )
    found = components.bill(made, Usage([], [(0, HOUR_MS)], [HOUR_MS], HOUR_MS))
    assert (found["total_minor"], found["top_up_minor"], found["tax_minor"]) == (0, 0, 0)
    assert found["times"] == [[STEPS[0][0], 9_000_000, HOUR_MS, 0]] and found["idle_minor"] == 0


def test_the_money_limit_goes_before_everything():
    energy = [(0, 1_000_000)]
    for members, limit, total, top_up in (
        ({"minimum_minor": 200}, 150, 150, 70),
        ({"minimum_minor": 200}, 50, 50, 0),
        ({"maximum_minor": 70}, 60, 60, None),
        ({"time_prices": [9_000_000, 0]}, 100, 100, None),
    ):
        found = components.bill(
            rate(**members), Usage(energy, [(0, HOUR_MS)] if "time_prices" in members else []), limit
        )
        assert (found["total_minor"], found.get("top_up_minor")) == (total, top_up), members
        lines = sum([row[5] + row[6] for row in found["periods"]]) + found["session_fee_minor"]
        lines += sum([row[3] for row in found.get("times", [])])
        assert lines + (found.get("top_up_minor") or 0) == total, found


def test_a_third_of_a_minor_unit_is_exact():
    made = rate(time_prices=[1, 1])  # 1 ms costs 5/18 of 10^-12
    assert components.cost_parts(made, Usage([(0, 0)], [(0, 18)])) == 0
    assert components.cost_parts(made, Usage([(0, 1)], [(0, 18)])) == 18 * 800_000 + 90


def test_without_a_word_of_it_nothing_was_used():
    usage = Usage()
    assert (usage.energies, usage.times, usage.tiers_ms, usage.idle_ms) == ((), (), (), 0)


def test_what_a_settlement_used_is_read_back():
    made = rate(time_prices=[1, 2], tiers=[[200_000, 3]], idle={"price": 4, "after_s": 5, "max_minor": 6})
    fields = {
        "periods": [STEPS[1] + [7, 0, 0]],
        "times": [[STEPS[0][0], 1, 8, 0], [STEPS[1][0], 2, 9, 0]],
        "tiers": [[200_000, 3, 10, 0]],
        "idle": {"since_at": 1, "until_at": 2, "time_ms": 11, "idle_minor": 0},
    }
    usage = components.usage_of(made, fields)
    assert (usage.energies, usage.times) == ([(1, 7)], [(0, 8), (1, 9)])
    assert (usage.tiers_ms, usage.idle_ms) == ([10], 11)
    for name, wrong in (
        ("periods", [STEPS[1][:3] + ["flat", 7, 0, 0]]),
        ("periods", [STEPS[1] + [7, 0, 0], STEPS[0] + [7, 0, 0]]),
        ("periods", [STEPS[1] + [7, 0, 0], STEPS[1] + [7, 0, 0]]),
        ("times", [[STEPS[0][0], 2, 8, 0]]),
        ("times", [[5, 1, 8, 0]]),
        ("tiers", []),
        ("tiers", [[200_000, 4, 10, 0]]),
    ):
        changed = dict(fields)
        changed[name] = wrong
        raises(PricingError, components.usage_of, made, changed)
    for name in ("times", "tiers", "idle"):
        raises(
            PricingError,
            components.usage_of,
            rate(tiers=made["tiers"]) if name != "tiers" else rate(),
            fields,
        )


def test_the_digest_covers_every_component():
    seen = {pricing.digest(rate())}
    for members in (
        {"time_prices": [1, 2]},
        {"time_prices": [2, 1]},
        {"tiers": [[1, 2]]},
        {"tiers": [[1, 2], [3, 4]]},
        {"idle": {"price": 1, "after_s": 2, "max_minor": 3}},
        {"idle": {"price": 1, "after_s": 3, "max_minor": 2}},
        {"minimum_minor": 1},
        {"maximum_minor": 1},
        {"tax_per_mille": 0},
    ):
        seen.add(pricing.digest(rate(**members)))
    assert len(seen) == 10
    first = pricing.digest(rate(idle={"price": 1, "after_s": 2, "max_minor": 3}))
    assert pricing.digest(rate(idle={"max_minor": 3, "price": 1, "after_s": 2})) == first
