"""Settlements as a pile makes them, for programs that stand in for a pile."""

from __future__ import annotations

import json
from typing import Any

from pile_protocol import components, messages, pricing, seal

SESSION_S = 30


class Chain:
    """The settlements of one pile, each sealed and chained to the one before. seq: the last
    sequence number.

    A connector's register goes on from settlement to settlement. An order takes SESSION_S: its end may lie
    ahead of the clock, by less than a cloud allows for.
    """

    def __init__(self, device_id: str, key: bytes, seq: int = 0):
        self.device_id = device_id
        self.key = key
        self.seq = seq
        self.last_mac: str | None = None
        self.registers_mwh: dict[int, int] = {}

    def register_mwh(self, connector: int) -> int:
        """Where the next order of a connector starts."""
        return self.registers_mwh.get(connector, 1000)

    def settlement(
        self,
        order: dict[str, Any],
        mwh: int = 2_500_000,
        *,
        tiers_ms: list[int] | None = None,
        stay_s: int = 0,
        **changes: Any,
    ) -> dict[str, Any]:
        """The next settlement of an order message, all energy and time in its first step. `changes` replace
        members.

        tiers_ms: the time in each tier; else all of it is in that of the mean power. stay_s: for how long the
        vehicle stays plugged in.
        """
        rate = order["rate"]
        started_at = order["issued_at"] + 1
        ended_at = started_at + SESSION_S
        charged_ms = SESSION_S * 1000
        if tiers_ms is None:
            tiers_ms = _in_tier_of(rate.get("tiers", []), mwh * 3_600_000 // max(1, charged_ms), charged_ms)
        idle_ms = max(0, stay_s - rate["idle"]["after_s"]) * 1000 if "idle" in rate else 0
        times = [(0, charged_ms)] if "time_prices" in rate else []
        usage = components.Usage([(0, mwh)] if mwh else [], times, tiers_ms, idle_ms)
        bill = components.bill(rate, usage, order["limits"].get("cost_minor"))
        if "idle" in rate:
            stay = {"since_at": ended_at, "until_at": ended_at + stay_s, "time_ms": idle_ms}
            bill["idle"] = stay | {"idle_minor": bill.pop("idle_minor")}
        self.seq += 1
        start_mwh = self.register_mwh(order["connector"])
        self.registers_mwh[order["connector"]] = start_mwh + mwh
        return {
            "kind": "settlement",
            "device_id": self.device_id,
            "connector": order["connector"],
            "order_id": order["order_id"],
            "seq": self.seq,
            "prev_mac": self.last_mac,
            "rate_id": rate["rate_id"],
            "rate_digest": pricing.digest(rate),
            "start_register_mwh": start_mwh,
            "end_register_mwh": start_mwh + mwh,
            "energy_mwh": mwh,
            "started_at": started_at,
            "ended_at": ended_at,
            **bill,
            "currency": rate["currency"],
            "minor_digits": rate["minor_digits"],
            "stop_reason": "Local",
            "firmware": "none",
            "recovered": False,
        } | changes

    def sealed(self, message: dict[str, Any]) -> bytes:
        """The sealed message. The next settlement is chained to it."""
        data = seal.seal(messages.encode(message), self.key)
        self.last_mac = json.loads(data)["mac"]
        return data

    def settled(self, order: dict[str, Any], mwh: int = 2_500_000) -> bytes:
        """The next settlement, sealed."""
        return self.sealed(self.settlement(order, mwh))


def _in_tier_of(tiers: list[list[int]], power_mw: int, ms: int) -> list[int]:
    tier = sum(up_to_mw < power_mw for up_to_mw, _ in tiers[:-1])
    return [ms if at == tier else 0 for at in range(len(tiers))]
