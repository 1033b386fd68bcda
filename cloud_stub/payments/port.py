"""What a payment provider's adapter does. An adapter is one module with a class that has these methods.

    ProviderError
      ProviderSilent     it may or may not have been done: look_up tells

Every call has a key. The same key again does nothing more, and gives the same outcome: the provider keeps the
keys (Stripe calls them idempotency keys). Calls run on a thread, outside transactions; they may take
settings.payment_call_s, and raise ProviderSilent after that.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Protocol

AUTHORIZE = "authorize"  # kinds of calls
CAPTURE = "capture"
RELEASE = "release"
REFUND = "refund"
KINDS = (AUTHORIZE, CAPTURE, RELEASE, REFUND)

DONE = "Done"  # states of outcomes
REFUSED = "Refused"  # and nothing was moved
ACTION_NEEDED = "ActionNeeded"  # the driver has to do something: `client` says what
PENDING = "Pending"  # the provider has taken it on; its webhook or look_up tells the end


class ProviderError(Exception):
    """What an adapter raises; its text names no key and no card."""


class ProviderSilent(ProviderError):
    """No answer: the call may or may not have been done."""


class Call(NamedTuple):
    """One call. amount_minor: in minor units of the currency, which has minor_digits of them.

    hold_ref: the provider's name of the hold, None for authorize.
    """

    kind: str
    key: str
    hold_id: str
    order_id: str | None
    amount_minor: int
    currency: str
    minor_digits: int
    hold_ref: str | None = None


class Outcome(NamedTuple):
    """What has become of a call. ref: the provider's name of what it made; reason: a word of the provider's
    why it was refused; client: what the driver's browser needs to go on, never stored in a log.
    """

    state: str
    ref: str | None = None
    reason: str | None = None
    client: dict[str, Any] | None = None


class Event(NamedTuple):
    """Something that the provider tells by itself. event_id: the same one may come more than once."""

    event_id: str
    key: str  # of the call that it is about
    outcome: Outcome


class ReportRow(NamedTuple):
    """A line of the provider's own report."""

    kind: str  # of KINDS
    key: str | None  # None where it was done without one, such as by hand or because a hold lapsed
    ref: str
    hold_ref: str  # the provider's name of the hold
    amount_minor: int
    currency: str
    at: int
    state: str = DONE  # or REFUSED: a refund that failed after it had been taken on


class Adapter(Protocol):
    """A provider. capture takes amount_minor of the hold and releases the rest."""

    name: str
    is_test: bool  # no money moves; everything that people see of it says so
    report_kept_s: int | None  # for how long the provider keeps its report; None: for ever

    def authorize(self, call: Call) -> Outcome: ...

    def capture(self, call: Call) -> Outcome: ...

    def release(self, call: Call) -> Outcome: ...

    def refund(self, call: Call) -> Outcome: ...

    def look_up(self, call: Call) -> Outcome | None:
        """What has become of the call with this key; None where the provider has never got it."""
        ...

    def webhook(self, headers: Mapping[str, str], body: bytes) -> list[Event]:
        """The events of a request of the provider's. Raises Problem where its signature is wrong."""
        ...

    def report(self, from_at: int, until_at: int) -> Iterable[ReportRow]:
        """What the provider has done from `from_at` until before `until_at`, Unix seconds."""
        ...
