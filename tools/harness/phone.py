"""A phone: scan, confirm, watch, stop, pay. The demo and the system tests use it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from typing import Any

from tools.harness.api_client import ApiError, Client, Event, Response

FINAL_STATES = ("Paid", "Rejected", "Expired", "Cancelled", "Lost")


class PhoneOrder:
    """One order, as the phone that placed it may see and stop it."""

    def __init__(self, client: Client, placed: dict[str, Any]):
        self.order_id: str = placed["order_id"]
        self.placed = placed
        self.client = client.with_token(placed["token"])
        self._path = f"/api/orders/{self.order_id}"

    def view(self) -> dict[str, Any]:
        """The order as it is now. Raises ApiError."""
        return self.client.get(self._path).checked().json()

    def events(self, timeout_s: float = 20, lasts_s: float | None = None) -> Iterator[Event]:
        """`order` and `meter` events; the first is the present state. Raises ApiError, after lasts_s too."""
        return self.client.events(self._path + "/events", timeout_s, lasts_s)

    def wait_for_event(self, matches: Callable[[Event], bool], timeout_s: float = 30) -> Event:
        """The first event that `matches`. A stream that breaks off is opened again. Raises ApiError."""
        deadline = time.monotonic() + timeout_s
        last = "nothing"
        while time.monotonic() < deadline:
            try:
                for event in self.events(timeout_s, max(deadline - time.monotonic(), 0)):
                    last = f"{event.name} {event.data}"
                    if matches(event):
                        return event
                    if time.monotonic() > deadline:
                        break
                time.sleep(0.05)  # a stream that ended at once (a final state) is not asked without pause
            except ApiError as error:
                last = str(error)
                time.sleep(0.05)
        raise ApiError(
            f"order {self.order_id}: what was waited for did not come in {timeout_s:g} s; last: {last}"
        )

    def wait_for_state(self, *states: str, timeout_s: float = 30) -> dict[str, Any]:
        """The order once it is in one of `states`. Raises ApiError, at once where it ended in another one."""

        def is_there(event: Event) -> bool:
            if event.name != "order":
                return False
            state = event.data["state"]
            if state in FINAL_STATES and state not in states:
                raise OtherFinalState(f"order {self.order_id} ended as {state} ({event.data.get('reason')})")
            return state in states

        try:
            self.wait_for_event(is_there, timeout_s)
        except OtherFinalState as error:
            raise ApiError(str(error)) from error
        return self.view()

    def stop(self) -> Response:
        return self.client.post(self._path + "/stop")

    def pay(self, amount_minor: int) -> Response:
        return self.client.post(self._path + "/payment", {"amount_minor": amount_minor, "method": "test"})


class OtherFinalState(Exception):
    """The order reached another final state than the expected ones."""


class Phone:
    """A phone: it has no rights except the tokens of its orders."""

    def __init__(self, base_url: str):
        self.client = Client(base_url)

    def pile(self, device_id: str) -> dict[str, Any]:
        return self.client.get(f"/api/piles/{device_id}").checked().json()

    def rate(self, device_id: str) -> dict[str, Any]:
        return self.client.get(f"/api/piles/{device_id}/rate").checked().json()

    def confirm(
        self,
        device_id: str,
        rate_id: str,
        *,
        connector: int = 1,
        limits: dict[str, int] | None = None,
        idempotency_key: str | None = None,
    ) -> Response:
        """One confirmation, whatever the answer. limits: energy_mwh, cost_minor, duration_s."""
        body = {"device_id": device_id, "connector": connector, "rate_id": rate_id, "limits": limits or {}}
        key = idempotency_key or secrets.token_hex(16)
        return self.client.post("/api/orders", body, {"Idempotency-Key": key})

    def order(
        self, device_id: str, *, connector: int = 1, limits: dict[str, int] | None = None
    ) -> PhoneOrder:
        """Confirms the latest rate. Raises ApiError where the cloud refuses."""
        rate_id = self.rate(device_id)["rate_id"]
        answer = self.confirm(device_id, rate_id, connector=connector, limits=limits)
        return self.placed(answer.checked())

    def placed(self, answer: Response) -> PhoneOrder:
        """The order of a successful confirmation."""
        return PhoneOrder(self.client, answer.json())
