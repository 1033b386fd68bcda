"""One line of text for each kind of message; the log and `--plain` show it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pile_protocol import topics
from tools.console.formatting import clean, duration, kw, kwh, money, price, size
from tools.console.reading import Reading

RAW_LENGTH = 160

Money = tuple[str | None, int | None]  # currency and its minor digits, as far as they are known
UNKNOWN_MONEY: Money = (None, None)


def summary(reading: Reading, known: Money = UNKNOWN_MONEY) -> str:
    """known: in what a meter's `cost_minor` counts."""
    message = reading.message
    if not message.payload:
        return "(empty)"
    if reading.name is None or reading.value is None or not _is_valid(reading):
        return clean(message.payload.decode("utf-8", "backslashreplace"), RAW_LENGTH)
    return clean(_SUMMARIES[reading.name](reading.value, known), 2 * RAW_LENGTH)


def _is_valid(reading: Reading) -> bool:
    # A bad seal does not keep a message from being read; a field that is off does.
    return reading.problem is None or reading.problem.startswith("bad seal")


def limits(value: dict[str, Any], known: Money) -> str:
    """The limits of an order: 5.000 kWh, 20.00 CNY, 12:00:00"""
    parts = []
    if "energy_mwh" in value:
        parts.append(kwh(value["energy_mwh"]))
    if "cost_minor" in value:
        parts.append(money(value["cost_minor"], *known))
    return ", ".join([*parts, duration(value["duration_s"])])


def _rate(v: dict[str, Any], _known: Money) -> str:
    prices = [row[1] + row[2] for row in v["periods"]]
    low, high = price(min(prices)), price(max(prices))
    span = low if low == high else f"{low} to {high}"
    return f"{v['rate_id']}  {span} {v['currency']}/kWh, {len(prices)} periods, {v['time_zone']}"


def _order(v: dict[str, Any], _known: Money) -> str:
    rate = v["rate"]
    allowed = limits(v["limits"], (rate["currency"], rate["minor_digits"]))
    life_s = v["expires_at"] - v["issued_at"]
    where = f"{v['order_id']}  connector {v['connector']}"
    return f"{where}, at most {allowed}; rate {rate['rate_id']}; good for {life_s} s"


def _command(v: dict[str, Any], _known: Money) -> str:
    if v["action"] == "stop":
        return f"stop  order {v.get('order_id', '?')}"
    if v["action"] == "reset":
        return f"reset  connector {v.get('connector', '?')}"
    return str(v["action"])


def _time(v: dict[str, Any], _known: Money) -> str:
    return f"{v['at']}  answers hello {v['nonce']}"


def _ack(v: dict[str, Any], _known: Money) -> str:
    return f"{v['status']}  settlement {v['seq']} of order {v['order_id']}"


def _hello(v: dict[str, Any], _known: Money) -> str:
    orders = ", ".join(f"{order_id} {state}" for order_id, state in v["orders"]) or "no order"
    text = f"{v['firmware']}  {v['connectors']} connectors, {orders}"
    return f"{text}, settlement {v['last_seq']}, outbox {v['outbox']}"


def _order_status(v: dict[str, Any], _known: Money) -> str:
    reason = f"  {v['reason']}" if v["reason"] else ""
    where = f", connector {v['connector']}" if v["connector"] else ""
    return f"{v['state']}{reason}  order {v['order_id'] or '(unreadable)'}{where}"


def _status(v: dict[str, Any], _known: Money) -> str:
    if not v["online"]:
        return "offline"
    parts = ["online"]
    for each in v.get("connectors", ()):
        fault = f" {each['fault']}" if each["fault"] else ""
        parts.append(f"{each['connector']} {each['status']}{fault}")
    if "heap_free_bytes" in v:
        parts.append(f"heap {size(v['heap_free_bytes'])}")
    if "clock" in v:
        parts.append(f"clock {v['clock']}")
    if v.get("outbox"):
        parts.append(f"outbox {v['outbox']}")
    return "  ".join(parts)


def _meter(v: dict[str, Any], known: Money) -> str:
    spent = money(v["cost_minor"], *known)
    now = f"{kw(v['power_mw'])}  {kwh(v['energy_mwh'])}  {spent}"
    return f"{now}  {duration(v['elapsed_s'])}  connector {v['connector']}"


def _settlement(v: dict[str, Any], _known: Money) -> str:
    total = money(v["total_minor"], v["currency"], v["minor_digits"])
    cut = ", after a power cut" if v["recovered"] else ""
    return f"{total}  {kwh(v['energy_mwh'])}  {v['stop_reason']}  no. {v['seq']}, order {v['order_id']}{cut}"


def _update(v: dict[str, Any], _known: Money) -> str:
    return f"{v['kind']}  release {v['release']}"


def _update_part(v: dict[str, Any], _known: Money) -> str:
    length = v["bytes"] if "bytes" in v else len(v["data"]) // 4 * 3 - v["data"].count("=")
    return f"release {v['release']}  {v['file'][:8]}  {length} bytes at {v['offset']}"


def _update_status(v: dict[str, Any], _known: Money) -> str:
    reason = f"  {v['reason']}" if "reason" in v else ""
    what = f"release {v['release']}" if "release" in v else f"configuration {v.get('config_version', '?')}"
    done = (
        f"  {v['done_bytes']} of {v['total_bytes']} bytes" if {"done_bytes", "total_bytes"} <= set(v) else ""
    )
    return f"{v['state']}{reason}  {what}{done}"


def _config(v: dict[str, Any], _known: Money) -> str:
    return f"configuration {v['version']}  " + ", ".join(sorted(v["values"]))


_SUMMARIES: dict[str, Callable[[dict[str, Any], Money], str]] = {
    topics.RATE: _rate,
    topics.ORDER: _order,
    topics.COMMAND: _command,
    topics.TIME: _time,
    topics.SETTLEMENT_ACK: _ack,
    topics.HELLO: _hello,
    topics.ORDER_STATUS: _order_status,
    topics.STATUS: _status,
    topics.METER: _meter,
    topics.SETTLEMENT: _settlement,
    topics.UPDATE: _update,
    topics.UPDATE_ASK: _update_part,
    topics.UPDATE_CHUNK: _update_part,
    topics.UPDATE_STATUS: _update_status,
    topics.CONFIG: _config,
}
