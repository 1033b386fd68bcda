"""Values of RateLock as values of OCPP 1.6. Whole numbers; pure functions."""

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from ...base.clock import iso_utc
from ...base.decimals import decimal
from ...db.rows import MeterSampleRow

VENDOR = "RateLock"
ID_TAG_MAX = 20
ENERGY = "Energy.Active.Import.Register"
POWER = "Power.Active.Import"
CURRENT = "Current.Import"
MEASURANDS = f"{ENERGY},{POWER},{CURRENT}"
_TIMESTAMP = "%Y-%m-%dT%H:%M:%SZ"
PERIODIC, BEGIN, END = "Sample.Periodic", "Transaction.Begin", "Transaction.End"

# A fault without an errorCode in OCPP is sent as OtherError, with RateLock's code in vendorErrorCode.
_ERROR_CODES = frozenset(
    (
        *("GroundFailure", "HighTemperature", "InternalError", "OverCurrentFailure"),
        *("PowerMeterFailure", "PowerSwitchFailure", "UnderVoltage"),
    )
)
# A stop reason that is not listed here is sent as Other; the receipt has RateLock's reason.
_REASONS = {
    "Remote": "Remote",
    "Local": "Local",
    "EVDisconnected": "EVDisconnected",
    "EmergencyStop": "EmergencyStop",
    "PowerLoss": "PowerLoss",
    "Reboot": "Reboot",
}


def id_tag(order_id: str) -> str:
    """The idTag of an order that a driver confirmed: the last 20 of its id's 26 characters.

    They hold the id's 80 random bits and the lower 20 bits of its milliseconds. idTags are compared without
    case, and an order id has small letters only.
    """
    return order_id[-ID_TAG_MAX:]


def wh(register_mwh: int) -> int:
    """A register in watt-hours, half up.

    Registers are rounded, never their differences. So the transactions of a connector add up to the
    difference of its rounded registers.
    """
    return (register_mwh + 500) // 1000


def at(text: str) -> int:
    """Unix seconds of what iso_utc wrote."""
    return int(datetime.strptime(text, _TIMESTAMP).replace(tzinfo=timezone.utc).timestamp())


def register_value(at: int, register_mwh: int, context: str) -> dict[str, Any]:
    """A meterValue with the register alone."""
    sampled = {"value": str(wh(register_mwh)), "context": context, "measurand": ENERGY, "unit": "Wh"}
    return {"timestamp": iso_utc(at), "sampledValue": [sampled]}


def meter_value(row: MeterSampleRow) -> dict[str, Any]:
    """A meterValue of a charge that runs; without a current if the pile measures none."""
    found = register_value(row.at, row.register_mwh, PERIODIC)
    for value, measurand, unit in ((row.power_mw, POWER, "W"), (row.current_ma, CURRENT, "A")):
        if value is not None:
            sampled = {"value": decimal(value, 3), "context": PERIODIC, "measurand": measurand, "unit": unit}
            found["sampledValue"].append(sampled)
    return found


def reason(stop_reason: str | None) -> str:
    return _REASONS.get(stop_reason or "", "Other")


def boot(device_id: str, hello: Mapping[str, Any]) -> dict[str, str]:
    """The members of BootNotification. hello: the pile's last one; empty before the first."""
    told = {"chargePointVendor": VENDOR, "chargePointModel": hello.get("board", "pile")[:20]}
    if len(device_id) <= 25:
        told["chargePointSerialNumber"] = device_id
    if hello.get("firmware"):
        told["firmwareVersion"] = hello["firmware"][:50]
    return told


def pile_status(online: bool, connectors: list[dict[str, Any]]) -> dict[str, Any]:
    """The members of a StatusNotification of connector 0, the pile: Available if any connector works."""
    if not online:
        return {"status": "Unavailable", "errorCode": "NoError", "info": "The pile is offline"}
    statuses = {each["status"] for each in connectors}
    usable = statuses - {"Unavailable", "Faulted"}
    status = "Available" if usable else "Unavailable" if "Unavailable" in statuses else "Faulted"
    return {"status": status, "errorCode": "NoError"}


def connector_status(connector: Mapping[str, Any]) -> dict[str, Any]:
    """The members of a StatusNotification of a connector, from piles.views.connector_views."""
    told = {"status": connector["status"], "errorCode": "NoError"}
    fault = connector["fault"]
    if fault:
        known = fault in _ERROR_CODES
        told["errorCode"] = fault if known else "OtherError"
        if not known:
            told |= {"vendorId": VENDOR, "vendorErrorCode": fault}
    if connector["out_of_service"]:
        told["info"] = f"Out of service: {connector['out_of_service']}"[:50]
    return told
