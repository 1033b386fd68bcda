"""All that the console knows, made from messages only: no screen, no broker, no clock; bounded."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from pile_protocol import topics
from tools.console import reading as readings
from tools.console.capture import LinkChange
from tools.console.power import HOLD_S, PowerCurve
from tools.console.reading import Reading
from tools.console.summary import UNKNOWN_MONEY, Money, summary

LOG_KEPT = 4_000
PILES_MAX = 4_096  # a broker without an ACL can deliver messages of any number of piles
RATE_WINDOW_S = 5
# A pile repeats its status every 30 s. The cloud counts it as offline after this time without one.
SILENT_MS = 90_000
# A charging pile sends its meter every few seconds. An older value is not shown as present power.
METER_HOLDS_MS = 1_000 * HOLD_S


class Presence(Enum):
    """Whether a pile is online, according to its messages."""

    ONLINE = "online"
    OFFLINE = "offline"  # by the last will
    SILENT = "silent"  # its last status was online, but is old
    UNKNOWN = "not heard of yet"


@dataclass
class ConnectorState:
    """What is known of one connector. meter: the last one; is_metering: it is of a running order."""

    number: int
    status: dict[str, Any] | None = None
    meter: dict[str, Any] | None = None
    meter_at_ms: int = 0
    is_metering: bool = False
    order: dict[str, Any] | None = None
    order_state: tuple[str, str | None] | None = None

    def is_live(self, now_ms: int) -> bool:
        """Whether the meter's value is of now."""
        return self.is_metering and now_ms - self.meter_at_ms <= METER_HOLDS_MS

    def power_mw(self, now_ms: int) -> int:
        return self.meter["power_mw"] if self.meter and self.is_live(now_ms) else 0

    @property
    def fault(self) -> str | None:
        return self.status["fault"] if self.status else None

    @property
    def order_id(self) -> str | None:
        """The order that runs here."""
        if self.meter and self.is_metering:
            return self.meter["order_id"]
        return self.status["order_id"] if self.status else None

    @property
    def word(self) -> str:
        """Its status; what a pile calls Unavailable is its emergency stop, pressed or its wire broken."""
        status = self.status["status"] if self.status else "?"
        return "Emergency stop" if status == "Unavailable" else status


@dataclass
class Pile:
    """What is known of one pile. The dictionaries are valid messages as they came."""

    device_id: str
    heard_ms: int = 0  # arrival of its last message, 0 for none since the start
    message_count: int = 0
    problem_count: int = 0
    online: bool | None = None  # None: no status yet
    status: dict[str, Any] | None = None  # the last one that is more than "offline"
    status_at_ms: int = 0
    connectors: dict[int, ConnectorState] = field(default_factory=dict)
    rate: dict[str, Any] | None = None
    hello: dict[str, Any] | None = None
    settlement: Reading | None = None
    curve: PowerCurve = field(default_factory=PowerCurve)
    version: int = 0  # grows with every message

    def power_mw(self, now_ms: int) -> int:
        return sum(each.power_mw(now_ms) for each in self.connectors.values())

    def presence(self, now_ms: int) -> Presence:
        """A retained status may be old: a pile that ended without a last will is silent, not online."""
        if self.online is False:
            return Presence.OFFLINE
        if not self.online or not self.heard_ms:
            return Presence.UNKNOWN
        return Presence.ONLINE if now_ms - self.heard_ms <= SILENT_MS else Presence.SILENT

    @property
    def faults(self) -> list[ConnectorState]:
        return [each for each in self.in_order() if each.fault]

    @property
    def running(self) -> list[ConnectorState]:
        """Connectors with an order."""
        return [each for each in self.in_order() if each.order_id]

    def in_order(self) -> list[ConnectorState]:
        return [self.connectors[number] for number in sorted(self.connectors)]

    def money(self, order_id: str | None = None) -> Money:
        """The currency of an order's cost: of its own locked rate, else of the pile's latest rate."""
        for each in self.connectors.values():
            if each.order and each.order["order_id"] == order_id:
                return each.order["rate"]["currency"], each.order["rate"]["minor_digits"]
        if self.rate:
            return self.rate["currency"], self.rate["minor_digits"]
        return UNKNOWN_MONEY

    def connector(self, number: int) -> ConnectorState:
        return self.connectors.setdefault(number, ConnectorState(number))


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One line of the log. number: counts from 1 over the whole run. reading: None of news about the link."""

    number: int
    at_ms: int
    text: str
    reading: Reading | None = None
    link: LinkChange | None = None


class Model:
    """`apply` adds an event. The screen reads the model at its own rate."""

    def __init__(self) -> None:
        self.piles: dict[str, Pile] = {}
        self.log: deque[LogEntry] = deque(maxlen=LOG_KEPT)
        self.message_count = 0
        self.problem_count = 0
        self.bad_seal_count = 0
        self.untracked_count = 0  # messages of piles beyond PILES_MAX
        self.link = LinkChange(0, False, "connecting")
        self.losses = 0  # how often the connection went
        self.changed: set[str] = set()  # device ids; the screen clears it when it has shown them
        self._entry_count = 0
        self._per_second: deque[list[int]] = deque(maxlen=RATE_WINDOW_S + 1)  # [second, messages]

    @property
    def entry_count(self) -> int:
        """All log entries so far; the log holds the last LOG_KEPT of them."""
        return self._entry_count

    def apply_link(self, change: LinkChange) -> None:
        if self.link.up and not change.up:
            self.losses += 1
        self.link = change
        self._log(change.at_ms, change.text, None, change)

    def apply(self, reading: Reading) -> None:
        message = reading.message
        self.message_count += 1
        self._count_rate(message.at_ms // 1000)
        if reading.problem and reading.name:
            self.problem_count += 1
        if reading.seal == readings.BAD:
            self.bad_seal_count += 1
        pile = self._pile_of(reading)
        known = UNKNOWN_MONEY
        if pile:
            pile.heard_ms = max(pile.heard_ms, _sent_at_ms(reading))
            pile.message_count += 1
            pile.version += 1
            self.changed.add(pile.device_id)
            if reading.is_trusted:
                _TAKERS[reading.name or ""](pile, reading)
                if pile.connectors:
                    pile.curve.put(message.at_ms // 1000, pile.power_mw(message.at_ms))
            elif reading.problem:
                pile.problem_count += 1
            order_id = reading.value.get("order_id") if reading.is_trusted and reading.value else None
            known = pile.money(order_id)
        self._log(message.at_ms, summary(reading, known), reading)

    def rate(self, now_ms: int) -> int:
        """Messages a second, over the last RATE_WINDOW_S whole seconds."""
        now_s = now_ms // 1000
        recent = sum(count for second, count in self._per_second if now_s - RATE_WINDOW_S <= second < now_s)
        return recent // RATE_WINDOW_S

    def _count_rate(self, second: int) -> None:
        if self._per_second and self._per_second[-1][0] == second:
            self._per_second[-1][1] += 1
        else:
            self._per_second.append([second, 1])

    def _pile_of(self, reading: Reading) -> Pile | None:
        device_id = reading.device_id
        if device_id is None:
            return None
        pile = self.piles.get(device_id)
        if pile is None:
            if len(self.piles) >= PILES_MAX:
                self.untracked_count += 1
                return None
            pile = self.piles[device_id] = Pile(device_id)
        return pile

    def _log(self, at_ms: int, text: str, reading: Reading | None, link: LinkChange | None = None) -> None:
        self._entry_count += 1
        if reading is not None and reading.value is not None:
            # The log keeps bytes: parsed once more for the one that is looked at, not kept for all of them.
            reading = Reading(
                reading.message, reading.device_id, reading.name, None, reading.problem, reading.seal
            )
        self.log.append(LogEntry(self._entry_count, at_ms, text, reading, link))


def _sent_at_ms(reading: Reading) -> int:
    """When the pile sent this; 0 if another sent it, or if that time is not known."""
    message = reading.message
    if reading.name not in topics.UPWARD:
        return 0
    value = reading.value or {}
    if reading.name == topics.STATUS and value.get("online") is False:
        return 0  # a last will comes from the broker
    if not message.retained:
        return message.at_ms
    at_s = value.get("at") if reading.is_trusted else None
    return min(1000 * at_s, message.at_ms) if at_s else 0


def _take_status(pile: Pile, reading: Reading) -> None:
    value = reading.value or {}
    pile.online = value["online"]
    if not pile.online:
        for each in pile.connectors.values():
            each.is_metering = False
    if "connectors" not in value:
        return
    pile.status = value
    pile.status_at_ms = reading.message.at_ms
    by_number = {each["connector"]: each for each in value["connectors"]}
    for number in set(pile.connectors) - set(by_number):
        del pile.connectors[number]
    for number, each in by_number.items():
        state = pile.connector(number)
        state.status = each
        if state.meter and state.meter["order_id"] != each["order_id"]:
            state.is_metering = False


def _take_meter(pile: Pile, reading: Reading) -> None:
    value = reading.value or {}
    state = pile.connector(value["connector"])
    state.meter = value
    state.meter_at_ms = reading.message.at_ms
    state.is_metering = True


def _take_order_status(pile: Pile, reading: Reading) -> None:
    value = reading.value or {}
    if value["connector"] is None or value["state"] == "Rejected":
        return
    state = pile.connector(value["connector"])
    state.order_state = (value["state"], value["reason"])
    if value["state"] == "Settled":
        state.is_metering = False
        if state.status and state.status["order_id"] == value["order_id"]:
            state.status = {**state.status, "order_id": None}


def _take_order(pile: Pile, reading: Reading) -> None:
    value = reading.value or {}
    pile.connector(value["connector"]).order = value


def _take_rate(pile: Pile, reading: Reading) -> None:
    pile.rate = reading.value


def _take_hello(pile: Pile, reading: Reading) -> None:
    pile.hello = reading.value


def _take_settlement(pile: Pile, reading: Reading) -> None:
    pile.settlement = reading


def _take_nothing(_pile: Pile, _reading: Reading) -> None:
    """What only the log shows."""


_TAKERS = {
    topics.STATUS: _take_status,
    topics.METER: _take_meter,
    topics.ORDER_STATUS: _take_order_status,
    topics.ORDER: _take_order,
    topics.RATE: _take_rate,
    topics.HELLO: _take_hello,
    topics.SETTLEMENT: _take_settlement,
    topics.COMMAND: _take_nothing,
    topics.TIME: _take_nothing,
    topics.SETTLEMENT_ACK: _take_nothing,
    topics.UPDATE: _take_nothing,
    topics.UPDATE_ASK: _take_nothing,
    topics.UPDATE_CHUNK: _take_nothing,
    topics.UPDATE_STATUS: _take_nothing,
    topics.CONFIG: _take_nothing,
}
