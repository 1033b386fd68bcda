"""The system that `make run` has started, as the demo uses it. The demo checks it first and leaves one more
receipt there.

The demo registers its pile there once and stores its key in demo/ of the data folder, for the next demo. A
second demo at the same time takes another pile.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from cloud_stub.orders import states
from tools.demo.screen import Screen
from tools.harness.api_client import ApiError
from tools.harness.phone import FINAL_STATES, Phone, PhoneOrder
from tools.harness.processes import Child, ProcessError
from tools.harness.system import PileIdentity, System
from tools.run import Run, code_mark

NAME = "Demo pile"
PILES_AT_ONCE = 20
SETTLE_TIMEOUT_S = 15
OFFLINE_TIMEOUT_S = 20


class NotUsable(Exception):
    """The demo must not use this system; the text says why."""


class RunningSystem(System):
    """A system that another process has started and will end. Only the piles started here end here."""

    def __init__(self, data: Path, run: Run):
        super().__init__(
            data,
            http_port=run.http_port,
            mqtt_port=run.mqtt_port,
            operator_token=os.environ.get("RATELOCK_OPERATOR_TOKEN") or None,
        )
        self._run = run

    def start(self) -> None:
        """Checks that the demo can use the system. Raises NotUsable, ApiError."""
        if self._run.serves_others:
            raise NotUsable(f"{' and '.join(self._run.serves_others)} may make it more than a trial")
        if self._run.code != code_mark():
            raise NotUsable("it runs other code than is here now; start it again")
        if self.phone.get("/readyz").status != 200:
            raise NotUsable("it does not reach its database or its broker")
        try:
            answer = self.operator.get("/api/piles?limit=1")
        except OSError as error:
            raise NotUsable(f"its operator token cannot be read ({error.strerror})") from error
        if answer.status != 200:
            raise NotUsable("the operator token here is not its own (RATELOCK_OPERATOR_TOKEN)")

    def flash_folder(self, device_id: str) -> Path:
        """Next to the pile's key, because flash and key belong together."""
        return self._folder(device_id) / "flash"

    def stop_pile(self, child: Child) -> int:
        """Ends the pile, after it has settled an order that an interrupted demo left open."""
        try:
            self._settle_open(child.name)
        except ApiError:  # the next demo will
            pass
        return super().stop_pile(child)

    def wait_until_offline(self, device_id: str) -> None:
        """Returns once the cloud shows the pile offline. Raises ProcessError."""
        deadline = time.monotonic() + OFFLINE_TIMEOUT_S
        while self._is_online(device_id):
            if time.monotonic() > deadline:
                raise ProcessError(f"{device_id} still counts as online {OFFLINE_TIMEOUT_S} s after its end")
            time.sleep(0.02)

    @contextmanager
    def pile(self, screen: Screen) -> Iterator[PileIdentity]:
        """A pile that no other demo uses, offline and without an open order. Raises NotUsable, ApiError."""
        for number in range(1, PILES_AT_ONCE + 1):
            device_id = f"DEMO-{number}"
            folder = self._folder(device_id)
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with open(
                folder / "key.json", "a+", opener=lambda name, mode: os.open(name, mode, 0o600)
            ) as kept:
                try:
                    fcntl.flock(kept, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue  # of another demo
                identity = self._registered(device_id, kept)
                if identity and self._is_clean(identity, screen):
                    yield identity
                    return
        raise NotUsable(f"all of DEMO-1 to DEMO-{PILES_AT_ONCE} are in use or not ours")

    def _folder(self, device_id: str) -> Path:
        return self.data / "demo" / device_id

    def _registered(self, device_id: str, kept: IO[str]) -> PileIdentity | None:
        """The pile, registered if it is new. None if it was removed or its key is not stored here."""
        known = self.phone.get(f"/api/piles/{device_id}")
        if known.code == "PileRemoved":
            return None
        if known.code == "UnknownPile":
            identity = self.add_pile(device_id, name=NAME)
            # The flash of a pile from another database does not fit the settlement numbers of a new one.
            shutil.rmtree(self.flash_folder(device_id), ignore_errors=True)
            kept.truncate(0)
            json.dump({"key": identity.key}, kept)
            kept.flush()
            return identity
        kept.seek(0)
        try:
            return PileIdentity(device_id, json.load(kept)["key"], 1)
        except (ValueError, KeyError, TypeError):
            return None

    def _is_clean(self, identity: PileIdentity, screen: Screen) -> bool:
        """Whether it has no open order. Settles the order that a killed demo has left open."""
        if self._is_online(identity.device_id):
            return False
        if not self._open_orders(identity.device_id):
            return True
        screen.say(
            "system", f"{identity.device_id} was left in the middle of an order, which is settled first"
        )
        child = self.start_pile(identity)
        try:
            self.wait_until_online(identity.device_id, child)
        finally:
            self.stop_pile(child)
        self.wait_until_offline(identity.device_id)
        return not self._open_orders(identity.device_id)

    def _is_online(self, device_id: str) -> bool:
        return Phone(self.base_url).pile(device_id)["online"]

    def _open_orders(self, device_id: str) -> list[str]:
        """Their ids. Raises ApiError."""
        answer = self.operator.get(f"/api/orders?device_id={device_id}&limit=10")
        if answer.status != 200:
            raise ApiError(f"GET /api/orders: HTTP {answer.status}")
        return [order["order_id"] for order in answer.json()["items"] if order["state"] in states.HOLDING]

    def _settle_open(self, device_id: str) -> None:
        """Raises ApiError."""
        for order_id in self._open_orders(device_id):
            # The operator's token opens every order.
            order = PhoneOrder(self.phone, {"order_id": order_id, "token": self.operator_token})
            order.stop()
            order.wait_for_state("Settled", *FINAL_STATES, timeout_s=SETTLE_TIMEOUT_S)
