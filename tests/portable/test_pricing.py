"""The price engine on both interpreters: examples by hand, and the laws that hold for any numbers."""

from pile_protocol import pricing
from pile_protocol.errors import PricingError
from tests.portable.kit import raises, rate

STEPS = [[1000, 500_000, 300_000, "valley"], [2000, 1_000_000, 800_000, "peak"], [3000, 0, 0, "flat"]]


def numbers(seed):
    """Endless numbers of a fixed generator, the same on every interpreter."""
    while True:
        seed = (seed * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        yield seed >> 20


def test_a_minor_unit_is_what_its_currency_says():
    for digits, pico in ((0, 10**12), (2, 10**10), (3, 10**9), (4, 10**8)):
        assert pricing.pico_per_minor(digits) == pico, digits


def test_the_step_that_holds_begins_at_its_first_second():
    for at, index in ((1000, 0), (1999, 0), (2000, 1), (2999, 1), (3000, 2), (10**9, 2)):
        assert pricing.step_index(STEPS, at) == index, at


def test_before_the_first_step_no_price_holds():
    raises(PricingError, pricing.step_index, STEPS, 999)
    raises(PricingError, pricing.step_index, [], 1000)


def test_a_half_rounds_up_and_less_rounds_down():
    unit = 10**10
    for pico, minor in (
        (0, 0),
        (1, 0),
        (unit // 2 - 1, 0),
        (unit // 2, 1),
        (unit, 1),
        (unit + unit // 2 - 1, 1),
        (unit + unit // 2, 2),
        (10**24 + unit // 2, 10**14 + 1),
    ):
        assert pricing.round_half_up(pico, 2) == minor, pico


def test_energy_to_reach_is_the_least_that_does():
    for limit, spent, price, mwh in (
        (100, 0, 10, 10),
        (100, 0, 11, 10),
        (101, 0, 10, 11),
        (100, 99, 1000, 1),
        (100, 100, 10, 0),
        (100, 200, 10, 0),
        (100, 0, 0, None),
        (100, 100, 0, 0),
        (10**24, 1, 10**12, 10**12),
    ):
        assert pricing.energy_to_reach(limit, spent, price) == mwh, (limit, spent, price)


def test_shares_go_to_the_largest_remainder_and_among_equals_to_the_first():
    for amounts, total, shares in (
        ([1, 1, 1], 1, [1, 0, 0]),
        ([1, 1, 1], 2, [1, 1, 0]),
        ([1, 2, 1], 2, [1, 1, 0]),
        ([2, 1, 1, 1], 3, [1, 1, 1, 0]),
        ([1, 1, 3, 1, 0, 1], 5, [1, 1, 2, 1, 0, 0]),
        ([10, 20, 70], 10, [1, 2, 7]),
        ([15, 20, 65], 10, [2, 2, 6]),
        ([0, 5], 3, [0, 3]),
        ([], 0, []),
        ([0, 0], 0, [0, 0]),
    ):
        assert pricing.apportion(amounts, sum(amounts), total) == shares, (amounts, total)


def test_ten_kwh_at_one_price():
    total, fee, periods = pricing.bill(rate(steps=STEPS), [(1, 10_000_000)])
    assert (total, fee) == (1800, 0)
    assert periods == [[2000, 1_000_000, 800_000, "peak", 10_000_000, 1000, 800]]


def test_each_currency_rounds_to_its_own_unit():
    # 1,234,567 mWh x 1.8 = 2.2222206
    for digits, total in ((0, 2), (2, 222), (3, 2222), (4, 22222)):
        assert pricing.bill(rate(steps=STEPS, minor_digits=digits), [(1, 1_234_567)])[0] == total, digits


def test_steps_crossed_are_billed_each_at_its_price():
    total, fee, periods = pricing.bill(
        rate(steps=STEPS, session_fee_minor=50), [(0, 1_000_000), (1, 2_000_000), (2, 5_000_000)]
    )
    assert (total, fee) == (80 + 360 + 50, 50)
    assert [row[4:] for row in periods] == [[1_000_000, 50, 30], [2_000_000, 200, 160], [5_000_000, 0, 0]]


def test_the_session_fee_falls_due_with_the_first_energy_only():
    with_fee = rate(steps=STEPS, session_fee_minor=50)
    assert pricing.bill(with_fee, []) == (0, 0, [])
    assert pricing.bill(with_fee, [(0, 0)])[:2] == (0, 0)
    assert pricing.bill(with_fee, [(2, 1)])[:2] == (50, 50)
    assert pricing.cost_pico(STEPS, [(2, 1)], 50, 2) == 50 * 10**10
    assert pricing.cost_pico(STEPS, [(2, 0)], 50, 2) == 0


def test_a_money_limit_is_never_exceeded_and_the_lines_follow_it():
    locked = rate(steps=STEPS, session_fee_minor=50)
    total, fee, periods = pricing.bill(locked, [(1, 10_000_000)], 1000)
    assert total == 1000
    assert fee + sum([row[5] + row[6] for row in periods]) == 1000
    assert pricing.bill(locked, [(1, 10_000_000)], 1849)[0] == 1849
    assert pricing.bill(locked, [(1, 10_000_000)], 1850)[0] == 1850
    assert pricing.bill(locked, [(1, 10_000_000)], 1851)[0] == 1850
    assert pricing.bill(locked, [(1, 10_000_000)], 0)[0] == 0


def test_lines_add_up_for_any_numbers():
    n = numbers(7)
    for _ in range(200):
        digits = next(n) % 5
        steps = [[1000 + i, next(n) % 10 ** (next(n) % 13), next(n) % 3_000_000, "flat"] for i in range(8)]
        energies = [(i, next(n) % 10 ** (next(n) % 10)) for i in range(next(n) % 9)]
        locked = rate(steps=steps, minor_digits=digits, session_fee_minor=next(n) % 1000)
        limit = next(n) % 10**6 if next(n) % 2 else None
        total, fee, periods = pricing.bill(locked, energies, limit)
        case = (steps, energies, digits, limit)
        exact = pricing.cost_pico(steps, energies, locked["session_fee_minor"], digits)
        rounded = pricing.round_half_up(exact, digits)
        assert total == (rounded if limit is None else min(rounded, limit)), case
        assert fee + sum([row[5] + row[6] for row in periods]) == total, case
        assert [(row[0] - 1000, row[4]) for row in periods] == energies, case


def test_a_digest_is_the_same_on_every_interpreter():
    assert pricing.digest(rate()) == "e197e29dbe36155b8a29ecfea6d823391e3a2f400f82dccfa20cce71594f4938"


def test_a_digest_shows_every_change():
    seen = {pricing.digest(rate())}
    for changes in (
        {"rate_id": "r2"},
        {"currency": "EUR"},
        {"minor_digits": 3},
        {"session_fee_minor": 1},
        {"until_at": 1_900_000_000},
        {"steps": [[1_799_996_401, 1_000_000, 800_000, "flat"]]},
        {"steps": [[1_799_996_400, 1_000_001, 800_000, "flat"]]},
        {"steps": [[1_799_996_400, 1_000_000, 800_001, "flat"]]},
        {"steps": [[1_799_996_400, 1_000_000, 800_000, "peak"]]},
        {"steps": [[1_799_996_400, 1_000_000, 800_000, "flat"], [1_799_996_401, 1_000_000, 800_000, "flat"]]},
    ):
        digest = pricing.digest(rate(**changes))
        assert len(digest) == 64 and digest not in seen, changes
        seen.add(digest)
