"""Stopping an order and resetting a fault on the full screen: asked first, sealed, or not sent and why."""

from __future__ import annotations

from textual.widgets import Button

from pile_protocol import messages, seal, topics
from tests.console import kit
from tests.console.screen import Screen, scenario
from tools.console.dialogs import Confirm


@scenario()
async def test_stopping_an_order_asks_first_and_sends_what_the_pile_understands(screen: Screen) -> None:
    await screen.feed(list(kit.CHARGING))
    await screen.press("s")
    await screen.until(lambda: isinstance(screen.app.screen, Confirm))
    assert screen.app.focused is screen.app.screen.query_one("#cancel", Button)
    await screen.press("enter")
    await screen.until(lambda: not isinstance(screen.app.screen, Confirm))
    assert not screen.source.published
    await screen.press("s")
    await screen.until(lambda: isinstance(screen.app.screen, Confirm))
    await screen.press("right", "enter")
    await screen.until(lambda: screen.source.published)
    [(topic, payload)] = screen.source.published
    assert topic == "pile/v1/PILE-1/command"
    seal.check(payload, kit.KEY)
    command = messages.decode(topics.COMMAND, payload)
    assert (command["action"], command["order_id"]) == ("stop", "o-1")
    assert 0 < command["expires_at"] - command["issued_at"] <= 300


@scenario()
async def test_resetting_a_fault_names_its_connector(screen: Screen) -> None:
    status = kit.message(topics.STATUS, connectors=[kit.VALID[topics.STATUS]["connectors"][0], kit.FAULT])
    await screen.feed([*kit.CHARGING, status])
    assert "2 GroundFailure" in screen.text()
    await screen.press("r")
    await screen.until(lambda: isinstance(screen.app.screen, Confirm))
    assert "connector 2: GroundFailure" in screen.text()
    await screen.press("right", "enter")
    await screen.until(lambda: screen.source.published)
    command = messages.decode(topics.COMMAND, screen.source.published[0][1])
    assert (command["action"], command["connector"]) == ("reset", 2)


@scenario()
async def test_escape_sends_nothing(screen: Screen) -> None:
    await screen.feed(list(kit.CHARGING))
    await screen.press("s")
    await screen.until(lambda: isinstance(screen.app.screen, Confirm))
    await screen.press("right", "escape")
    await screen.until(lambda: not isinstance(screen.app.screen, Confirm))
    assert not screen.source.published


@scenario()
async def test_why_no_command_can_be_sent_is_told(screen: Screen) -> None:
    await screen.press("s")  # no pile at all: nothing to say
    await screen.feed([kit.message(name, device_id="PILE-2") for name in (topics.STATUS, topics.METER)])
    await screen.press("r")
    await screen.press("s")
    await screen.until(lambda: len(screen.notices()) == 2)
    assert screen.notices()[0] == "PILE-2 has no fault."
    assert screen.notices()[1].startswith("No key of PILE-2 is at hand")


@scenario()
async def test_without_a_connection_a_command_is_not_kept_for_later(screen: Screen) -> None:
    await screen.feed(list(kit.CHARGING))
    screen.source.connected = False
    await screen.press("s")
    await screen.until(lambda: isinstance(screen.app.screen, Confirm))
    await screen.press("right", "enter")
    await screen.until(lambda: screen.notices())
    assert screen.notices() == ["No connection to the broker: nothing was sent."]
    assert not screen.source.published


@scenario()
async def test_a_replay_sends_nothing(screen: Screen) -> None:
    screen.source.can_command = False
    await screen.feed(list(kit.CHARGING))
    await screen.press("s")
    await screen.until(lambda: screen.notices())
    assert screen.notices() == ["A replay sends nothing."]
