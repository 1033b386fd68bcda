"""What UsageMetering counts, to the millisecond, and when it finds that the money limit is reached."""

from pile.readings import MeterTraits, Sample
from pile.usage import STAY_MAX_MS, UsageMetering
from tests.fuzz.mutate import Random
from tests.portable.kit import AT, rate

TIERS = [[200_000, 1_000_000], [400_000, 2_000_000], [10_000_000, 4_000_000]]
POWERS = (1, 199_999, 200_000, 200_001, 400_000, 400_001, 20_000_000)
IDLE = {"price": 36_000_000, "after_s": 10, "max_minor": 30}  # a minor unit a second; over after 40 s


def metering(limits=None, kept=None, **members):
    made = rate(**members) if members else rate(tiers=TIERS)
    order = {"rate": made, "limits": {"duration_s": 3_600}}
    order["limits"].update(limits or {})
    return UsageMetering(order, AT, 0, 0, kept)


def sampled(value, at_ms):
    sample = Sample()
    sample.take(value, at_ms)
    return sample


def steps_of(random):
    """Prices that rise and fall, at odd seconds."""
    steps, begins_at = [], AT - 3_600
    for i in range(4):
        steps.append([begins_at, random.choice((0, 500_000, 90_000_000)), 0, "flat" if i % 2 else "peak"])
        begins_at = max(begins_at, AT) + 1 + random.below(7)
    return steps


def counted_by_hand(steps, cycles):
    """(times, tiers_ms) of [now_ms, passed_ms, sample value or None, whether the sample is new] rows."""
    times, tiers_ms, group = {}, [0] * len(TIERS), []
    before = after = None  # the samples between which the time of `group` is

    def close(power_mw):
        tier = 0
        for i in range(len(TIERS) - 1):
            if power_mw > TIERS[i][0]:
                tier = i + 1
        tiers_ms[tier] += sum(group)
        del group[:]

    counted_to_ms = None
    for now_ms, passed_ms, value, is_new in cycles:
        for i in range(len(steps)):
            end_ms = (steps[i + 1][0] - AT) * 1_000 if i + 1 < len(steps) else now_ms
            shared_ms = min(now_ms, end_ms) - max(now_ms - passed_ms, (steps[i][0] - AT) * 1_000)
            if shared_ms > 0:
                times[i] = times.get(i, 0) + shared_ms
        if now_ms - passed_ms != counted_to_ms and before is not None:
            before = 0  # suspended: nothing was drawn
        counted_to_ms = now_ms
        group.append(passed_ms)
        if value is None:
            close(0)
            before = None
        elif is_new:
            after = value
            close(0 if before is None else min(before, after))
            before = after
    close(0)
    return [[index, times[index]] for index in sorted(times)], tiers_ms


def test_each_millisecond_counts_once_in_its_price_step_and_its_tier():
    for seed in range(40):
        random = Random(seed)
        steps = steps_of(random)
        usage = metering(steps=steps, time_prices=[1, 2, 3, 4], tiers=TIERS)
        power, cycles, now_ms = Sample(), [], random.below(3_000)
        for _ in range(30):
            passed_ms = random.choice((1, 70, 100, 333, 1_700))
            now_ms += passed_ms + (0 if random.below(5) else 1 + random.below(900))
            is_new = not random.below(3)
            if is_new:
                power.take(random.choice(POWERS), now_ms)
            elif not random.below(8):
                power.lose()
            usage.count(now_ms, passed_ms, power)
            is_valid = power.at_ms is not None and power.state == 2
            cycles.append([now_ms, passed_ms, power.value if is_valid else None, is_new])
        times, tiers_ms = counted_by_hand(steps, cycles)
        assert usage.usage().times == times, (seed, usage.times, times)
        assert usage.usage().tiers_ms == tiers_ms, (seed, usage.counted(), tiers_ms)


def missing_parts(usage, made, limit_minor, tier_ms):
    """What the exact cost is below the money limit: the time since the newest sample in the dearest tier."""
    energies = usage.energies()
    parts = sum([18 * mwh * (made["steps"][i][1] + made["steps"][i][2]) for i, mwh in energies])
    parts += sum([5 * ms * made["time_prices"][i] for i, ms in usage.times])
    parts += sum([5 * usage.tiers_ms[i] * made["tiers"][i][1] for i in range(len(usage.tiers_ms))])
    parts += 5 * tier_ms * made["tiers"][-1][1]
    unit = 18 * 10 ** (12 - made["minor_digits"])
    return (limit_minor - made["session_fee_minor"]) * unit - parts


def test_the_money_limit_is_found_at_the_very_cycle():
    traits = MeterTraits()
    for seed in range(30):
        random = Random(seed)
        steps = steps_of(random)
        hourly = (0, 3_600_000, 90_000_000)
        prices = [random.choice(hourly) for _ in steps]
        tiers = [[TIERS[i][0], TIERS[i][1] * random.choice((0, 1, 20))] for i in range(3)]
        tiers.sort(key=lambda tier: tier[1])
        tiers = [[TIERS[i][0], tiers[i][1]] for i in range(3)]
        made = {"steps": steps, "time_prices": prices, "tiers": tiers, "session_fee_minor": random.below(9)}
        limit_minor = made["session_fee_minor"] + 1 + random.below(40)
        usage = metering({"cost_minor": limit_minor}, **made)
        made = rate(**made)
        power, register_mwh, sample_ms, now_ms = Sample(), 0, 0, 0
        for n in range(200):
            passed_ms = random.choice((100, 100, 700))
            now_ms += passed_ms
            register_mwh += random.choice((0, 40, 200))
            usage.take(sampled(1 + register_mwh, now_ms), traits, None)
            if not random.below(4):
                power.take(random.choice(POWERS), now_ms)
            usage.count(now_ms, passed_ms, power)
            sample_ms = now_ms if power.at_ms in (None, now_ms) else sample_ms
            if usage.must_look(now_ms):
                usage.look(now_ms)
            is_reached = missing_parts(usage, made, limit_minor, now_ms - sample_ms) <= 0
            assert usage.is_spent == is_reached, (seed, n)
            if is_reached:
                break


def test_a_limit_that_is_reached_exactly_is_reached():
    usage = metering({"cost_minor": 1}, steps=[[AT - 1, 0, 0, "flat"]], time_prices=[36_000_000])
    usage.take(sampled(1, 100), MeterTraits(), None)
    for counted_ms, is_spent in ((999, False), (1_000, True)):
        usage.times = [[0, counted_ms]]
        usage.look(counted_ms)
        assert usage.is_spent == is_spent, counted_ms


def test_the_end_of_a_stay_is_exact():
    for limits, members, stay_ms, end_ms in (
        ({}, {}, 0, 40_000),
        ({}, {}, 12_345, 40_000),  # it goes on after a power cut
        ({"cost_minor": 25}, {}, 12_345, 35_000),
        ({}, {"maximum_minor": 7}, 0, 17_000),
        ({}, {"idle": {"price": 1, "after_s": 10, "max_minor": 30}}, 0, STAY_MAX_MS),
        ({}, {"idle": {"price": 35_999_999, "after_s": 10, "max_minor": 30}}, 0, 40_001),
    ):
        members = dict({"steps": [[AT - 1, 0, 0, "flat"]], "idle": IDLE}, **members)
        usage = metering(limits, **members)
        usage.register_mwh = 1
        usage.stay_ms = stay_ms
        assert usage.can_stay() and usage.stay_end_ms == end_ms, (limits, members, usage.stay_end_ms)
        assert not usage.stay(end_ms - stay_ms - 1) and usage.stay(1) and usage.stay(1)
        assert usage.idle_ms == end_ms - 10_000
    assert metering().idle_ms == 0 and STAY_MAX_MS == 24 * 3_600_000


def test_time_goes_on_from_what_was_kept_of_the_same_rate_only():
    members = {"time_prices": [1], "tiers": TIERS}
    for kept, is_used in (
        ([900_000, [1, 2, 3], [[0, 9]]], True),
        ([900_000, [1, 2, 3], [[1, 9]]], False),  # no such step
        ([900_000, [1, 2], [[0, 9]]], False),
        ([900_000, [1, 2, 3, 4], [[0, 9]]], False),
    ):
        usage = metering(kept=kept, **members)
        found = [usage.stay_ms, usage.tiers_ms, usage.times]
        assert found == (kept if is_used else [0, [0, 0, 0], []]), kept
        usage.restore(5, None, AT + 60, 7_000)
        assert usage.at(7_000) == AT + 60 + (900 if is_used else 0)


def test_time_after_a_suspension_is_of_the_lowest_tier_until_the_next_sample():
    """A meter that is read seldom: the sample before the suspension said nothing of the time after it."""
    usage = metering()
    usage.count(100, 100, sampled(350_000, 100))
    usage.count(4_100, 4_000, sampled(350_000, 4_100))
    usage.count(34_100, 4_000, sampled(350_000, 34_100))  # suspended from 4,100 to 30,100
    assert usage.tiers_ms == [4_100, 4_000, 0]
    usage.count(38_100, 4_000, sampled(350_000, 38_100))
    assert usage.tiers_ms == [4_100, 8_000, 0]


def test_time_that_has_no_tier_yet_is_durable_as_of_the_lowest():
    """A meter that is read every 10 s: a cut lost all time since the newest sample."""
    usage = metering()
    sample = sampled(350_000, 100)
    usage.count(100, 100, sample)
    usage.count(8_100, 8_000, sample)
    assert usage.counted() == [0, [8_100, 0, 0], []]
    sample.take(350_000, 10_100)
    usage.count(10_100, 2_000, sample)
    assert usage.counted() == [0, [100, 10_000, 0], []]
