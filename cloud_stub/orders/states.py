"""The states of an order and the table of its transitions.

    Pending -> Accepted -> Charging -> Finishing -> Settled -> Paid
       |          +-----------+------------+--> Lost
       +-> Rejected | Expired | Cancelled | Lost

An order never goes back to an earlier state. The late and repeated events that are known to occur in a state
are listed beside the transitions, as harmless; any other event is a fault. Expired and Cancelled are left
again if the pile holds the order after all; a settlement overrules every end but Paid.
"""

PENDING = "Pending"
ACCEPTED = "Accepted"
CHARGING = "Charging"
FINISHING = "Finishing"
SETTLED = "Settled"
PAID = "Paid"
REJECTED = "Rejected"
EXPIRED = "Expired"
CANCELLED = "Cancelled"
LOST = "Lost"

STATES = (PENDING, ACCEPTED, CHARGING, FINISHING, SETTLED, PAID, REJECTED, EXPIRED, CANCELLED, LOST)
ENDS = frozenset({PAID, REJECTED, EXPIRED, CANCELLED, LOST})  # nothing more is expected
HOLDING = frozenset({PENDING, ACCEPTED, CHARGING, FINISHING})  # the order keeps its connector
GIVEN_UP = frozenset({EXPIRED, CANCELLED})

# Events: first those that a pile reports in order/status.
PILE_ACCEPTED = "pile:Accepted"
PILE_REJECTED = "pile:Rejected"
PILE_CHARGING = "pile:Charging"
PILE_FINISHING = "pile:Finishing"
PILE_SETTLED = "pile:Settled"
SETTLEMENT_STORED = "settlement stored"
PAYMENT_MADE = "payment made"
NOTHING_TO_PAY = "nothing to pay"
TIME_RAN_OUT = "time ran out"
USER_CANCELLED = "user cancelled"
ORDER_LOST = "order lost"  # its settlement is not expected any more

EVENTS = (
    *(PILE_ACCEPTED, PILE_REJECTED, PILE_CHARGING, PILE_FINISHING, PILE_SETTLED),
    *(SETTLEMENT_STORED, PAYMENT_MADE, NOTHING_TO_PAY, TIME_RAN_OUT, USER_CANCELLED, ORDER_LOST),
)

# Why an order is lost, as its `reason`.
PILE_REMOVED = "PileRemoved"  # by force
BOARD_REPLACED = "BoardReplaced"  # by force
PILE_SILENT = "PileSilent"  # since long before and long after the order's latest end
NOT_AT_PILE = "NotAtPile"  # the pile has neither the order nor a settlement
SETTLEMENT_MALFORMED = "SettlementMalformed"  # rightly sealed, but nothing can be billed from it
CLOSED_BY_OPERATOR = "ClosedByOperator"
LOSS_REASONS = (
    PILE_REMOVED,
    BOARD_REPLACED,
    PILE_SILENT,
    NOT_AT_PILE,
    SETTLEMENT_MALFORMED,
    CLOSED_BY_OPERATOR,
)

_HELD_BY_PILE = {
    PILE_ACCEPTED: ACCEPTED,
    PILE_CHARGING: CHARGING,
    PILE_FINISHING: FINISHING,
    PILE_SETTLED: FINISHING,  # its settlement is still on the way
}
_SETTLES = {SETTLEMENT_STORED: SETTLED}
_LOSES = {ORDER_LOST: LOST}
_ENDS_AT_PILE = {PILE_FINISHING: FINISHING, PILE_SETTLED: FINISHING}

TRANSITIONS: dict[str, dict[str, str]] = {
    PENDING: _HELD_BY_PILE
    | _SETTLES
    | _LOSES
    | {PILE_REJECTED: REJECTED, TIME_RAN_OUT: EXPIRED, USER_CANCELLED: CANCELLED},
    ACCEPTED: _SETTLES | _LOSES | _ENDS_AT_PILE | {PILE_CHARGING: CHARGING},
    CHARGING: _SETTLES | _LOSES | _ENDS_AT_PILE,
    FINISHING: _SETTLES | _LOSES,
    SETTLED: {PAYMENT_MADE: PAID, NOTHING_TO_PAY: PAID},
    PAID: {},
    REJECTED: _SETTLES,
    EXPIRED: _HELD_BY_PILE | _SETTLES,
    CANCELLED: _HELD_BY_PILE | _SETTLES,
    LOST: _SETTLES,
}

_LATE = frozenset(_HELD_BY_PILE)  # a pile's messages of an order's course, overtaken by a later one
# Events that may come late or twice in a state, and do not change it.
HARMLESS: dict[str, frozenset[str]] = {
    PENDING: frozenset(),
    ACCEPTED: frozenset({PILE_ACCEPTED}),
    CHARGING: frozenset({PILE_ACCEPTED, PILE_CHARGING}),
    FINISHING: _LATE,
    SETTLED: _LATE | {ORDER_LOST},  # lost: of a second settlement of the order, which is malformed
    PAID: _LATE | {ORDER_LOST},
    REJECTED: frozenset({PILE_REJECTED, ORDER_LOST}),
    EXPIRED: frozenset({PILE_REJECTED, ORDER_LOST}),  # rejected: the pile got it too late
    CANCELLED: frozenset({PILE_REJECTED, ORDER_LOST}),
    LOST: _LATE | {ORDER_LOST},
}


class UnknownEvent(Exception):
    """An event that cannot happen in a state: a fault of the pile, or of this program."""

    def __init__(self, state: str, event: str):
        super().__init__(f"{event!r} in state {state}")


def next_state(state: str, event: str) -> str | None:
    """The state that `event` leads to from `state`; None if the event is harmless. Raises UnknownEvent."""
    after = TRANSITIONS[state].get(event)
    if after is None and event not in HARMLESS[state]:
        raise UnknownEvent(state, event)
    return after


def pile_event(word: str) -> str:
    """The event of a state that a pile reports for an order."""
    return "pile:" + word
