"""The states of an order, and one table of all transitions between them.

    Pending -> Accepted -> Charging -> Finishing -> Settled -> Paid
       +-> Rejected | Expired | Cancelled

An order never goes back to an earlier state: a late or repeated message finds no transition and changes
nothing. Rejected, Expired and Cancelled are left again if the pile holds the order after all, or when its
settlement arrives.
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

STATES = (PENDING, ACCEPTED, CHARGING, FINISHING, SETTLED, PAID, REJECTED, EXPIRED, CANCELLED)
ENDS = frozenset({PAID, REJECTED, EXPIRED, CANCELLED})  # nothing more is expected
HOLDING = frozenset({PENDING, ACCEPTED, CHARGING, FINISHING})  # nobody else gets the connector
GIVEN_UP = frozenset({EXPIRED, CANCELLED})

# The events. Those that begin with `pile:` are the states that piles report in order/status.
PILE_ACCEPTED = "pile:Accepted"
PILE_REJECTED = "pile:Rejected"
PILE_CHARGING = "pile:Charging"
PILE_FINISHING = "pile:Finishing"
PILE_SETTLED = "pile:Settled"
SETTLEMENT_STORED = "settlement stored"
PAYMENT_MADE = "payment made"
TIME_RAN_OUT = "time ran out"
USER_CANCELLED = "user cancelled"

_HELD_BY_PILE = {
    PILE_ACCEPTED: ACCEPTED,
    PILE_CHARGING: CHARGING,
    PILE_FINISHING: FINISHING,
    PILE_SETTLED: FINISHING,  # its settlement is still on the way
}
_SETTLES = {SETTLEMENT_STORED: SETTLED}

TRANSITIONS: dict[str, dict[str, str]] = {
    PENDING: _HELD_BY_PILE
    | _SETTLES
    | {PILE_REJECTED: REJECTED, TIME_RAN_OUT: EXPIRED, USER_CANCELLED: CANCELLED},
    ACCEPTED: _SETTLES | {PILE_CHARGING: CHARGING, PILE_FINISHING: FINISHING, PILE_SETTLED: FINISHING},
    CHARGING: _SETTLES | {PILE_FINISHING: FINISHING, PILE_SETTLED: FINISHING},
    FINISHING: _SETTLES,
    SETTLED: {PAYMENT_MADE: PAID},
    PAID: {},
    REJECTED: _SETTLES,
    EXPIRED: _HELD_BY_PILE | _SETTLES,
    CANCELLED: _HELD_BY_PILE | _SETTLES,
}


def next_state(state: str, event: str) -> str | None:
    """The state that `event` leads to from `state`; None where it changes nothing."""
    return TRANSITIONS[state].get(event)


def pile_event(state: str) -> str:
    """The event that a pile reports this state of an order."""
    return "pile:" + state
