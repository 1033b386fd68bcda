"""All data of a pile as text: every field of its status and meters, its rate, its last bill."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from rich.text import Text

from pile_protocol import wire
from tools.console.formatting import age, clean, duration, grouped, kw, kwh, local, money, price, size
from tools.console.model import ConnectorState, Pile
from tools.console.palette import Palette
from tools.console.summary import Money

LABEL_WIDTH = 11
BAR_WIDTH = 14

# Members that have lines of their own: all that the wire's tables name.
_STATUS_SHOWN = frozenset(name for name, _, _ in wire.STATUS.fields)
_CONNECTOR_SHOWN = frozenset(name for name, _, _ in wire.CONNECTOR_STATUS.fields)
_METER_SHOWN = frozenset(name for name, _, _ in wire.METER.fields)


class _Page:
    """Lines of a heading, and of a label with its value."""

    def __init__(self, palette: Palette):
        self.text = Text()
        self._palette = palette
        self._has_rows = False

    def heading(self, words: str, *more: Text) -> None:
        if self._has_rows:
            self.text.append("\n")
        self._has_rows = False
        self.text.append(words, f"bold {self._palette.primary}")
        for each in more:
            self.text.append("  ").append_text(each)
        self.text.append("\n")

    def row(self, label: str, value: str | Text, style: str = "") -> None:
        self._has_rows = True
        self.text.append(f" {label:<{LABEL_WIDTH}} ", self._palette.dim)
        self.text.append_text(value if isinstance(value, Text) else Text(value, style))
        self.text.append("\n")

    def others(self, value: dict[str, Any], shown: frozenset[str]) -> None:
        """Members that a newer sender has added."""
        for name, member in value.items():
            if name not in shown:
                self.row(clean(name, LABEL_WIDTH), clean(repr(member), 120))


def page(pile: Pile, now_ms: int, palette: Palette) -> Text:
    """The detail pane below the power curve."""
    made = _Page(palette)
    for each in pile.in_order():
        _connector(made, pile, each, now_ms, palette)
    _status(made, pile, now_ms, palette)
    if pile.rate:
        _rate(made, pile.rate, now_ms, palette)
    if pile.settlement and pile.settlement.value:
        _settlement(made, pile.settlement.value, palette.seal(pile.settlement.seal), palette)
    return made.text


def heading(pile: Pile, now_ms: int, palette: Palette) -> Text:
    """The pile's name, its presence and its number of messages."""
    presence = pile.presence(now_ms)
    mark = palette.presence(presence)
    text = Text(overflow="ellipsis", no_wrap=True)
    text.append(pile.device_id, "bold").append("  ").append_text(mark)
    text.append(f" {presence.value}", mark.style)
    heard = f"  heard {age(now_ms - pile.heard_ms)}," if pile.heard_ms else " "
    text.append(f"{heard} {grouped(pile.message_count)} messages", palette.dim)
    if pile.problem_count:
        text.append(f", {grouped(pile.problem_count)} wrong", palette.bad)
    return text


def _connector(made: _Page, pile: Pile, state: ConnectorState, now_ms: int, palette: Palette) -> None:
    status = state.status
    more = [Text(state.word, palette.of_status(state.word))]
    if status:
        more.append(Text("plugged" if status["plugged"] else "not plugged", palette.dim))
    made.heading(f"Connector {state.number}", *more)
    if state.fault:
        made.row("fault", state.fault, f"bold {palette.bad}")
    if status and status["order_id"]:
        made.row("order", status["order_id"])
    if state.order_state:
        word, reason = state.order_state
        made.row("state", f"{word}, {reason}" if reason else word)
    if status:
        made.others(status, _CONNECTOR_SHOWN)
    if state.meter:
        _meter(made, state, pile.money(state.meter["order_id"]), now_ms, palette)


def _meter(made: _Page, state: ConnectorState, known: Money, now_ms: int, palette: Palette) -> None:
    meter = state.meter or {}
    is_live = state.is_live(now_ms)
    style = "" if is_live else palette.dim
    if not (state.is_metering and state.status and state.status["order_id"] == meter["order_id"]):
        made.row("order", meter["order_id"] + ("" if state.is_metering else " (the last)"), style)
    made.row("power", kw(meter["power_mw"]), f"bold {palette.primary}" if is_live else style)
    made.row("energy", kwh(meter["energy_mwh"]), style)
    made.row("cost", money(meter["cost_minor"], *known), style)
    made.row("elapsed", duration(meter["elapsed_s"]), style)
    left = meter["remaining"]
    if left["energy_mwh"] is not None:
        _left(made, meter["energy_mwh"], left["energy_mwh"], kwh(left["energy_mwh"]), palette)
    if left["cost_minor"] is not None:
        _left(made, meter["cost_minor"], left["cost_minor"], money(left["cost_minor"], *known), palette)
    _left(made, meter["elapsed_s"], left["duration_s"], duration(left["duration_s"]), palette)
    made.row("register", kwh(meter["register_mwh"]), style)
    made.row("read at", f"{local(meter['at'])} ({age(now_ms - state.meter_at_ms)})", palette.dim)
    made.others(meter, _METER_SHOWN)


def _left(made: _Page, used: int, left: int, words: str, palette: Palette) -> None:
    """How far a limit is used up, and what is left of it."""
    full = used * BAR_WIDTH // (used + left) if used + left else BAR_WIDTH
    bar = Text().append("━" * full, palette.accent).append("━" * (BAR_WIDTH - full), palette.dim)
    made.row("limit", bar.append(f" {words} left"))


def _status(made: _Page, pile: Pile, now_ms: int, palette: Palette) -> None:
    made.heading(
        "Status", Text(age(now_ms - pile.status_at_ms), palette.dim) if pile.status else Text("none yet")
    )
    status = pile.status or {}
    if "firmware" in status:
        made.row("firmware", status["firmware"])
    if "heap_free_bytes" in status:
        made.row("heap free", size(status["heap_free_bytes"]))
    if "heap_min_free_bytes" in status:
        made.row("at least", size(status["heap_min_free_bytes"]))
    if "clock" in status:
        made.row("clock", status["clock"], palette.warn if status["clock"] == "Unset" else "")
    if "outbox" in status:
        full = status.get("outbox_full")
        waiting = grouped(status["outbox"]) + (" waiting, FULL" if full else " waiting")
        made.row("outbox", waiting, palette.bad if full else palette.warn if status["outbox"] else "")
    for key, label in (("dropped", "dropped"), ("damaged", "damaged")):
        if key in status:
            made.row(label, grouped(status[key]), palette.warn if status[key] else "")
    if "late_max_ms" in status:
        made.row("late by", f"{grouped(status['late_max_ms'])} ms")
    if "at" in status:
        made.row("said at", local(status["at"]) if status["at"] else "it has no clock", palette.dim)
    made.others(status, _STATUS_SHOWN)
    if pile.hello:
        made.row("greeted", f"settlement {pile.hello['last_seq']}, nonce {pile.hello['nonce']}", palette.dim)


def _rate(made: _Page, rate: dict[str, Any], now_ms: int, palette: Palette) -> None:
    made.heading("Rate", Text(f"{rate['currency']} / kWh", palette.dim))
    made.row("rate", rate["rate_id"])
    made.row("published", local(rate["published_at"]), palette.dim)
    now = _current_period(rate, now_ms)
    for i, (start, electricity, service, label) in enumerate(rate["periods"]):
        line = f"{label:<7}{price(electricity)} + {price(service)}"
        made.row(
            f"{start // 60:02}:{start % 60:02}",
            line + ("  ◂ now" if i == now else ""),
            palette.accent if i == now else "",
        )
    if rate["session_fee_minor"]:
        made.row("session fee", money(rate["session_fee_minor"], rate["currency"], rate["minor_digits"]))
    made.row("time zone", clean(rate["time_zone"]))


def _current_period(rate: dict[str, Any], now_ms: int) -> int | None:
    """Index of the period that holds at the pile's local time; None where its time zone is not known here."""
    try:
        zone = ZoneInfo(rate["time_zone"])
        local_now = datetime.fromtimestamp(now_ms // 1000, timezone.utc).astimezone(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # ValueError: a key such as ../../etc
        return None
    minute = local_now.hour * 60 + local_now.minute
    starts = [row[0] for row in rate["periods"]]
    held = [i for i, start in enumerate(starts) if start <= minute]
    return max(held, key=lambda i: starts[i]) if held else starts.index(max(starts))


def _settlement(made: _Page, bill: dict[str, Any], mark: Text, palette: Palette) -> None:
    made.heading("Last settlement", Text(f"no. {bill['seq']}", palette.dim), mark)
    made.row("total", money(bill["total_minor"], bill["currency"], bill["minor_digits"]), "bold")
    made.row("energy", kwh(bill["energy_mwh"]))
    made.row("stopped by", bill["stop_reason"])
    made.row("order", bill["order_id"])
    made.row("ended", local(bill["ended_at"]), palette.dim)
    if bill["recovered"]:
        made.row("", "made after a power cut", palette.warn)
