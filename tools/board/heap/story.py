"""What must succeed in a small heap: order, charge, settlement, a lost broker, a second order; and where the
firmware lies in a slot, the download of an update.

Piles with heaps of many sizes do them at the same time, with a real broker and cloud. The smallest heap that
succeeds is the result. One more pile has a large heap and reports after each stage how many bytes were alive.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from tools.board.heap.interpreters import BOARD, FACTOR_64, Interpreter
from tools.harness.api_client import ApiError
from tools.harness.phone import Phone, PhoneOrder
from tools.harness.processes import Child, Children, ProcessError
from tools.harness.release_server import PUBLIC_KEY, Release, ReleaseServer
from tools.harness.system import DEMO_RATE, PileIdentity, System
from tools.image import files, slot

KIB = 1024
WATCHED_KIB = 4_096
ONLINE_S = 30  # of all piles of a stage together; with TLS the time server is tried for 6 s first
ORDER_S = 25
CHARGE_S = 2
UPDATE_S = 120  # for all of them, some 2.5 KB a second each
RELEASE = 1


@dataclass(frozen=True)
class Case:
    """form: a key of interpreters.build_forms. tls: whether MQTT runs over TLS."""

    form: str
    tls: bool

    def __str__(self) -> str:
        return self.form + (" with TLS" if self.tls else "")


@dataclass
class _Pile:
    identity: PileIdentity
    kib: int
    child: Child
    watched: bool
    failed: str | None = None
    order: PhoneOrder | None = None
    live_bytes: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """smallest_kib: None where not even the largest heap was enough. orders_kib: the same without the update.
    live_bytes: the most alive until each stage was over. why: what became of the largest heap that was too
    small.
    """

    smallest_kib: int | None
    orders_kib: int | None
    live_bytes: dict[str, int]
    why: str | None


class Story:
    """One case, on a system that was started with a TLS port.

    rig_bytes: what the interpreter and the rig (a chip's own modules, in Python) take before the firmware
    comes. They have heap of their own on top of each size.
    """

    def __init__(self, system: System, interpreter: Interpreter, form: Path, case: Case, rig_bytes: int):
        self._system = system
        self._interpreter = interpreter
        self._form = form
        self._case = case
        self._rig_bytes = rig_bytes
        self._phone = Phone(system.base_url)
        self._deadline = 0.0

    def run(self, sizes_kib: Sequence[int], rate: dict[str, object] = DEMO_RATE) -> Result:
        """sizes_kib: heaps to try, of a 32-bit interpreter. Raises ApiError, ProcessError."""
        with Children() as children:
            piles = [self._start(children, kib, rate) for kib in sizes_kib]
            watched = self._start(children, WATCHED_KIB, rate, watched=True)
            piles.append(watched)
            self._stage(piles, "online", self._online, ONLINE_S)
            for number in (1, 2):
                self._stage(piles, f"order {number} placed", self._place)
                self._stage(piles, f"order {number} settled", self._settled, ORDER_S)
                if number == 1:
                    self._system.broker.stop()
                    self._system.broker.start()
                    self._stage(piles, "online again", self._online, ONLINE_S)
            orders_kib = _smallest(piles)
            if self._form.is_dir():
                with closing(ReleaseServer(self._system.broker)) as server:
                    self._stage(piles, "update offered", lambda pile: self._offer(server, pile))
                    self._stage(piles, "update fetched", self._fetched, UPDATE_S)
            failed = [pile for pile in piles if pile.failed]
            why = max(failed, key=lambda pile: pile.kib) if failed else None
            said = why and f"{why.kib} KiB: {why.failed}"
            return Result(_smallest(piles), orders_kib, watched.live_bytes, said)

    def _start(self, children: Children, kib: int, rate: dict[str, object], watched: bool = False) -> _Pile:
        identity = self._system.add_pile()
        self._system.set_rate(identity.device_id, rate)
        flash = self._system.data / "piles" / identity.device_id
        flash.mkdir(parents=True)
        if self._form.is_dir():
            shutil.copytree(self._form, flash, dirs_exist_ok=True)
            (flash / slot.RELEASE_KEY).write_text(PUBLIC_KEY)
        broker = self._system.broker
        where: dict[str, object] = {"host": "127.0.0.1", "port": broker.port, "backoff_max_ms": 500}
        if self._case.tls:
            where |= {"port": broker.tls_port, "ca": "ca.pem"}
            (flash / "ca.pem").write_bytes((broker.certs / "ca.pem").read_bytes())
        config = {
            "device_id": identity.device_id, "key": identity.key, "broker": where,
            "wifi": {"ssid": "Courtyard", "password": "correct horse"},
        } | ({"ntp": "127.0.0.1:9"} if self._case.tls else {})  # fmt: skip
        path = flash / "config.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps(config))
        factor = 1 if self._interpreter.bits == 32 else FACTOR_64
        bytes_ = kib * KIB * factor + self._rig_bytes
        argv = self._interpreter.command(bytes_, self._form, "boot", *(["watch"] if watched else []))
        return _Pile(identity, kib, children.start(f"{kib} KiB", argv, cwd=flash), watched)

    def _stage(self, piles: list[_Pile], name: str, do: Callable[[_Pile], None], most_s: float = 0) -> None:
        """most_s: how long all piles together may take, so that many that fail take no longer than one."""
        self._deadline = time.monotonic() + most_s
        for pile in piles:
            if pile.failed:
                continue
            try:
                do(pile)
            except (ApiError, ProcessError) as error:
                lines = [line for line in pile.child.lines if "Error" in line or "memory" in line]
                pile.failed = "; ".join([f"{name}: {error}", *lines[-1:]])
            if pile.watched and pile.failed:
                raise ProcessError(
                    f"the pile with a heap in plenty failed too: {pile.failed}\n"
                    + "\n".join(pile.child.lines[-20:])
                )
            if pile.watched:
                reports = [json.loads(line) for line in pile.child.lines if line.startswith('{"live_bytes"')]
                pile.live_bytes[name] = max(each["live_bytes"] for each in reports) - self._rig_bytes

    def _offer(self, server: ReleaseServer, pile: _Pile) -> None:
        folder = self._form / slot.SLOTS[0]
        content = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.mpy")}
        release = Release(RELEASE, files.board_folder(BOARD), content)
        server.offer(pile.identity.device_id, bytes.fromhex(pile.identity.key), release)

    def _fetched(self, pile: _Pile) -> None:
        """Until the pile restarts into the release, which ends its process."""
        while not any("goes on trial" in line for line in pile.child.lines):
            try:
                self._check(pile)
            except ProcessError:
                if not any("goes on trial" in line for line in pile.child.lines):
                    raise

    def _online(self, pile: _Pile) -> None:
        """Until the cloud takes orders for it: a pile is online before it knows the time."""
        while True:
            view = self._phone.pile(pile.identity.device_id)
            if view["online"] and view["clock_set"]:
                return
            self._check(pile)

    def _check(self, pile: _Pile) -> None:
        """Waits a moment. Raises ProcessError if this pile cannot succeed any more."""
        pile.child.check_alive()
        if any("memory" in line for line in pile.child.lines):
            raise ProcessError("too little memory")
        if time.monotonic() > self._deadline:
            raise ProcessError("it took too long" + self._refused(pile))
        time.sleep(0.02)

    def _refused(self, pile: _Pile) -> str:
        """The cloud's log about a message of this pile that it refused; empty if there is none."""
        lines = self._system.cloud.lines if self._system.cloud else []
        found = [line for line in lines if "message_rejected" in line and pile.identity.device_id in line]
        return f"; the cloud refused {json.loads(found[-1])['detail']}" if found else ""

    def _place(self, pile: _Pile) -> None:
        pile.order = self._phone.order(pile.identity.device_id, limits={"duration_s": CHARGE_S})

    def _settled(self, pile: _Pile) -> None:
        if pile.order is None:
            raise ApiError("no order was placed")
        while (order := pile.order.view())["state"] != "Settled":
            self._check(pile)
        if order["reason"] != "TimeLimitReached":
            raise ApiError(f"settled by {order['reason']}")


def _smallest(piles: list[_Pile]) -> int | None:
    """The smallest heap that has not failed."""
    return min((pile.kib for pile in piles if not pile.failed and not pile.watched), default=None)
