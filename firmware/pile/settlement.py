"""The settlement message of an order that has ended (OCPI CDR)."""

from pile_protocol import messages, pricing, seal


def make(session, connector, device_id, key, firmware, seq, prev_mac):
    """Sealed bytes: the order's energy and cost at its locked rate, chained to the settlement before it."""
    order = session.order
    rate = order["rate"]
    total_minor, fee_minor, periods = session.bill()
    message = {
        "kind": "settlement",
        "device_id": device_id,
        "connector": connector,
        "order_id": order["order_id"],
        "seq": seq,
        "prev_mac": prev_mac,
        "rate_id": rate["rate_id"],
        "rate_digest": pricing.digest(rate),
        "start_register_mwh": session.start_register_mwh,
        "end_register_mwh": session.register_mwh,
        "energy_mwh": session.energy_mwh,
        "started_at": session.started_at,
        "ended_at": session.ended_at,
        "periods": periods,
        "session_fee_minor": fee_minor,
        "currency": rate["currency"],
        "minor_digits": rate["minor_digits"],
        "total_minor": total_minor,
        "stop_reason": session.stop_reason,
        "firmware": firmware,
        "recovered": session.recovered,
    }
    return seal.seal(messages.encode(message), key)
