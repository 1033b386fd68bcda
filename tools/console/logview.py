"""The log of messages: the model's ring buffer, filtered. Only the visible lines are drawn."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import ClassVar

from paho.mqtt.client import topic_matches_sub
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message as TextualMessage
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tools.console.formatting import clean, clock
from tools.console.model import LOG_KEPT, LogEntry, Model
from tools.console.palette import Palette

DEVICE_WIDTH = 14
NAME_WIDTH = 14


def matches(entry: LogEntry, topic_filter: str, search: str, device_id: str | None) -> bool:
    """topic_filter: MQTT's own with + or #, else any part of the topic. News of the link is always shown."""
    reading = entry.reading
    if reading is None:
        return not search or search.casefold() in entry.text.casefold()
    if device_id is not None and reading.device_id != device_id:
        return False
    topic = reading.message.topic
    if topic_filter:
        if "+" in topic_filter or "#" in topic_filter:
            if not _matches_mqtt(topic_filter, topic):
                return False
        elif topic_filter.casefold() not in topic.casefold():
            return False
    if not search:
        return True
    wanted = search.casefold()
    if wanted in entry.text.casefold() or wanted in topic.casefold():
        return True
    return wanted in reading.message.payload.decode("utf-8", "replace").casefold()


def _matches_mqtt(topic_filter: str, topic: str) -> bool:
    try:
        return topic_matches_sub(topic_filter, topic)
    except ValueError:  # half typed: a/#/b
        return False


class LogView(ScrollView, can_focus=True):
    """Follows the newest message, until it is paused or the cursor is moved away from the end."""

    BORDER_TITLE = "Messages"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("home", "first", "First", show=False),
        Binding("end", "follow", "Follow", show=False),
        Binding("enter", "open", "Open message", show=False),
    ]

    class Opened(TextualMessage):
        """A message was chosen."""

        def __init__(self, entry: LogEntry):
            super().__init__()
            self.entry = entry

    def __init__(self) -> None:
        super().__init__(id="log")
        self.topic_filter = ""
        self.search = ""
        self.device_id: str | None = None
        self.paused = False
        self._entries: deque[LogEntry] = deque(maxlen=LOG_KEPT)  # what is shown, frozen while paused
        self._last_number = 0
        self._cursor: int | None = None  # index into _entries; None follows the end
        self._palette: Palette | None = None
        self._model = Model()

    @property
    def entries(self) -> list[LogEntry]:
        """What the log shows, oldest first."""
        return list(self._entries)

    @property
    def waiting(self) -> int:
        """Messages that came since the pause."""
        return self._model.entry_count - self._last_number

    def set_filters(self, topic_filter: str, search: str, device_id: str | None) -> None:
        """Shows the messages that the filters let through. A pause goes on, with the messages received so
        far.
        """
        self.topic_filter, self.search, self.device_id = topic_filter, search, device_id
        self._entries.clear()
        self._last_number = 0
        self._cursor = None
        self._take()
        self._redraw()

    def show(self, model: Model, palette: Palette) -> None:
        self._model = model
        if palette != self._palette:
            self._palette = palette
            self.refresh()
        if not self.paused and self._take():
            self._redraw()
        self._tell()

    def toggle_pause(self) -> None:
        if self.paused:
            self.action_follow()
        else:
            self.paused = True
            self._tell()

    # -- keys

    def action_move(self, lines: int) -> None:
        if self._entries:
            last = len(self._entries) - 1
            cursor = last if self._cursor is None else self._cursor
            self._cursor = min(max(0, cursor + lines), last)
            self.paused = True
            self._reveal()

    def action_page(self, pages: int) -> None:
        self.action_move(pages * max(1, self.size.height - 1))

    def action_first(self) -> None:
        self.action_move(-len(self._entries))

    def action_follow(self) -> None:
        """Shows the newest again, and goes on."""
        self.paused = False
        self._cursor = None
        self._take()
        self._redraw()
        self._tell()

    def action_open(self) -> None:
        if self._entries:
            self.post_message(self.Opened(self._entries[-1 if self._cursor is None else self._cursor]))

    def on_click(self, event: object) -> None:
        """The line that was clicked becomes the chosen one."""
        y = getattr(event, "y", None)
        if y is None or not self._entries:
            return
        self._cursor = min(int(self.scroll_y) + y, len(self._entries) - 1)
        self.paused = True
        self._reveal()

    def on_mouse_scroll_up(self) -> None:
        self.paused = True

    # -- drawing

    def _take(self) -> bool:
        """Moves new messages from the model into the shown ones. Returns whether there were any."""
        log = self._model.log
        new = min(self.waiting, len(log))
        if not new:
            return False
        for entry in islice(log, len(log) - new, None):
            if matches(entry, self.topic_filter, self.search, self.device_id):
                self._entries.append(entry)
        self._last_number = self._model.entry_count
        return True

    def _redraw(self) -> None:
        self.virtual_size = Size(self.size.width, len(self._entries))
        if not self.paused:
            self.scroll_end(animate=False, immediate=True)
        self.refresh()

    def _reveal(self) -> None:
        if self._cursor is not None:
            top, height = int(self.scroll_y), self.size.height
            if self._cursor < top:
                self.scroll_to(y=self._cursor, animate=False, immediate=True)
            elif self._cursor >= top + height:
                self.scroll_to(y=self._cursor - height + 1, animate=False, immediate=True)
        self.refresh()
        self._tell()

    def _tell(self) -> None:
        parts = []
        if self.device_id:
            parts.append(f"only {self.device_id}")
        if self.topic_filter:
            parts.append(f"topic {self.topic_filter}")
        if self.search:
            parts.append(f"with “{self.search}”")
        parts.append(f"{len(self._entries):,} of the last {len(self._model.log):,}")
        if self.paused:
            parts.append(f"PAUSED, {self.waiting:,} more" if self.waiting else "PAUSED")
        self.set_class(self.paused, "paused")
        self.border_subtitle = Text(clean(" · ".join(parts), 200))

    def render_line(self, y: int) -> Strip:
        index = int(self.scroll_y) + y
        width = self.size.width
        base = self.rich_style
        if index >= len(self._entries) or self._palette is None:
            return Strip.blank(width, base)
        text = line(self._entries[index], self._palette)
        if self.search:
            text.highlight_words([self.search], f"reverse {self._palette.accent}", case_sensitive=False)
        if index == self._cursor:
            base += Style(reverse=True)
        segments = list(Segment.apply_style(text.render(self.app.console), base))
        return Strip(segments).adjust_cell_length(width, base)


def line(entry: LogEntry, palette: Palette) -> Text:
    """One line of the log. Text from outside has its control characters escaped."""
    text = Text(no_wrap=True, end="")
    text.append(clock(entry.at_ms), palette.dim).append("  ")
    if entry.link is not None:
        style = palette.good if entry.link.up else f"bold {palette.bad}"
        return text.append(f"{'━━' if entry.link.up else '╌╌'} {clean(entry.text)}", style)
    reading = entry.reading
    if reading is None or reading.name is None:
        topic = clean(reading.message.topic, 60) if reading else ""
        return text.append(f"{topic}  ", palette.warn).append(entry.text, palette.dim)
    text.append(f"{reading.device_id or '':<{DEVICE_WIDTH}} ", "bold")
    text.append(f"{reading.name:<{NAME_WIDTH}} ", palette.of_topic(reading.name))
    text.append_text(palette.seal(reading.seal)).append(" ")
    if reading.problem:
        text.append(f"{reading.problem}  ", f"bold {palette.bad}")
    text.append(entry.text, palette.dim if reading.problem else "")
    if reading.message.retained:
        text.append("  retained", palette.dim)
    return text
