"""Settlements as a pile makes them, for programs that stand in for a pile."""

from __future__ import annotations

import json
from typing import Any

from pile_protocol import messages, pricing, seal


class Chain:
    """The settlements of one pile, each sealed and chained to the one before. seq: the last
    sequence number.
    """

    def __init__(self, device_id: str, key: bytes, seq: int = 0):
        self.device_id = device_id
        self.key = key
        self.seq = seq
        self.last_mac: str | None = None

    def settlement(self, order: dict[str, Any], mwh: int = 2_500_000, **changes: Any) -> dict[str, Any]:
        """The next settlement of an order message, all energy in its first step. `changes` replace
        members.
        """
        rate = order["rate"]
        energies = [(0, mwh)] if mwh else []
        total, fee, periods = pricing.bill(rate, energies, order["limits"].get("cost_minor"))
        self.seq += 1
        return {
            "kind": "settlement",
            "device_id": self.device_id,
            "connector": order["connector"],
            "order_id": order["order_id"],
            "seq": self.seq,
            "prev_mac": self.last_mac,
            "rate_id": rate["rate_id"],
            "rate_digest": pricing.digest(rate),
            "start_register_mwh": 1000,
            "end_register_mwh": 1000 + mwh,
            "energy_mwh": mwh,
            "started_at": order["issued_at"] + 1,
            "ended_at": order["issued_at"] + 600,
            "periods": periods,
            "session_fee_minor": fee,
            "currency": rate["currency"],
            "minor_digits": rate["minor_digits"],
            "total_minor": total,
            "stop_reason": "Remote",
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
