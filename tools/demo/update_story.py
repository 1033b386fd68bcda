"""`make demo ARGS=update`: an update over the air, a bad one, a forged one, a rollback, with real processes.

Every statement is checked before it is printed; a false one ends it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from pile_protocol import topics
from tools.demo.demo_system import own
from tools.demo.screen import Screen
from tools.demo.story import claim
from tools.harness.releases import ReleaseKey, broken, post, slot_options
from tools.harness.sim_pile import slot_content
from tools.harness.system import System
from tools.harness.tap import Tap

FIRST = 1
TRIAL_MS = (2_000, 30_000)  # a pile in the field: 60,000 and 1,800,000
OUTCOME_S = 120
POLL_S = 0.2
CRASHES = "raise ValueError('this release does not even start')"
NOTE = b'"""What is new in this release."""\n'
OUTCOMES = ("Confirmed", "Refused", "FellBack", "Lost")


def run(screen: Screen) -> str:
    """The whole story, on a system of its own; returns its last line. Raises what the parts below raise."""
    with own(screen) as (system, tap):
        return Updates(system, screen, tap).run()


class Updates:
    """One pile in slots, one operator, and who has the release key; in the order of the methods."""

    def __init__(self, system: System, screen: Screen, tap: Tap):
        self.system = system
        self.screen = screen
        self.tap = tap
        self.key = ReleaseKey(system.data)
        self.identity = system.add_pile("PILE-1", name="Demo pile")
        self.device_id = self.identity.device_id
        thief = system.data / "thief"
        thief.mkdir()
        self.stolen = ReleaseKey(thief)

    def run(self) -> str:
        extra = slot_options(self.key, FIRST, TRIAL_MS)
        self.screen.say(
            "operator", "makes a release key; the cloud never gets it, the pile has its public half"
        )
        pile = self.system.start_pile(self.identity, extra=extra)
        try:
            self.system.wait_until_online(self.device_id, pile)
            self._hello(lambda hello: hello["release"] == FIRST)
            self.screen.say("pile", f"{self.device_id} runs release {FIRST} in slot a, its relay open")
            self._good()
            self._bad()
            self._forged()
            self._rollback()
            closed = [line for line in pile.lines if '"relay closed"' in line]
            claim(not closed, "the relay stays open through all of it")
            self.screen.say("pile", "its relay was open all the time")
        finally:
            self.system.stop_pile(pile)
        return "DEMO OK release 2 confirmed, 3 went back, 4 was forged and refused, 5 rolled back"

    def _good(self) -> None:
        self._add(2, self.key, slot_content() | {"note.py": NOTE})
        rollout_id, state, _ = self._roll_out(2)
        claim(state == "Confirmed", f"release 2 is confirmed, and not {state}")
        self._runs(2)
        view = self._rollout(rollout_id)
        claim(view["state"] == "Finished", "the rollout has finished")
        self.screen.say("pile", "has answered the cloud on time, so release 2 stays, in slot b")

    def _bad(self) -> None:
        self._add(3, self.key, broken(CRASHES))
        rollout_id, state, reason = self._roll_out(3)
        claim((state, reason) == ("FellBack", "ValueError"), f"release 3 goes back, and not {state} {reason}")
        self._hello(lambda hello: hello.get("fell_back") == [3, "ValueError"])
        self._runs(2)
        self.screen.say("pile", "three starts of release 3 ended with ValueError: release 2 runs again")
        claim(self._rollout(rollout_id)["state"] in ("Halted", "Finished"), "nothing more is offered")
        refused = self.system.operator.post("/api/rollouts", {"release": 3, "selection": "all"})
        claim(refused.json().get("code") == "NothingToUpdate", "it is not offered again by itself")
        self.screen.say("cloud", "does not offer release 3 to this pile again unless a person says so")

    def _forged(self) -> None:
        self._add(4, self.stolen, slot_content(), "somebody with another key")
        _, state, reason = self._roll_out(4)
        claim(
            (state, reason) == ("Refused", "BadSignature"), f"the pile refuses it, and not {state} {reason}"
        )
        self.screen.say("pile", "refuses release 4: it is not signed with the release key")

    def _rollback(self) -> None:
        older = self.system.operator.post("/api/rollouts", {"release": 1, "selection": "all"})
        claim(older.status >= 400, "an older number is not offered")
        self.screen.say("operator", "rolls back: the files of release 1, signed again as release 5")
        self._add(5, self.key, slot_content())
        _, state, _ = self._roll_out(5)
        claim(state == "Confirmed", f"release 5 is confirmed, and not {state}")
        self._runs(5)

    def _add(
        self, number: int, key: ReleaseKey, content: dict[str, bytes], who: str = "who has the key"
    ) -> None:
        data = key.archive(number, content)
        post(self.system.operator, "/api/releases", data)
        self.screen.say("operator", f"adds release {number}, signed by {who}: {len(data)} bytes")

    def _roll_out(self, number: int) -> tuple[int, str, str | None]:
        """Start a rollout and show it until the pile has an outcome: (rollout, state, reason)."""
        started = post(self.system.operator, "/api/rollouts", {"release": number, "selection": "all"})
        rollout_id = started["rollout_id"]
        self.screen.say("operator", f"starts rollout {rollout_id} of release {number} to all piles")
        deadline = time.monotonic() + OUTCOME_S
        shown = None
        while time.monotonic() < deadline:
            (pile,) = self.system.operator.get(f"/api/rollouts/{rollout_id}/piles").json()["items"]
            if pile["state"] in OUTCOMES:
                self.tap.wait_for(self.device_id, topics.UPDATE_STATUS, _is_about(number, pile["state"]))
                self._wait_until_stepped(rollout_id)
                reason = f" ({pile['reason']})" if pile["reason"] else ""
                self.screen.say("cloud", f"release {number}: {pile['state']}{reason}")
                return rollout_id, pile["state"], pile["reason"]
            line = f"release {number}: {pile['state']}"
            if pile["state"] == "Downloading" and pile["total_bytes"]:
                line += f" {100 * pile['done_bytes'] // pile['total_bytes']:3} %"
            if line != shown:
                self.screen.progress("cloud", line)
            shown = line
            time.sleep(POLL_S)
        raise TimeoutError(f"release {number} has no outcome after {OUTCOME_S} s")

    def _wait_until_stepped(self, rollout_id: int) -> None:
        """Until the periodic jobs have seen the outcome."""
        deadline = time.monotonic() + OUTCOME_S
        while self._rollout(rollout_id)["state"] == "Running" and time.monotonic() < deadline:
            time.sleep(POLL_S)

    def _rollout(self, rollout_id: int) -> dict[str, Any]:
        return self.system.operator.get(f"/api/rollouts/{rollout_id}").json()

    def _runs(self, number: int) -> None:
        (pile,) = self.system.operator.get("/api/firmware").json()["items"]
        claim((pile["release"], pile["on_trial"]) == (number, False), f"the pile runs release {number}")

    def _hello(self, matches: Callable[[Any], bool]) -> dict[str, Any]:
        return self.tap.wait_for(self.device_id, topics.HELLO, matches, OUTCOME_S)


def _is_about(number: int, state: str) -> Callable[[Any], bool]:
    return lambda message: message.get("release") == number and message["state"] == state
