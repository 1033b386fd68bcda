"""Whether a settlement's time, tiers and staying are possible: for the rules of rules.py about them."""

from .case import FINISH_S, TIME_SLACK_S, Case

STAY_MAX_S = 86_400  # a pile ends an order then
TIER_PERCENT = 10  # a tier's time is told by samples of the power, energy by the register


def counts_too_much_time(case: Case) -> bool:
    """More time than passed, as a whole or in one step; or tiers and steps that do not share their time."""
    fields = case.fields
    times, tiers = fields.get("times"), fields.get("tiers")
    sums_ms = [sum(row[2] for row in rows) for rows in (times, tiers) if rows is not None]
    if any(sum_ms > case.span_ms for sum_ms in sums_ms):
        return True
    if len(sums_ms) == 2 and abs(sums_ms[0] - sums_ms[1]) > TIME_SLACK_S * 1000:
        return True
    steps = case.rate["steps"]
    ends = [*(step[0] for step in steps[1:]), case.rate["until_at"] + FINISH_S]
    for from_at, _, time_ms, _ in times or ():
        end_at = next((end for step, end in zip(steps, ends, strict=True) if step[0] == from_at), from_at)
        shared_s = min(end_at, fields["ended_at"]) - max(from_at, fields["started_at"])
        if time_ms > (max(0, shared_s) + TIME_SLACK_S) * 1000:
            return True
    return False


def counts_too_little_time(case: Case) -> bool:
    """More energy than the connector carries in the time that is stated."""
    fields = case.fields
    sums_ms = [sum(row[2] for row in fields[name]) for name in ("times", "tiers") if name in fields]
    return any(fields["energy_mwh"] > case.carried_mwh(-(-sum_ms // 1000) + FINISH_S) for sum_ms in sums_ms)


def has_dearer_tiers(case: Case) -> bool:
    """Less energy than the time in the tiers above the first takes at least, less a tenth and seconds."""
    least_uj = below_mw = 0
    for up_to_mw, _, time_ms, _ in case.fields.get("tiers", ()):
        least_uj += below_mw * max(0, time_ms - TIME_SLACK_S * 1000)
        below_mw = up_to_mw
    return case.fields["energy_mwh"] * 3_600_000 * 100 < least_uj * (100 - TIER_PERCENT)


def has_cheaper_tiers(case: Case) -> bool:
    """More energy than twice what the tiers' times carry: such a mean is not of samples in these tiers."""
    tiers = case.fields.get("tiers")
    if not tiers:
        return False
    most_uj = sum(up_to_mw * time_ms for up_to_mw, _, time_ms, _ in tiers[:-1])
    most_uj += max(tiers[-1][0], case.power_w * 1000) * tiers[-1][2]
    energy_mwh = case.fields["energy_mwh"] - case.carried_mwh(FINISH_S)
    return energy_mwh * 3_600_000 > 2 * most_uj


def stays_impossibly(case: Case) -> bool:
    idle, ended_at = case.fields.get("idle"), case.fields["ended_at"]
    if idle is None:
        return False
    stay_s = idle["until_at"] - idle["since_at"]
    free_s = case.rate.get("idle", {}).get("after_s", 0)
    return (
        abs(idle["since_at"] - ended_at) > FINISH_S
        or not 0 <= stay_s <= STAY_MAX_S + TIME_SLACK_S
        or idle["time_ms"] > max(0, stay_s - free_s + TIME_SLACK_S) * 1000
    )
