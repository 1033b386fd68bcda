"""Releases, and piles that take them, for the tests of rollouts."""

import hashlib
import io
import json
import time
import zipfile
from collections.abc import Callable
from typing import Any

from cloud_stub.cloud import Cloud
from pile_protocol import topics, wire
from tests.cloud.fakes import FakeLink, FakePile, open_sealed

SIGNATURE = "ab" * 64  # the cloud has no key: it cannot tell a right one
FILES = {"app.mpy": b"M\x06" + bytes(range(256)) * 12, "pile/session.mpy": b"the session"}


def sha256_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def manifest(number: int = 12, board: str = "sim", files: dict[str, bytes] = FILES, **other: Any) -> str:
    listed = [[name, len(data), sha256_of(data)] for name, data in files.items()]
    values = {"release": number, "version": "0.2.0", "board": board, "mpy": [6, 3], "files": listed}
    return json.dumps(values | other, separators=(",", ":"))


def entries(
    number: int = 12, boards: tuple[str, ...] = ("sim",), files: dict[str, bytes] = FILES
) -> dict[str, bytes]:
    """The entries of a good archive, by their names."""
    made = {f"files/{sha256_of(data)}": data for data in files.values()}
    for board in boards:
        made[f"{board}/manifest.json"] = manifest(number, board, files).encode()
        made[f"{board}/manifest.sig"] = SIGNATURE.encode()
    return made


def packed(made: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, data in made.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def archive(number: int = 12, **other: Any) -> bytes:
    return packed(entries(number, **other))


def asked(sha256: str, offset: int = 0, release: int = 12) -> dict[str, Any]:
    return {"release": release, "file": sha256, "offset": offset, "bytes": 1536}


class UpdatingPile(FakePile):
    """A pile whose hello tells that it can be updated over the air."""

    def __init__(
        self, pile: FakePile, link: FakeLink, release: int = 11, board: str = "sim", mpy: Any = (6, 3)
    ):
        super().__init__(pile.device_id, pile.key, pile.say)
        self.link = link
        self.firmware: dict[str, Any] = {
            "release": release,
            "board": board,
            "mpy": list(mpy),
            "fetches_manifest": True,
        }

    def come(self, **more: Any) -> None:
        """Connect, idle, with nothing to hand over."""
        self.firmware |= more
        self.hello(**self.firmware)
        self.report()

    def report(self, outbox: int = 0, order_id: str | None = None) -> None:
        connector = {"connector": 1, "status": "Available", "fault": None, "plugged": False}
        said = {"online": True, "connectors": [connector | {"order_id": order_id}], "outbox": outbox}
        self._say(topics.STATUS, said)

    def say_update(self, state: str, release: int | None = 12, **more: Any) -> None:
        said = {"state": state, **more} | ({"release": release} if release else {})
        self._say(topics.UPDATE_STATUS, said)

    def updates(self, name: str = topics.UPDATE) -> list[dict[str, Any]]:
        """The messages of that topic that were sent to it, each checked as the pile checks it."""
        return [open_sealed(name, data, self.key) for data in self.link.sent(self.device_id, name)]

    def chunks(self, count: int = 0) -> list[dict[str, Any]]:
        """The chunks that were sent to it, once there are so many."""
        sent = self.link.wait_for(self.device_id, topics.UPDATE_CHUNK, count)
        return [wire.decode(topics.UPDATE_CHUNK, data) for data in sent]

    def ask(self, sha256: str, offset: int = 0) -> None:
        self._say(topics.UPDATE_ASK, asked(sha256, offset))

    def update(self, release: int = 12) -> None:
        """Take the offer, and run the release."""
        self.say_update("Downloading", release, done_bytes=0, total_bytes=100)
        self.say_update("Verifying", release, done_bytes=100, total_bytes=100)
        self.say_update("Trial", release)
        self.come(release=release, on_trial=True)
        self.say_update("Confirmed", release)
        self.firmware["on_trial"] = False  # which no hello tells until it connects again


class Rollouts:
    """The operator's side, and the clock of the periodic jobs."""

    def __init__(
        self, operator: Callable[..., Any], cloud: Cloud, add_pile: Callable[..., FakePile], link: FakeLink
    ):
        self.operator = operator
        self.cloud = cloud
        self._add_pile = add_pile
        self._link = link

    def pile(self, device_id: str, online: bool = True, **firmware: Any) -> UpdatingPile:
        pile = UpdatingPile(self._add_pile(device_id, rate=None, online=False), self._link, **firmware)
        pile.come()
        if not online:
            pile.offline()
        return pile

    def piles(self, count: int, **firmware: Any) -> list[UpdatingPile]:
        return [self.pile(f"PILE-{number}", **firmware) for number in range(1, count + 1)]

    def start(self, release: int | None = 12, selection: str = "all", **other: Any) -> dict[str, Any]:
        body = {"selection": selection, **other} | ({"release": release} if release else {})
        answer = self.operator("POST", "/api/rollouts", body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def refused(self, **body: Any) -> dict[str, Any]:
        answer = self.operator("POST", "/api/rollouts", body)
        assert answer.status_code >= 400
        return answer.json()

    def do(self, what: str, rollout_id: int = 1) -> Any:
        return self.operator("POST", f"/api/rollouts/{rollout_id}/{what}")

    def step(self, after_s: int = 0, times: int = 1) -> None:
        for _ in range(times):
            self.cloud.jobs.run_once(int(time.time()) + after_s)

    def view(self, rollout_id: int = 1) -> dict[str, Any]:
        return self.operator("GET", f"/api/rollouts/{rollout_id}").json()

    def states(self, rollout_id: int = 1) -> dict[str, str]:
        items = self.operator("GET", f"/api/rollouts/{rollout_id}/piles?limit=500").json()["items"]
        return {each["device_id"]: each["state"] for each in items}

    def audit(self) -> list[str]:
        with self.cloud.store.reading.connect() as conn:
            actions = conn.exec_driver_sql("SELECT action FROM audit ORDER BY id").scalars().all()
        return [action for action in actions if action.startswith("Rollout")]
