"""The messages on the full screen: filtered, searched, held still, opened, and whatever comes."""

from __future__ import annotations

from pathlib import Path

import pytest

from pile_protocol import topics
from tests.console import kit
from tests.console.screen import Screen, run, scenario
from tools.console.capture import Event, LinkChange, Message, Reader, Recorder
from tools.console.dialogs import MessageView
from tools.console.keys import none
from tools.console.model import LOG_KEPT


@scenario()
async def test_the_log_is_filtered_by_topic_and_searched(screen: Screen) -> None:
    await screen.feed([*kit.CHARGING, kit.message(topics.METER, device_id="PILE-2", power_mw=1_110_000)])
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
    await screen.feed(list(kit.CHARGING))
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
    flood: list[Event] = [
        kit.message(topics.METER, device_id=f"P-{n % piles:03}") for n in range(2 * LOG_KEPT)
    ]
    await screen.feed(flood)
    assert screen.app.model.message_count == 2 * LOG_KEPT
    assert len(screen.app.model.log) == len(screen.log.entries) == LOG_KEPT
    assert screen.table.row_count == piles
    assert screen.event_queue.lost == 0
    await screen.press("down", "end")
    assert "300" in screen.text()


@scenario()
async def test_a_replays_loss_of_its_broker_is_in_the_messages_alone(screen: Screen) -> None:
    screen.source.can_command = False
    await screen.feed(
        [*kit.CHARGING, LinkChange(kit.AT_MS, False, "connection lost"), LinkChange(kit.AT_MS, True, "back")]
    )
    assert screen.notices() == []
    assert "connection lost" in screen.text()


@scenario(keys=none())
async def test_without_keys_seals_are_shown_as_unchecked(screen: Screen) -> None:
    await screen.feed(list(kit.CHARGING))
    assert "? o-1  connector 1" in screen.text()


def test_everything_shown_is_recorded_and_a_full_disk_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "capture"
    recorder = Recorder(path)

    async def go(screen: Screen) -> None:
        await screen.feed(list(kit.CHARGING))
        await screen.until(lambda: "rec 4" in screen.text())
        recorder.close()

        def full(_lines: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(recorder, "_file", type("Full", (), {"writelines": staticmethod(full)})())
        await screen.feed([kit.message(topics.METER)])
        assert screen.notices() == ["the capture cannot be written any more: No space left on device"]
        await screen.until(lambda: "rec 4" not in screen.text())

    run(go, recorder=recorder)
    assert list(Reader(path).events()) == kit.CHARGING
