"""The interface of a payment provider's adapter. An adapter is one module with a class that has these
methods.

    ProviderError
      ProviderSilent     no answer: the call may or may not have been executed; look_up finds out

Every call has a key, an idempotency key that the provider keeps. A repeated call with the same key does
nothing and gives the same outcome. Calls run on a thread, outside transactions. They may take
settings.payment_call_s, and raise ProviderSilent after that.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Protocol

AUTHORIZE = "authorize"  # kinds of calls: the names of the adapter's methods
CAPTURE = "capture"
RELEASE = "release"
REFUND = "refund"
KINDS = (AUTHORIZE, CAPTURE, RELEASE, REFUND)

DONE = "Done"  # states of outcomes
REFUSED = "Refused"  # no money was moved
ACTION_NEEDED = "ActionNeeded"  # the driver has to act, as `client` says
PENDING = "Pending"  # the provider has accepted the call; its webhook or look_up gives the outcome
AMOUNT_DIFFERS = "amount_differs"  # a reason: the provider moved, or holds, another amount than was asked for
TEST = "TEST - no money moves"  # what people see of a provider that is_test


class ProviderError(Exception):
    """An error of an adapter. Its text contains no key and no card data."""


class ProviderSilent(ProviderError):
    """No answer: the call may or may not have been executed."""


class Call(NamedTuple):
    """One call. amount_minor: in minor units of the currency, which has minor_digits decimal places.

    hold_ref: the provider's reference of the hold; None for authorize.
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
    """The outcome of a call. ref: the provider's reference of what the call created. reason: the provider's
    code of a refusal. client: what the driver's browser needs to continue; never logged.
    """

    state: str
    ref: str | None = None
    reason: str | None = None
    client: dict[str, Any] | None = None


class Event(NamedTuple):
    """A message of the provider that something happened to a call. It may come late, more than once and in
    any order. It has no outcome: the call is looked up.
    """

    event_id: str
    key: str  # of the call that it is about


class ReportRow(NamedTuple):
    """A line of the provider's own report."""

    kind: str  # of KINDS
    key: str | None  # None for what was done without a key, such as by hand or because a hold lapsed
    ref: str
    hold_ref: str  # the provider's reference of the hold
    amount_minor: int
    currency: str
    at: int
    state: str = DONE  # or REFUSED: a refund that failed after the provider had accepted it


class Adapter(Protocol):
    """A provider. `capture` takes amount_minor of the hold and releases the rest."""

    name: str
    is_test: bool  # no money moves; pages, receipts and exports say so
    report_kept_s: int | None  # for how long the provider keeps its report; None: for ever

    def authorize(self, call: Call) -> Outcome: ...

    def capture(self, call: Call) -> Outcome: ...

    def release(self, call: Call) -> Outcome: ...

    def refund(self, call: Call) -> Outcome: ...

    def look_up(self, call: Call) -> Outcome | None:
        """The outcome of the call with this key; None if the provider has no such call. Refused, with the
        reason AMOUNT_DIFFERS, if the amount, the currency or the hold is another one than the call's.
        """
        ...

    def webhook(self, headers: Mapping[str, str], body: bytes) -> list[Event]:
        """The events in a webhook request of the provider. Raises Problem if the signature is wrong."""
        ...

    def report(self, from_at: int, until_at: int) -> Iterable[ReportRow]:
        """What the provider executed from `from_at` until before `until_at`, Unix seconds."""
        ...
