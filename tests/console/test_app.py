"""The full screen, through Textual's own pilot: no broker, a source in our hands."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Button, Static

from pile_protocol import messages, seal, topics
from tests.console import kit
from tools.terminal.app import ConsoleApp
from tools.terminal.capture import Event, LinkChange, Message, Reader, Recorder
from tools.terminal.dialogs import Confirm, MessageView
from tools.terminal.handoff import Handoff
from tools.terminal.keys import Keys, none
from tools.terminal.logview import LogView
from tools.terminal.model import LOG_KEPT
from tools.terminal.piletable import PileTable, columns_for

TIMEOUT_S = 20
KEYS = Keys(lambda: {kit.DEVICE: kit.KEY}, "test")
CHARGING = [LinkChange(kit.AT_MS, True, "connected")] + [
    kit.message(name) for name in (topics.RATE, topics.STATUS, topics.ORDER, topics.METER)
]
FAULT = {"connector": 2, "status": "Faulted", "fault": "GroundFailure", "plugged": False, "order_id": None}


class FakeSource:
    """Keeps what is published; `connected` says whether it can be."""

    name = "mqtt://test:1883"
    can_command = True

    def __init__(self) -> None:
        self.connected = True
        self.published: list[tuple[str, bytes]] = []

    def now_ms(self) -> int:
        return kit.AT_MS + 1_000

    def publish(self, topic: str, payload: bytes) -> bool:
        if self.connected:
            self.published.append((topic, payload))
        return self.connected


class TalkativeApp(ConsoleApp):
    """Keeps what pops up."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.notices: list[str] = []

    def notify(self, message: str, **options: Any) -> None:
        self.notices.append(message)
        super().notify(message, **options)


class Screen:
    """The running app with what a person does and sees."""

    def __init__(self, app: TalkativeApp, pilot: Pilot[None], handoff: Handoff, source: FakeSource):
        self.app = app
        self.pilot = pilot
        self.handoff = handoff
        self.source = source
        self.log = app.query_one(LogView)
        self.table = app.query_one(PileTable)

    async def feed(self, events: list[Event]) -> None:
        """Gives events and waits until they are on the screen."""
        before = self.app.model.entry_count
        for event in events:
            self.handoff.put(event)
        await self.until(lambda: self.app.model.entry_count == before + len(events))
        await self.shown()

    async def shown(self) -> None:
        """Waits until the screen has caught up with the model."""
        await self.until(lambda: not self.app.model.changed and (self.log.paused or not self.log.waiting))
        await self.pilot.pause()

    async def until(self, holds: Callable[[], object]) -> None:
        deadline = time.monotonic() + TIMEOUT_S
        while not holds():
            assert time.monotonic() < deadline, f"never came true:\n{self.text()}"
            await self.pilot.pause(0.01)

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def edit(self, key: str, text: str) -> None:
        """Opens the input with `key` and types `text` into it."""
        await self.press(key)
        await self.until(lambda: self.app.focused is self.app.query_one("#filter"))
        await self.press(*text)

    async def leave(self, key: str) -> None:
        """Leaves the input with `key`."""
        await self.press(key)
        await self.until(lambda: self.app.focused is not self.app.query_one("#filter"))

    def text(self) -> str:
        """What is on the screen."""
        width, height = self.app.size
        strips = self.app.screen._compositor.render_strips()
        return "\n".join(strip.text for strip in strips[:height])[: (width + 1) * height]

    def notices(self) -> list[str]:
        """Everything that popped up, though it may be gone again."""
        return self.app.notices


def run(
    what: Callable[[Screen], Coroutine[Any, Any, None]],
    *,
    keys: Keys | None = None,
    size: tuple[int, int] = (160, 48),
    recorder: Recorder | None = None,
) -> None:
    """Runs `what` against a fresh app."""

    async def go() -> None:
        handoff, source = Handoff(), FakeSource()
        app = TalkativeApp(source, handoff, KEYS if keys is None else keys, recorder)
        async with app.run_test(size=size) as pilot:
            await what(Screen(app, pilot, handoff, source))

    asyncio.run(go())


def scenario(**options: Any) -> Callable[[Callable[[Screen], Awaitable[None]]], Callable[[], None]]:
    """Makes a coroutine about a Screen a test."""

    def decorate(what: Callable[[Screen], Any]) -> Callable[[], None]:
        def test() -> None:
            run(what, **options)

        test.__name__, test.__doc__ = what.__name__, what.__doc__
        return test

    return decorate


@scenario()
async def test_a_charging_pile_is_in_the_table_the_detail_and_the_log(screen: Screen) -> None:
    await screen.feed(list(CHARGING))
    shown = screen.text()
    for words in (
        *("mqtt://test:1883", "1 online", "1 charging", "1 keys (test)"),
        *("Charging  Available", "7.01 kW", "1.234 kWh", "1.98 CNY"),
        *("Connector 1", "18.02 CNY left", "in 3 min"),
        "✓ o-1  connector 1, at most 5.000 kWh",
    ):
        assert words in shown, f"{words!r} is not in\n{shown}"


@scenario()
async def test_stopping_an_order_asks_first_and_sends_what_the_pile_understands(screen: Screen) -> None:
    await screen.feed(list(CHARGING))
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
    status = kit.message(topics.STATUS, connectors=[kit.VALID[topics.STATUS]["connectors"][0], FAULT])
    await screen.feed([*CHARGING, status])
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
    await screen.feed(list(CHARGING))
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
    await screen.feed(list(CHARGING))
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
    await screen.feed(list(CHARGING))
    await screen.press("s")
    await screen.until(lambda: screen.notices())
    assert screen.notices() == ["A replay sends nothing."]


@scenario()
async def test_the_log_is_filtered_by_topic_and_searched(screen: Screen) -> None:
    await screen.feed([*CHARGING, kit.message(topics.METER, device_id="PILE-2", power_mw=1_110_000)])
    await screen.edit("f", "meter")
    await screen.until(lambda: len(screen.log.entries) == 3)  # and the news of the link
    await screen.leave("enter")
    await screen.edit("slash", "1.11")
    await screen.until(lambda: len(screen.log.entries) == 1)
    assert screen.log.entries[0].reading and screen.log.entries[0].reading.device_id == "PILE-2"
    await screen.leave("escape")  # the search alone
    await screen.until(lambda: len(screen.log.entries) == 3)
    await screen.press("escape")  # everything
    await screen.until(lambda: len(screen.log.entries) == 6)
    await screen.edit("f", "pile/v1/+/order")
    await screen.until(lambda: [e.reading.name for e in screen.log.entries if e.reading] == ["order"])
    await screen.leave("enter")
    await screen.edit("slash", "[b]x")
    await screen.until(lambda: not screen.log.entries)
    assert "with “[b]x”" in screen.text()


@scenario()
async def test_the_log_of_one_pile_follows_the_selection(screen: Screen) -> None:
    await screen.feed([kit.message(topics.METER, device_id=f"PILE-{number}") for number in (1, 2, 10)])
    await screen.press("down", "o")
    await screen.until(lambda: screen.log.device_id == "PILE-2")
    assert len(screen.log.entries) == 1
    await screen.press("down")
    await screen.until(lambda: screen.log.device_id == "PILE-10")
    await screen.press("o")
    await screen.until(lambda: len(screen.log.entries) == 3)


@scenario()
async def test_a_pause_holds_the_log_still_and_loses_nothing(screen: Screen) -> None:
    await screen.feed([kit.message(topics.METER)])
    await screen.press("space")
    await screen.feed([kit.message(topics.METER) for _ in range(7)])
    assert len(screen.log.entries) == 1
    await screen.until(lambda: "PAUSED, 7 more" in screen.text())
    await screen.press("space")
    await screen.until(lambda: len(screen.log.entries) == 8)


@scenario()
async def test_moving_up_in_the_log_pauses_and_enter_opens_the_message(screen: Screen) -> None:
    await screen.feed(list(CHARGING))
    screen.log.focus()
    await screen.press("up", "enter")
    await screen.until(lambda: isinstance(screen.app.screen, MessageView))
    assert screen.log.paused
    assert '"order_id": "o-1"' in screen.text()
    assert "seal: good" in screen.text()
    await screen.press("escape")
    await screen.press("end")
    assert not screen.log.paused


@scenario()
async def test_piles_are_sorted_as_people_count_and_can_be_filtered(screen: Screen) -> None:
    await screen.feed([kit.message(topics.METER, device_id=name) for name in ("PILE-10", "PILE-9", "EAST-1")])
    assert [row.key.value for row in screen.table.ordered_rows] == ["EAST-1", "PILE-9", "PILE-10"]
    await screen.edit("p", "pile")
    await screen.until(lambda: screen.table.row_count == 2)
    await screen.leave("escape")
    await screen.until(lambda: screen.table.row_count == 3)


@scenario()
async def test_x_goes_to_the_next_pile_with_a_fault(screen: Screen) -> None:
    await screen.feed([kit.message(topics.METER, device_id=f"PILE-{number}") for number in range(5)])
    await screen.press("x")
    await screen.until(lambda: screen.notices() == ["No pile has a fault."])
    for number in (1, 3):
        await screen.feed([kit.message(topics.STATUS, device_id=f"PILE-{number}", connectors=[FAULT])])
    seen = []
    for _ in range(3):
        await screen.press("x")
        seen.append(screen.table.selected)
    assert seen == ["PILE-1", "PILE-3", "PILE-1"]


@scenario()
async def test_a_lost_broker_is_said_and_its_return_too(screen: Screen) -> None:
    await screen.feed(list(CHARGING))
    await screen.feed([LinkChange(kit.AT_MS, False, "connection lost: [/x] Unspecified error")])
    await screen.until(lambda: screen.text().count("connection lost: [/x] Unspecified error") >= 2)
    await screen.feed([LinkChange(kit.AT_MS, True, "connected")])
    await screen.until(lambda: "1 broker losses" in screen.text())
    assert screen.notices() == [
        "connection lost: [/x] Unspecified error",
        "Messages of the time between are not here.",
    ]


@scenario()
async def test_junk_shows_as_text_and_breaks_nothing(screen: Screen) -> None:
    junk = [b"[red]hello[/", b"\x1b]0;owned\x07\x1b[2J", b"\xff\xfe", b"", b"[" * 9_000, b'{"a":"[/b]"}']
    names = ["PILE-1/status", "PILE-1/order", "[b]/status", "\x1b[31m/status", "PILE-1/x"]
    events: list[Event] = [
        Message.arrived(kit.AT_MS, topics.PREFIX + name, raw, False) for name in names for raw in junk
    ]
    await screen.feed(events)
    shown = screen.text()
    assert "[red]hello[/" in shown
    assert "\\x1b]0;owned" in shown
    assert kit.is_harmless(shown.replace("\n", ""))
    screen.log.focus()
    for _ in junk:
        await screen.press("enter")
        await screen.until(lambda: isinstance(screen.app.screen, MessageView))
        assert kit.is_harmless(screen.text().replace("\n", ""))
        await screen.press("escape")
        await screen.press("up")


@scenario()
async def test_a_flood_leaves_the_screen_alive_and_everything_bounded(screen: Screen) -> None:
    piles = 300
    flood: list[Event] = [kit.message(topics.METER, device_id=f"P-{n % piles:03}") for n in range(20_000)]
    await screen.feed(flood)
    assert screen.app.model.message_count == 20_000
    assert len(screen.app.model.log) == len(screen.log.entries) == LOG_KEPT
    assert screen.table.row_count == piles
    assert screen.handoff.lost == 0
    await screen.press("down", "end")
    assert "300" in screen.text()


@scenario(size=(80, 24))
async def test_a_small_terminal_shows_the_detail_in_the_table_s_place(screen: Screen) -> None:
    await screen.feed(list(CHARGING))
    assert "Connector 1" not in screen.text()
    await screen.press("d")
    await screen.until(lambda: "Connector 1" in screen.text())
    await screen.press("d")
    await screen.until(lambda: "Connectors" in screen.text())


@scenario(size=(60, 24))
async def test_nothing_is_cut_on_60_columns(screen: Screen) -> None:
    """The top line ended after "1 charging", the energy read "5.", and half of the keys were out of sight."""
    await screen.feed([*CHARGING, LinkChange(kit.AT_MS, False, "gone"), LinkChange(kit.AT_MS, True, "back")])
    lines = screen.text().split("\n")
    for words in ("1 ch", "0 f", "7.01 kW", "/s", "1 losses", "1 keys"):
        assert words in lines[0], lines[0]
    assert "…" not in lines[0]
    [header] = [line for line in lines if "Connectors" in line]
    assert header.split() == ["│", "Pile", "Connectors", "Power", "Seen", "│"]
    [row] = [line for line in lines if "Charging" in line and "PILE-1" in line]
    assert "7.01 kW" in row
    for key in ("space Pause", "s Stop", "r Reset", "d Detail", "? Keys", "q Quit"):
        assert key in "\n".join(lines[-2:]), lines[-2:]


@scenario(size=(100, 30))
async def test_a_table_shows_whole_columns_at_every_width(screen: Screen) -> None:
    await screen.feed(list(CHARGING))
    assert [key for key, _ in columns_for(50, 2)][:4] == ["online", "pile", "connectors", "power"]
    for width in range(40, 200):
        ends = list(itertools.accumulate(wide + 2 for _, wide in columns_for(width, 2)))
        assert width in ends, f"a column is cut at {width}"
    assert "7.01 kW" in next(
        line for line in screen.text().split("\n") if "● PILE-1" in line.replace("  ", " ")
    )


@scenario()
async def test_a_replays_loss_of_its_broker_is_in_the_messages_alone(screen: Screen) -> None:
    screen.source.can_command = False
    await screen.feed(
        [*CHARGING, LinkChange(kit.AT_MS, False, "connection lost"), LinkChange(kit.AT_MS, True, "back")]
    )
    assert screen.notices() == []
    assert "connection lost" in screen.text()


@scenario(keys=none())
async def test_without_keys_seals_are_shown_as_unchecked(screen: Screen) -> None:
    await screen.feed(list(CHARGING))
    assert "? o-1  connector 1" in screen.text()


@scenario()
async def test_question_mark_lists_the_keys(screen: Screen) -> None:
    for close in ("question_mark", "escape"):
        await screen.press("question_mark")
        await screen.until(lambda: "The next pile with a fault" in screen.text())
        await screen.press(close)
        await screen.until(lambda: "The next pile with a fault" not in screen.text())


def test_everything_shown_is_recorded_and_a_full_disk_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "capture"
    recorder = Recorder(path)

    async def go(screen: Screen) -> None:
        await screen.feed(list(CHARGING))
        await screen.until(lambda: "rec 4" in screen.text())
        recorder.close()

        def full(_lines: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(recorder, "_file", type("Full", (), {"writelines": staticmethod(full)})())
        await screen.feed([kit.message(topics.METER)])
        assert screen.notices() == ["the capture cannot be written any more: No space left on device"]
        await screen.until(lambda: "rec 4" not in screen.text())

    run(go, recorder=recorder)
    assert list(Reader(path).events()) == CHARGING


def test_the_bar_is_one_line(tmp_path: Path) -> None:
    async def go(screen: Screen) -> None:
        await screen.feed(list(CHARGING))
        assert screen.app.query_one("#bar", Static).size.height == 1

    run(go, size=(60, 20))
