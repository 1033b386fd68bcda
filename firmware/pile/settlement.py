"""The settlement message of an order that has ended (OCPI CDR)."""

from pile_protocol import messages, pricing, seal


def make(open_order, device_id, key, firmware, seq, prev_mac):
    """Sealed bytes: the order's energy and cost at its locked rate, chained to the settlement before it."""
    rate = open_order.order["rate"]
    session = open_order.session
    metering = session.metering
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
        "currency": rate["currency"],
        "minor_digits": rate["minor_digits"],
        "stop_reason": session.stop_reason,
        "firmware": firmware,
        "recovered": session.recovered,
    }
    bill = metering.bill()
    idle_minor = bill.pop("idle_minor", None)
    message.update(bill)
    if session.usage and idle_minor is not None:
        message["idle"] = {
            "since_at": session.ended_at,
            "until_at": max(session.left_at, session.ended_at),
            "time_ms": session.usage.idle_ms,
            "idle_minor": idle_minor,
        }
    if session.is_last_reading_missing:
        message["last_reading"] = "Missing"
    return seal.seal(messages.encode(message), key)
