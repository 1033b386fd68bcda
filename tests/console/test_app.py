"""The full screen as a whole: its piles, the broker's state, the keys, and every size of a terminal."""

from __future__ import annotations

import itertools

from textual.widgets import Static

from pile_protocol import topics
from tests.console import kit
from tests.console.screen import Screen, scenario
from tools.console.capture import LinkChange
from tools.console.piletable import columns_for


@scenario()
async def test_a_charging_pile_is_in_the_table_the_detail_and_the_log(screen: Screen) -> None:
    await screen.feed(list(kit.CHARGING))
    shown = screen.text()
    for words in (
        *("mqtt://test:1883", "1 online", "1 charging", "1 keys (test)"),
        *("Charging  Available", "7.01 kW", "1.234 kWh", "1.98 CNY"),
        *("Connector 1", "18.02 CNY left", "in 3 min"),
        "✓ o-1  connector 1, at most 5.000 kWh",
    ):
        assert words in shown, f"{words!r} is not in\n{shown}"


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
        await screen.feed([kit.message(topics.STATUS, device_id=f"PILE-{number}", connectors=[kit.FAULT])])
    seen = []
    for _ in range(3):
        await screen.press("x")
        seen.append(screen.table.selected)
    assert seen == ["PILE-1", "PILE-3", "PILE-1"]


@scenario()
async def test_a_lost_broker_is_said_and_its_return_too(screen: Screen) -> None:
    await screen.feed(list(kit.CHARGING))
    await screen.feed([LinkChange(kit.AT_MS, False, "connection lost: [/x] Unspecified error")])
    await screen.until(lambda: screen.text().count("connection lost: [/x] Unspecified error") >= 2)
    await screen.feed([LinkChange(kit.AT_MS, True, "connected")])
    await screen.until(lambda: "1 broker losses" in screen.text())
    assert screen.notices() == [
        "connection lost: [/x] Unspecified error",
        "Messages of the time between are not here.",
    ]


@scenario(size=(80, 24))
async def test_a_small_terminal_shows_the_detail_in_the_table_s_place(screen: Screen) -> None:
    await screen.feed(list(kit.CHARGING))
    assert "Connector 1" not in screen.text()
    await screen.press("d")
    await screen.until(lambda: "Connector 1" in screen.text())
    await screen.press("d")
    await screen.until(lambda: "Connectors" in screen.text())


@scenario(size=(60, 24))
async def test_nothing_is_cut_on_60_columns(screen: Screen) -> None:
    """The top line ended after "1 charging", the energy read "5.", and half of the keys were out of sight."""
    await screen.feed(
        [*kit.CHARGING, LinkChange(kit.AT_MS, False, "gone"), LinkChange(kit.AT_MS, True, "back")]
    )
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
    await screen.feed(list(kit.CHARGING))
    assert [key for key, _ in columns_for(50, 2)][:4] == ["online", "pile", "connectors", "power"]
    for width in range(40, 200):
        ends = list(itertools.accumulate(wide + 2 for _, wide in columns_for(width, 2)))
        assert width in ends, f"a column is cut at {width}"
    assert "7.01 kW" in next(
        line for line in screen.text().split("\n") if "● PILE-1" in line.replace("  ", " ")
    )


@scenario()
async def test_question_mark_lists_the_keys(screen: Screen) -> None:
    for close in ("question_mark", "escape"):
        await screen.press("question_mark")
        await screen.until(lambda: "The next pile with a fault" in screen.text())
        await screen.press(close)
        await screen.until(lambda: "The next pile with a fault" not in screen.text())


@scenario(size=(60, 20))
async def test_the_bar_is_one_line(screen: Screen) -> None:
    await screen.feed(list(kit.CHARGING))
    assert screen.app.query_one("#bar", Static).size.height == 1
