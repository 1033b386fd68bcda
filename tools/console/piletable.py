"""The live table of piles. Only changed cells are drawn, once per tick and not once per message."""

from __future__ import annotations

import re

from rich.text import Text
from textual.widgets import DataTable

from tools.console.formatting import age, kw, kwh, money, size
from tools.console.model import Model, Pile, Presence
from tools.console.palette import Palette

# (key, label, width)
COLUMNS = (
    ("online", "", 1),
    ("pile", "Pile", 12),
    ("connectors", "Connectors", 20),
    ("power", "Power", 9),
    ("energy", "Energy", 11),
    ("cost", "Cost", 11),
    ("fault", "Fault", 20),
    ("outbox", "Out", 3),
    ("seen", "Seen", 6),
    ("clock", "Clock", 5),
    ("heap", "Heap free", 11),
    ("firmware", "Firmware", 16),
    ("order", "Order", 26),
)
# The most important columns. As many of them as fit completely come first.
WANTED = (
    *("online", "pile", "connectors", "power", "fault", "energy", "cost", "seen", "outbox"),
    *("clock", "heap", "firmware", "order"),
)
ID_MAX = 32
WORDS_MAX = 2  # up to this many connectors are listed; more are counted
RIGHT = frozenset({"power", "energy", "cost", "outbox", "heap", "seen"})


def natural(device_id: str) -> list[tuple[int, str]]:
    """A sort key that puts PILE-2 before PILE-10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"([0-9]+)", device_id)]


def cells(pile: Pile, now_ms: int, palette: Palette) -> dict[str, Text]:
    """What a pile's row shows, by column key."""
    presence = pile.presence(now_ms)
    power_mw = pile.power_mw(now_ms)
    running = [each for each in pile.running if each.is_live(now_ms)]
    status = pile.status or {}
    orders = [each.order_id for each in pile.running if each.order_id]
    cost = energy = ""
    if running:
        energy = kwh(sum(each.meter["energy_mwh"] for each in running if each.meter))
        kinds = {pile.money(each.order_id) for each in running}
        if len(kinds) == 1:  # amounts of two currencies have no sum
            cost = money(sum(each.meter["cost_minor"] for each in running if each.meter), *kinds.pop())
    outbox = status.get("outbox")
    outbox_style = palette.bad if status.get("outbox_full") else palette.warn if outbox else palette.dim
    clock = status.get("clock", "")
    gone = "" if presence is Presence.ONLINE else palette.dim
    faults = ", ".join(f"{each.number} {each.fault}" for each in pile.faults)
    texts = {
        "online": palette.presence(presence),
        "pile": Text(pile.device_id, f"bold {gone}".strip()),
        "connectors": _connectors(pile, presence, palette),
        "power": Text(kw(power_mw) if power_mw else "", palette.primary),
        "energy": Text(energy),
        "cost": Text(cost),
        "fault": Text(faults, f"bold {palette.bad}"),
        "outbox": Text("" if outbox is None else str(outbox), outbox_style),
        "seen": Text(age(now_ms - pile.heard_ms) if pile.heard_ms else "", palette.dim),
        "clock": Text(clock, palette.warn if clock == "Unset" else palette.dim),
        "heap": Text(size(status["heap_free_bytes"]) if "heap_free_bytes" in status else "", palette.dim),
        "firmware": Text(status.get("firmware", ""), palette.dim),
        "order": Text(orders[0] if len(orders) == 1 else f"{len(orders)} orders" if orders else ""),
    }
    for key, text in texts.items():
        text.no_wrap = True
        text.overflow = "ellipsis"
        if key in RIGHT:
            text.justify = "right"
    return texts


def _connectors(pile: Pile, presence: Presence, palette: Palette) -> Text:
    states = pile.in_order()
    if presence in (Presence.OFFLINE, Presence.SILENT):
        return Text(presence.value, palette.dim)
    text = Text()
    if len(states) <= WORDS_MAX:
        for each in states:
            text.append(("  " if text else "") + each.word, palette.of_status(each.word))
        return text
    words = [each.word for each in states]
    for word in dict.fromkeys(words):
        text.append(("  " if text else "") + f"{words.count(word)} {word}", palette.of_status(word))
    return text


def columns_for(width: int, padding: int) -> list[tuple[str, int]]:
    """(key, width) of all columns in their order on a screen of `width`: first those that fit, as a whole.

    The width left over goes to the column of ids.
    """
    width_of = {key: wide for key, _, wide in COLUMNS}
    left = width
    fitting = set()
    for key in WANTED:
        if width_of[key] + padding <= left:
            fitting.add(key)
            left -= width_of[key] + padding
    for key, most in (("pile", ID_MAX), ("connectors", width)):
        if key not in fitting:
            continue
        more = max(0, min(left, most - width_of[key]))
        width_of[key] += more
        left -= more
    in_order = sorted(width_of, key=lambda key: key not in fitting)  # stable: else as in COLUMNS
    return [(key, width_of[key]) for key in in_order]


class PileTable(DataTable[Text]):
    """`show` brings it up to date with the model."""

    BORDER_TITLE = "Piles"

    def __init__(self) -> None:
        super().__init__(id="piles", cursor_type="row", cursor_foreground_priority="renderable")
        self.filter = ""
        self._shown: dict[str, dict[str, Text]] = {}
        self._stale: set[str] = set()  # not looked at since the filter changed
        self._wanted: str | None = None  # the selected one, while there are no rows
        self._layout: list[tuple[str, int]] = []  # (key, width) of the columns as they stand

    def on_mount(self) -> None:
        self.fixed_columns = 2
        self._lay_out()

    def _lay_out(self) -> None:
        """Fill the screen with whole columns. The others follow to the right, where the table can be
        scrolled.
        """
        layout = columns_for(self.scrollable_content_region.width, 2 * self.cell_padding)
        if layout == self._layout:
            return
        self._layout = layout
        selected = self.selected
        label_of = {key: label for key, label, _ in COLUMNS}
        self.clear(columns=True)
        for key, column_width in layout:
            label = Text(label_of[key], justify="right" if key in RIGHT else "left")
            self.add_column(label, width=column_width, key=key)
        for device_id, now in self._shown.items():
            self.add_row(*(now[key] for key, _ in layout), key=device_id)
        self._sort(selected)

    def _sort(self, selected: str | None) -> None:
        self.sort("pile", key=lambda text: natural(text.plain))
        if selected:
            self.select(selected)

    @property
    def selected(self) -> str | None:
        """The device id under the cursor."""
        if not self.row_count:
            return None
        return self.coordinate_to_cell_key(self.cursor_coordinate).row_key.value

    def select(self, device_id: str) -> None:
        if device_id in self._shown:
            self.move_cursor(row=self.get_row_index(device_id))

    def set_filter(self, text: str, model: Model) -> None:
        """Shows only the piles whose id contains `text`."""
        self.filter = text.casefold()
        self._wanted = self.selected or self._wanted
        self.clear()
        self._shown.clear()
        self._stale = set(model.piles)

    def show(self, model: Model, now_ms: int, palette: Palette) -> None:
        self._lay_out()
        # A row outside the screen is redrawn when it is scrolled to: with 1,000 piles most rows are outside.
        new = (self._stale | model.changed) - self._shown.keys()
        model.changed.clear()
        selected = self.selected or self._wanted
        added = False
        for device_id in sorted(new | self._visible_ids(), key=natural):
            if self.filter not in device_id.casefold():
                continue
            now = cells(model.piles[device_id], now_ms, palette)
            before = self._shown.get(device_id)
            if before is None:
                self.add_row(*(now[column] for column, _ in self._layout), key=device_id)
                added = True
            else:
                for key, text in now.items():
                    if text != before[key] or text.style != before[key].style:
                        self.update_cell(device_id, key, text)
            self._shown[device_id] = now
        self._stale.clear()
        if added:
            self._sort(selected)
        total = len(model.piles)
        self.border_subtitle = f"{self.row_count} of {total}" if self.filter else str(total) if total else ""

    def _visible_ids(self) -> set[str]:
        """The rows on the screen, which are drawn again because their age changes."""
        top = int(self.scroll_y)
        rows = self.ordered_rows[top : top + self.size.height]
        return {row.key.value for row in rows if row.key.value}
