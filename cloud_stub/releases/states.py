"""The states of a rollout, the states of a pile in it, and what a report of the pile makes of the latter.

    Queued -> Offered -> Downloading / Waiting / Verifying -> Trial -> Confirmed
                                                                    -> FellBack
    Refused, Lost (silent for too long), Missed (the deadline passed), Cancelled, LeftOut (takes no part)

What a pile reports is a fact: a pile that was given up as Lost, and confirms after all, is Confirmed.
"""

RUNNING = "Running"
PAUSED = "Paused"
HALTED = "Halted"  # a wave has lost too many piles
FINISHED = "Finished"
CANCELLED = "Cancelled"  # also of a pile

QUEUED = "Queued"
OFFERED = "Offered"
DOWNLOADING = "Downloading"
WAITING = "Waiting"
VERIFYING = "Verifying"
TRIAL = "Trial"
CONFIRMED = "Confirmed"
REFUSED = "Refused"
FELL_BACK = "FellBack"
LOST = "Lost"
MISSED = "Missed"
LEFT_OUT = "LeftOut"

PILE_STATES = (
    *(QUEUED, OFFERED, DOWNLOADING, WAITING, VERIFYING, TRIAL),
    *(CONFIRMED, REFUSED, FELL_BACK, LOST, MISSED, CANCELLED, LEFT_OUT),
)
OPEN = frozenset({QUEUED, OFFERED, DOWNLOADING, WAITING, VERIFYING, TRIAL})
WITHDRAWABLE = (OFFERED, DOWNLOADING, WAITING, VERIFYING)  # the pile still runs what it ran before
AT_IT = (DOWNLOADING, WAITING, VERIFYING)  # it has said that it works on the offer
FETCHING = (OFFERED, DOWNLOADING, VERIFYING)  # it uses the connection of its broker, or soon will
UNDER_WAY = (*FETCHING, TRIAL)
FAILED = (REFUSED, FELL_BACK, LOST)
_ENDED_BY_PILE = frozenset({CONFIRMED, REFUSED, FELL_BACK})

# Refusals after which the same offer may be made again.
_TRANSIENT = frozenset({"Expired", "OrderRuns", "SettlementWaits", "OnTrial"})


def after_report(state: str, offered: bool, reported: str, reason: str | None) -> str | None:
    """The state of a pile in `state` that reports `reported`; None where the report changes nothing.

    offered: whether this rollout has made it an offer; before that, a report is about an earlier one.
    """
    if not offered or state in _ENDED_BY_PILE:
        return None
    if reported in (TRIAL, CONFIRMED):
        return reported
    if reported == FELL_BACK:
        return FELL_BACK if state != OFFERED else None
    if state not in WITHDRAWABLE:
        return None
    if reported == REFUSED:
        if reason == "AlreadyRuns":  # its report that it confirmed was lost
            return CONFIRMED
        return QUEUED if reason in _TRANSIENT else REFUSED
    return QUEUED if reported == CANCELLED else reported
