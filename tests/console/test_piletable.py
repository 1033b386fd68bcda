"""The table of piles under a person's hands."""

from __future__ import annotations

from pile_protocol import topics
from tests.console import kit
from tests.console.screen import Screen, scenario


@scenario()
async def test_the_chosen_pile_stays_chosen_while_a_filter_is_typed_and_cleared(screen: Screen) -> None:
    """Its rows are made anew each time, and the cursor fell back to the first of them."""
    await screen.feed([kit.message(topics.METER, device_id=f"PILE-{n}") for n in range(1, 13)])
    screen.table.select("PILE-11")
    await screen.edit("p", "1")
    await screen.until(lambda: screen.table.row_count == 4)
    assert screen.table.selected == "PILE-11"
    await screen.leave("escape")
    await screen.until(lambda: screen.table.row_count == 12)
    assert screen.table.selected == "PILE-11"
