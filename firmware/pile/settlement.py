"""The settlement message of an order that has ended (OCPI CDR)."""

from pile_protocol import messages, pricing, seal


def make(open_order, device_id, key, firmware, seq, prev_mac):
    """Sealed bytes: the order's energy and cost at its locked rate, chained to the settlement before it."""
    rate = open_order.order["rate"]
    session = open_order.session
    metering = session.metering
    total_minor, fee_minor, periods = metering.bill()
    message = {
        "kind": "settlement",
        "device_id": device_id,
        "connector": open_order.number,
        "order_id": open_order.order_id,
        "seq": seq,
        "prev_mac": prev_mac,
        "rate_id": rate["rate_id"],
        "rate_digest": pricing.digest(rate),
        "start_register_mwh": metering.start_register_mwh,
        "end_register_mwh": metering.register_mwh,
        "energy_mwh": metering.energy_mwh,
        "started_at": metering.started_at,
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
    if session.is_last_reading_missing:
        message["last_reading"] = "Missing"
    return seal.seal(messages.encode(message), key)
