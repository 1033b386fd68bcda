"""Dialogs: the confirmation before a command, and one message in full."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Static

from tools.console.formatting import clean, grouped, utc
from tools.console.model import LogEntry
from tools.console.palette import Palette
from tools.console.reading import Reading

LINES_MAX = 2_000


@dataclass(frozen=True)
class Choice:
    """One thing that may be done; `value` is what the dialog answers."""

    label: str
    value: tuple[int, str]


class Confirm(ModalScreen[tuple[int, str] | None]):
    """Asks first: nothing is chosen until a button other than Cancel is pressed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,n", "cancel", "Cancel"),
        Binding("left,up", "app.focus_previous", show=False),
        Binding("right,down", "app.focus_next", show=False),
    ]

    def __init__(self, title: str, words: str, choices: list[Choice]):
        super().__init__()
        self._title = title
        self._words = words
        self._choices = choices

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog") as dialog:
            dialog.border_title = Text(self._title)
            yield Static(Text(self._words), id="dialog-words")
            with Horizontal(id="dialog-buttons"):
                yield Button("Cancel", id="cancel")
                for i, choice in enumerate(self._choices):
                    yield Button(Text(choice.label), id=f"choice-{i}", variant="error")

    def on_mount(self) -> None:
        self.query_one("#cancel", Button).focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        name = event.button.id or ""
        self.dismiss(self._choices[int(name[7:])].value if name.startswith("choice-") else None)

    def action_cancel(self) -> None:
        self.dismiss(None)


class MessageView(ModalScreen[None]):
    """One message: what is known of it, and its payload, indented where it is JSON."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,enter", "dismiss", "Close")]

    def __init__(self, entry: LogEntry, palette: Palette):
        super().__init__()
        self._entry = entry
        self._palette = palette

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="message") as box:
            box.border_subtitle = "esc closes"
            reading = self._entry.reading
            if reading is None:
                yield Static(Text(clean(self._entry.text)))
                return
            box.border_title = Text(clean(reading.message.topic, 80))
            yield Static(self._facts(reading))
            yield Static(payload_text(reading, self._palette), id="payload")

    def on_mount(self) -> None:
        self.query_one("#message").focus()

    def _facts(self, reading: Reading) -> Text:
        message = reading.message
        text = Text(utc(message.at_ms), self._palette.dim)
        text.append(f"   {grouped(message.size_bytes)} bytes", self._palette.dim)
        if message.retained:
            text.append("   retained", self._palette.dim)
        text.append(f"   seal: {reading.seal}", self._palette.of_seal(reading.seal))
        if reading.problem:
            text.append(f"\n{reading.problem}", f"bold {self._palette.bad}")
        return text


def payload_text(reading: Reading, palette: Palette) -> Text:
    """The payload, safe to print."""
    raw = reading.message.payload.decode("utf-8", "backslashreplace")
    try:
        # ASCII only: whatever a string in it holds is spelled out.
        lines = json.dumps(json.loads(raw), indent=2).split("\n")
    except (ValueError, RecursionError):
        lines = [clean(raw[i : i + 400], 400) for i in range(0, len(raw), 400)]
    cut = len(lines) > LINES_MAX or reading.message.size_bytes > len(reading.message.payload)
    text = Text("\n".join(lines[:LINES_MAX]))
    text.highlight_regex(r'"(?:[^"\\\n]|\\.)*"(?=:)', palette.primary)
    text.highlight_regex(r'(?<=: )"(?:[^"\\\n]|\\.)*"', palette.good)
    text.highlight_regex(r"(?<=: )-?[0-9][0-9.eE+-]*|(?<=: )(?:true|false|null)", palette.accent)
    if cut:
        text.append("\n… cut", palette.warn)
    return text
