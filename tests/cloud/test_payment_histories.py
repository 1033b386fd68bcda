"""Whatever comes in which order, of outcomes, retries, kills and webhooks: no money is lost or doubled."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given
from hypothesis import settings as of_hypothesis
from hypothesis import strategies as st
from sqlalchemy import text

from cloud_stub.base.clock import now_s
from cloud_stub.cloud import Cloud
from cloud_stub.payments import calls, holds, port
from cloud_stub.payments.reconciliation import reconcile
from tests.cloud.conftest import Phone
from tests.cloud.fakes import FakePile, new_key
from tests.cloud.test_holds import behave, books, by_hand, run, settings  # noqa: F401

DAY_S = 86_400
FAULTS = ("none", "late", "silent", "refused", "killed before", "killed after")
# What happens at the first, second and third call of each kind.
PLANS = st.fixed_dictionaries(
    {kind: st.lists(st.sampled_from(FAULTS), max_size=3) for kind in port.KINDS} | {"action": st.booleans()}
)
ENDS = st.sampled_from(["bill", "bill", "bill", "flag", "zero", "reject"])
CREDITS = st.lists(st.sampled_from([1, 100, 350]), max_size=2)
STEPS = st.lists(
    st.one_of(
        st.just(("again", None)),
        st.just(("end", None)),
        st.just(("end", None)),
        st.tuples(st.just("decide"), st.sampled_from(["release", "waive"])),
        st.tuples(st.just("credit"), st.sampled_from([1, 100, 350])),
        st.tuples(st.just("run"), st.sampled_from([0, 10, 200, 2000])),
        st.tuples(st.just("run"), st.sampled_from([0, 10, 200, 2000])),
        st.tuples(st.just("webhook"), st.integers(0, 2)),
        st.just(("retry", None)),
    ),
    max_size=12,
)
HISTORIES = st.lists(st.tuples(ENDS, PLANS, STEPS, st.booleans(), CREDITS), min_size=1, max_size=2)


class Killed(port.ProviderSilent):
    """The process is gone: nothing after this point was done, as nothing is after a silence."""


class World:
    """A driver, a pile and an operator who do any of STEPS, and a provider with any of FAULTS."""

    def __init__(self, cloud: Cloud, phone: Phone, pile: FakePile, operator: Any, behave: Any, books: Any):  # noqa: F811
        self.cloud, self.phone, self.pile = cloud, phone, pile
        self.operator, self.behave, self.books = operator, behave, books
        self.body: dict[str, Any] | None = None
        self.key = new_key()
        self.ends_with = ""
        self.faults: dict[str, list[str]] = {}
        self.seen: set[str] = set()
        self._lock = threading.Lock()
        self._perform = cloud.cashier.perform
        cloud.cashier.perform = self.perform

    def perform(self, call: port.Call, look_first: bool) -> port.Outcome:
        """One call, with the next fault of its kind."""
        with self._lock:  # the provider's behaviour is that of one call
            return self._perform_with_fault(call, look_first)

    def _perform_with_fault(self, call: port.Call, look_first: bool) -> port.Outcome:
        faults = self.faults.get(call.kind)
        fault = faults.pop(0) if faults else "none"
        self.seen.add(f"{call.kind}: {fault}")
        if fault == "killed before":
            raise Killed
        action = {"action": True} if self.faults.get("action") else {}
        told: dict[str, Any] = {"late": [call.kind]} if fault == "late" else {}
        told = {"silent": [call.kind]} if fault == "silent" else told
        told = {"refuse": {call.kind: "no"}} if fault == "refused" else told
        self.behave(**told, **action)
        outcome = self._perform(call, look_first)
        if fault == "killed after":
            raise Killed
        return outcome

    def order(self, ends_with: str, faults: dict[str, list[str]]) -> None:
        self.faults = {name: value[:] if isinstance(value, list) else value for name, value in faults.items()}
        self.key, self.body, self.ends_with = new_key(), self.phone.body(cost_minor=1000), ends_with
        self.phone.order_id = ""
        self.again(None)

    def again(self, _: None) -> None:
        """The driver confirms once more, after the provider's step if it asked for one."""
        made = self.phone.client.post("/api/orders", json=self.body, headers=self.key)
        if made.status_code == 201:
            self.phone.order_id, self.phone.token = made.json()["order_id"], made.json()["token"]
        self.faults.pop("action", None)

    def end(self, _: None) -> None:
        """The order ends as it is to end."""
        if not self.phone.order_id or self.phone.get()["state"] != "Pending":
            return
        if self.ends_with == "reject":
            self.pile.order_status(self.phone.order_id, "Rejected", reason="ConnectorBusy")
            return
        self.pile.order_status(self.phone.order_id, "Accepted")
        lies = {"total_minor": 1} if self.ends_with == "flag" else {}
        self.pile.settle(self.phone.message(self.pile), 0 if self.ends_with == "zero" else 2_500_000, **lies)

    def decide(self, decision: str) -> None:
        for each in self.operator("GET", "/api/settlements?flagged=true").json()["items"]:
            said = {"decision": decision, "note": "a test"}
            self.operator("POST", f"/api/settlements/{each['id']}/review", said)

    def credit(self, minor: int) -> None:
        body = {"amount_minor": minor, "reason": "a test"}
        headers = new_key() | {"Authorization": f"Bearer {self.cloud.operator_token}"}
        self.phone.client.post(f"/api/orders/{self.phone.order_id}/credits", json=body, headers=headers)

    def run(self, after_s: int) -> None:
        run(self.cloud, after_s=after_s)

    def webhook(self, place: int) -> None:
        """The provider tells of one of its newest calls, perhaps again, perhaps before it has answered."""
        told = self.books("SELECT key FROM calls WHERE state != 'ActionNeeded' ORDER BY at DESC")
        if place < len(told):
            self.behave()
            self.cloud.cashier.hear(told[place][0]).result()

    def retry(self, _: None) -> None:
        for each in self.operator("GET", "/api/payments?limit=3").json()["items"]:
            self.operator("POST", f"/api/payments/{each['hold_id']}/retry")

    def come_to_rest(self, gives_up: bool) -> None:
        """Everything that waits for somebody is done; after some time all works again."""
        if not gives_up:
            self.again(None)
            self.again(None)
        self.end(None)
        self.run(0)
        self.decide("release")
        for after_s in (3000, 6000, 9000, 12_000):
            self.run(after_s)
            self.retry(None)
            if after_s == 6000:
                self.faults = {}


def is_right(world: World) -> None:
    with world.cloud.store.reading.connect() as conn:
        ours = [holds.find(conn, each) for (each,) in conn.execute(text("SELECT hold_id FROM payment_holds"))]
        made = {row.hold_id: holds.calls_of(conn, row.hold_id) for row in ours if row}
        bills = "SELECT order_id, total_minor, (SELECT coalesce(sum(amount_minor), 0) FROM credits"
        bills += " WHERE credits.order_id = orders.order_id) FROM orders"
        due = {order_id: (total or 0) - credited for order_id, total, credited in conn.execute(text(bills))}
    theirs = {
        row[0]: row[1:] for row in world.books("SELECT hold_id, captured_minor, refunded_minor FROM holds")
    }
    sums: Counter[str] = Counter()
    for hold in filter(None, ours):
        done = Counter(call.kind for call in made[hold.hold_id] if call.state == calls.DONE)
        assert not any(call.state == calls.OPEN for call in made[hold.hold_id]), "a call is left open"
        held_minor = hold.amount_minor if done[port.AUTHORIZE] else 0
        is_held = held_minor and not done[port.CAPTURE] + done[port.RELEASE]
        assert held_minor == hold.captured_minor + hold.released_minor + (held_minor if is_held else 0)
        assert done[port.CAPTURE] + done[port.RELEASE] <= 1
        assert (hold.captured_minor, hold.refunded_minor) == theirs.get(hold.hold_id, (0, 0))
        assert hold.refunded_minor <= hold.captured_minor
        assert not is_held, "something is held for nothing"
        if hold.order_id is None:
            assert hold.captured_minor == 0
        else:
            assert hold.captured_minor - hold.refunded_minor == max(0, due[hold.order_id])
        sums.update(holds=1 if held_minor else 0, held_minor=held_minor, captured_minor=hold.captured_minor)
        sums.update(released_minor=hold.released_minor, refunded_minor=hold.refunded_minor)
    assert +sums == reported(world)
    now = now_s()
    found = reconcile(world.cloud.store, world.cloud.cashier.adapter, now - DAY_S, now + DAY_S, now)
    assert found["differences"] == [] and found["rows_ours"] == found["rows_theirs"]


def reported(world: World) -> Counter[str]:
    first, last = (time.strftime("%Y-%m-%d", time.gmtime(now_s() + day * DAY_S)) for day in (-1, 1))
    rows = world.operator("GET", f"/api/reports/payments?from={first}&to={last}").json()["rows"]
    sums: Counter[str] = Counter()
    for row in rows:
        sums.update({name: row[name] for name in row if name == "holds" or name.endswith("_minor")})
    return +sums


def histories(examples: int) -> Callable[[Any], Any]:
    checks = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
    limits = of_hypothesis(max_examples=examples, deadline=None, suppress_health_check=checks)
    return lambda test: limits(given(history=HISTORIES)(test))


@pytest.fixture
def world(
    cloud: Cloud,
    phone: Phone,
    pile: FakePile,
    operator: Any,
    behave: Any,  # noqa: F811
    books: Any,  # noqa: F811
) -> World:
    return World(cloud, phone, pile, operator, behave, books)


def live(world: World, history: list[Any]) -> None:
    for ends_with, faults, steps, gives_up, credited in history:
        world.order(ends_with, faults)
        for name, value in steps:
            getattr(world, name)(value)
        world.come_to_rest(gives_up)
        for minor in credited:
            world.credit(minor)
        world.come_to_rest(gives_up=True)
    for each in sorted(world.seen):
        event(each)
    world.seen.clear()
    is_right(world)


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
@histories(10)
def test_a_history_of_payments_ends_right(world: World, history: list[Any]):
    live(world, history)


@pytest.mark.long
@pytest.mark.timeout(3600)
@histories(200)
def test_many_histories_of_payments_end_right(world: World, history: list[Any]):
    live(world, history)
