"""Updates of real firmware in slots, over a real broker: a good one, bad ones, and an order between."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pile_protocol import topics
from tests.sim import SimPile
from tests.tap import Tap
from tests.updates.conftest import FIRST, sim_release
from tools.harness.phone import Phone
from tools.harness.release_server import ReleaseServer

pytestmark = pytest.mark.system

# In place of start.mpy of a release: what is wrong with it.
CRASHES = "raise ValueError('broken')"
EATS_THE_HEAP = "held = []\nwhile True:\n    held.append(bytearray(1_000_000_000))"
HANGS = "print('hangs')\nwhile True:\n    pass"
NEVER_CONNECTS = """
import builtins, io, json, sys

file_of = builtins.open


def wrong(path, *how):
    if path != "config.json" or how or sys.path[0] != "b":
        return file_of(path, *how)
    with file_of(path) as file:
        values = json.load(file)
    values["broker"]["port"] = 1
    return io.StringIO(json.dumps(values))


builtins.open = wrong
from begin import main
"""


FETCH_S = 60  # at ten parts a second, on a busy machine


def is_update(state: str, reason: str | None = None, release: int = FIRST + 1) -> Callable[[dict], bool]:
    def matches(message: dict) -> bool:
        found = message.get("release"), message["state"], message.get("reason")
        return found == (release, state, reason)

    return matches


def charge(phone: Phone, pile: SimPile, tap: Tap) -> None:
    """The pile takes orders again after its restart: one begins, is stopped, and settled."""

    def takes_orders(status: dict) -> bool:
        is_restarted = status.get("boots", 0) > 1 and status["clock"] == "Cloud"
        return is_restarted and status["connectors"][0]["status"] == "Available"

    tap.wait_for(pile.device_id, topics.STATUS, takes_orders)
    pile.wait_until_online()
    pile.wait_until(lambda view: view["connectors"][0]["status"] == "Available")
    order = phone.order(pile.device_id)
    order.wait_for_state("Charging")
    order.stop()
    order.wait_for_state("Settled", "Paid")


def test_a_release_is_fetched_tried_and_confirmed(slot_pile, server, release, tap: Tap, phone: Phone) -> None:
    pile = slot_pile()
    hello = tap.wait_for(pile.device_id, topics.HELLO)
    assert (hello["release"], hello["board"], hello["on_trial"]) == (FIRST, "sim", False)
    server.offer(pile.device_id, pile.key, release)
    told = tap.wait_for(pile.device_id, topics.UPDATE_STATUS, is_update("Downloading"))
    assert told["total_bytes"] == release.bytes
    hello = tap.wait_for(pile.device_id, topics.HELLO, lambda hello: hello["on_trial"], FETCH_S)
    assert hello["release"] == FIRST + 1
    tap.wait_for(pile.device_id, topics.UPDATE_STATUS, is_update("Confirmed"))
    assert not pile.count(lambda line: line.get("event") == "relay closed")
    charge(phone, pile, tap)
    pile.kill()
    pile.start()
    hello = [seen.json() for seen in tap.of(pile.device_id, topics.HELLO)][-1]
    assert (hello["release"], hello["on_trial"]) == (FIRST + 1, False)
    flash = pile.system.flash_folder(pile.device_id)
    assert (flash / "b" / "manifest.json").read_text() == release.manifest
    assert server.wire_bytes < 2 * release.bytes


@pytest.mark.long
def test_an_order_is_taken_during_a_download_and_settled_before_it_goes_on(
    slot_pile, server: ReleaseServer, release, tap: Tap, phone: Phone
) -> None:
    pile = slot_pile()
    server.may_answer = lambda _device_id, _question: len(server.questions) < 6
    server.offer(pile.device_id, pile.key, release)
    tap.wait_for(pile.device_id, topics.UPDATE_ASK, lambda _: len(server.questions) >= 6)
    order = phone.order(pile.device_id)
    order.wait_for_state("Charging")
    tap.wait_for(pile.device_id, topics.UPDATE_STATUS, is_update("Waiting", "OrderRuns"))
    server.may_answer = lambda _device_id, _question: True
    asked = len(server.questions)
    order.stop()
    order.wait_for_state("Settled", "Paid")
    assert len(server.questions) >= asked
    tap.wait_for(pile.device_id, topics.UPDATE_STATUS, is_update("Confirmed"), 40)
    assert server.questions[asked][1]["offset"] or server.questions[asked][1] != server.questions[0][1]


@pytest.mark.long
def test_releases_that_do_not_work_go_back_by_themselves(
    slot_pile, server: ReleaseServer, content: dict[str, bytes], tap: Tap, phone: Phone
) -> None:
    wrong = {
        "ValueError": CRASHES,
        "MemoryError": EATS_THE_HEAP,
        "NoCloud": NEVER_CONNECTS,
        "NotConfirmed": HANGS,
    }
    piles = {}
    for reason, source in wrong.items():
        files = {("begin.mpy" if name == "start.mpy" else name): data for name, data in content.items()}
        pile = piles[reason] = slot_pile(most_ms=4_000)
        server.offer(pile.device_id, pile.key, sim_release(files | {"start.py": source.encode()}))
    hanging = piles["NotConfirmed"]
    assert hanging.child
    for _ in range(3):  # its watchdog
        hanging.child.wait_for_line("hangs", timeout_s=40)
        hanging.kill()
        hanging.start(online=False)
    for reason, pile in piles.items():
        told = tap.wait_for(pile.device_id, topics.UPDATE_STATUS, is_update("FellBack", reason), 60)
        assert told["release"] == FIRST + 1
        hello = [seen.json() for seen in tap.of(pile.device_id, topics.HELLO)][-1]
        assert (hello["release"], hello["fell_back"]) == (FIRST, [FIRST + 1, reason])
        charge(phone, pile, tap)
        server.offer(pile.device_id, pile.key, sim_release(content))
        tap.wait_for(pile.device_id, topics.UPDATE_STATUS, is_update("Refused", "FellBackBefore"))
