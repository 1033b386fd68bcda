"""The full-screen console: every TICK_S it passes new events to the model and then shows the model."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path
from typing import ClassVar, Protocol

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.css.query import NoMatches
from textual.widgets import DataTable, Input, Sparkline, Static

from pile_protocol import topics
from tools.console import commands, detail
from tools.console.capture import Event, LinkChange, Recorder
from tools.console.dialogs import Choice, Confirm, MessageView
from tools.console.errors import CaptureError, CommandError
from tools.console.event_queue import EventQueue
from tools.console.formatting import clean, kw
from tools.console.keybar import KeyBar
from tools.console.keys import Keys
from tools.console.logview import LogView
from tools.console.model import Model, Pile
from tools.console.palette import THEME, Palette
from tools.console.piletable import PileTable
from tools.console.power import KEPT_S
from tools.console.reading import read
from tools.console.top_bar import Facts, bar

TICK_S = 0.1
# Upper limit per tick, so that keys are handled. A busy machine draws less often and loses no messages.
INTAKE_S = 0.3
BATCH = 200
# The least number of columns; a narrower screen shows the detail in place of the table.
BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]


class Source(Protocol):
    """Where events come from: tools.console.mqtt_source or .replay."""

    name: str
    can_command: bool

    def now_ms(self) -> int: ...

    def publish(self, topic: str, payload: bytes) -> bool: ...


class ConsoleApp(App[None]):
    """event_queue: what the source fills. recorder: takes everything that is shown."""

    TITLE = "RateLock"
    CSS_PATH = Path(__file__).with_name("app.tcss")
    HORIZONTAL_BREAKPOINTS = BREAKPOINTS
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "pause", "Pause"),
        Binding("slash", "edit('search')", "Search", key_display="/"),
        Binding("f", "edit('topic')", "Topic"),
        Binding("p", "edit('pile')", "Piles"),
        Binding("o", "only", "Only it", tooltip="Messages of this pile only"),
        Binding("x", "next_fault", "Fault", tooltip="The next pile with a fault"),
        Binding("s", "stop", "Stop", tooltip="Stop an order of this pile"),
        Binding("r", "reset", "Reset", tooltip="Reset a fault of this pile"),
        Binding("d", "detail", "Detail"),
        Binding("escape", "clear", "Clear filters", show=False),
        Binding("question_mark", "help", "Keys", key_display="?"),
        Binding("q", "quit", "Quit"),
    ]

    def __init__(self, source: Source, event_queue: EventQueue, keys: Keys, recorder: Recorder | None = None):
        super().__init__()
        self.model = Model()
        self._source = source
        self._event_queue = event_queue
        self._keys = keys
        self._recorder = recorder
        self._shown_detail: tuple[str | None, int, int] | None = None
        self._editing = ""
        self.register_theme(THEME)
        self.theme = THEME.name

    def compose(self) -> ComposeResult:
        yield Static(id="bar")
        with Horizontal(id="upper"):
            yield PileTable()
            with VerticalScroll(id="detail") as pane:
                pane.border_title = "Pile"
                yield Static(id="who")
                yield Sparkline([], id="curve")
                yield Static(id="detail-axis")
                yield Static(id="page")
        with Vertical(id="filters"):
            yield Input(id="filter")
        yield LogView()
        yield KeyBar(id="keys")

    def on_mount(self) -> None:
        self.query_one(PileTable).focus()
        if not self.is_headless:
            # An exception in a signal handler would leave the terminal in its full-screen mode.
            asyncio.get_running_loop().add_signal_handler(
                signal.SIGTERM, self.exit, None, 128 + signal.SIGTERM
            )
            # Without a terminal, a regular end could wait for ever to draw. Captures are written already.
            signal.signal(signal.SIGHUP, signal.SIG_DFL)
        self.set_interval(TICK_S, self._tick)

    @property
    def palette(self) -> Palette:
        return Palette.of(self.theme_variables)

    @property
    def pile(self) -> Pile | None:
        """The selected one."""
        return self.model.piles.get(self.query_one(PileTable).selected or "")

    # -- the cycle

    def _tick(self) -> None:
        self._take_in()
        if len(self.screen_stack) > 1:
            return  # everything goes on below a dialog, without being drawn
        try:
            self._show()
        except NoMatches:  # the app is ending: its widgets go one by one, before its timers
            pass

    def _take_in(self) -> None:
        until_s = time.monotonic() + INTAKE_S
        while events := self._event_queue.take(BATCH):
            for event in events:
                if isinstance(event, LinkChange):
                    self._take_link(event)
                else:
                    self.model.apply(read(event, self._keys.get))
            self._record(events)
            if time.monotonic() >= until_s:
                break

    def _take_link(self, change: LinkChange) -> None:
        was_up = self.model.link.up
        self.model.apply_link(change)
        if not self._source.can_command:
            return  # a replay shows the changes of its connection among the messages
        if was_up and not change.up:
            self.notify(clean(change.text, 200), title="Broker gone", severity="error", markup=False)
        elif change.up and self.model.losses:
            self.notify("Messages of the time between are not here.", title="Broker back", markup=False)

    def _record(self, events: list[Event]) -> None:
        if self._recorder is None:
            return
        try:
            self._recorder.write(events)
        except CaptureError as error:
            self._recorder = None
            self.notify(str(error), title="Not recording", severity="error", timeout=60, markup=False)

    def _show(self) -> None:
        now_ms = self._source.now_ms()
        palette = self.palette
        line = self.query_one("#bar", Static)
        line.update(bar(self.model, self._facts(), now_ms, line.content_size.width, palette))
        self.query_one(PileTable).show(self.model, now_ms, palette)
        self.query_one(LogView).show(self.model, palette)
        self._show_detail(now_ms, palette)

    def _facts(self) -> Facts:
        return Facts(
            source=self._source.name,
            is_live=self._source.can_command,
            ended=self._event_queue.ended,
            lost=self._event_queue.lost,
            recorded=self._recorder.count if self._recorder else None,
            keys=len(self._keys),
            keys_from=self._keys.source,
        )

    def _show_detail(self, now_ms: int, palette: Palette) -> None:
        pile = self.pile
        state = (pile.device_id if pile else None, pile.version if pile else 0, now_ms // 1000)
        if state == self._shown_detail:
            return
        self._shown_detail = state
        who, axis, page = (self.query_one(f"#{name}", Static) for name in ("who", "detail-axis", "page"))
        curve = self.query_one("#curve", Sparkline)
        curve.display = axis.display = pile is not None
        if pile is None:
            who.update(Text("No pile has said anything yet.", palette.dim))
            page.update("")
            return
        values = pile.curve.values_mw(now_ms // 1000)
        # The newest second is at the right edge, also while the curve is still young.
        curve.data = [0] * (KEPT_S - len(values)) + values
        peak = max(values, default=0)
        who.update(detail.heading(pile, now_ms, palette))
        axis.update(f"{kw(pile.power_mw(now_ms))} now, {kw(peak)} at most in {KEPT_S // 60} min")
        page.update(detail.page(pile, now_ms, palette))

    def on_data_table_row_highlighted(self, _event: DataTable.RowHighlighted) -> None:
        log = self.query_one(LogView)
        if log.device_id is not None and self.pile and log.device_id != self.pile.device_id:
            log.set_filters(log.topic_filter, log.search, self.pile.device_id)
        self._shown_detail = None

    # -- what keys do

    def action_pause(self) -> None:
        self.query_one(LogView).toggle_pause()

    def action_only(self) -> None:
        """The log shows the selected pile only, or all again."""
        log = self.query_one(LogView)
        pile = self.pile
        device_id = None if log.device_id or pile is None else pile.device_id
        log.set_filters(log.topic_filter, log.search, device_id)

    def action_next_fault(self) -> None:
        table = self.query_one(PileTable)
        ids = [row.key.value or "" for row in table.ordered_rows]
        start = table.cursor_row + 1 if ids else 0
        for device_id in ids[start:] + ids[:start]:
            if self.model.piles[device_id].faults:
                table.select(device_id)
                return
        self.notify("No pile has a fault.")

    def action_detail(self) -> None:
        if self.screen.has_class("-narrow"):
            self.screen.toggle_class("-detail")
        else:
            pane = self.query_one("#detail")
            pane.display = not pane.display

    def action_help(self) -> None:
        if self.screen.query("HelpPanel"):
            self.action_hide_help_panel()
        else:
            self.action_show_help_panel()

    def action_clear(self) -> None:
        """The list of keys first; in the input: that filter alone. Else: all of them."""
        if self.screen.query("HelpPanel"):
            self.action_hide_help_panel()
            return
        if self._editing:
            self._filter("")
            self._close_input()
            return
        self.query_one(LogView).set_filters("", "", None)
        table = self.query_one(PileTable)
        if table.filter:
            table.set_filter("", self.model)

    def action_edit(self, what: str) -> None:
        log, table = self.query_one(LogView), self.query_one(PileTable)
        words, value = {
            "search": ("Search in messages", log.search),
            "topic": (
                f"Topic: any part of it, or a filter such as {topics.topic('+', topics.ORDER)}",
                log.topic_filter,
            ),
            "pile": ("Piles whose id contains", table.filter),
        }[what]
        self._editing = ""  # the value set here is no edit
        box = self.query_one("#filter", Input)
        box.value = value
        box.border_title = words
        box.border_subtitle = "enter keeps it, esc clears it"
        self._editing = what
        self.query_one("#filters").add_class("open")
        box.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        self._filter(event.value)

    def _filter(self, text: str) -> None:
        """Sets the filter that is being edited to `text`."""
        log = self.query_one(LogView)
        if self._editing == "search":
            log.set_filters(log.topic_filter, text, log.device_id)
        elif self._editing == "topic":
            log.set_filters(text, log.search, log.device_id)
        elif self._editing == "pile":
            self.query_one(PileTable).set_filter(text, self.model)

    def on_input_submitted(self, _event: Input.Submitted) -> None:
        self._close_input()

    def _close_input(self) -> None:
        was = self._editing
        self._editing = ""
        self.query_one("#filters").remove_class("open")
        (self.query_one(PileTable) if was == "pile" else self.query_one(LogView)).focus()

    def on_log_view_opened(self, event: LogView.Opened) -> None:
        self.push_screen(MessageView(event.entry, self.palette))

    # -- commands

    def action_stop(self) -> None:
        pile = self.pile
        choices = []
        for each in pile.running if pile else []:
            if each.order_id:
                choices.append(Choice(f"Stop on connector {each.number}", (each.number, each.order_id)))
        orders = "\n".join(f"connector {number}: {order}" for number, order in (c.value for c in choices))
        self._ask("Stop order", "runs no order", f"It ends and is billed at once.\n{orders}", choices)

    def action_reset(self) -> None:
        pile = self.pile
        faults = [(each.number, each.fault or "") for each in (pile.faults if pile else [])]
        choices = [Choice(f"Reset connector {number}", (number, "")) for number, _ in faults]
        words = "\n".join(f"connector {number}: {fault}" for number, fault in faults)
        self._ask("Reset fault", "has no fault", f"Is its cause gone? It may charge again.\n{words}", choices)

    def _ask(self, title: str, nothing: str, words: str, choices: list[Choice]) -> None:
        """Asks, and sends the chosen command. Shows the reason if none can be sent."""
        pile = self.pile
        if pile is None:
            return
        device_id = pile.device_id
        if not self._source.can_command:
            self.notify("A replay sends nothing.", severity="warning")
        elif not choices:
            self.notify(f"{device_id} {nothing}.", severity="warning", markup=False)
        elif self._keys.get(device_id) is None:
            self.notify(
                f"No key of {device_id} is at hand (--keys FILE, or RATELOCK_DATA).",
                severity="warning",
                markup=False,
            )
        else:

            def answered(value: tuple[int, str] | None) -> None:
                if value is not None:
                    self._command(device_id, *value)

            self.push_screen(Confirm(f"{title}: {device_id}", words, choices), answered)

    def _command(self, device_id: str, connector: int, order_id: str) -> None:
        """Stops `order_id`, or without one resets the fault of `connector`."""
        key = self._keys.get(device_id)
        if key is None:
            return
        try:
            if order_id:
                topic, payload = commands.stop(device_id, order_id, key)
            else:
                topic, payload = commands.reset(device_id, connector, key)
            if not self._source.publish(topic, payload):
                raise CommandError("No connection to the broker: nothing was sent.")
        except CommandError as error:
            self.notify(str(error), title="Not sent", severity="error", markup=False)
            return
        self.notify("The pile's answer shows in the messages.", title="Sent", markup=False)
