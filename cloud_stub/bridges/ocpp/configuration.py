"""The configuration keys of a charge point: those of the Core profile. Two of them can be changed."""

from typing import Any

from . import mapping, reporting

HEARTBEAT, SAMPLE = "HeartbeatInterval", "MeterValueSampleInterval"
HEARTBEAT_MIN_S, HEARTBEAT_MAX_S = 10, 86_400
SAMPLE_MAX_S = 86_400
KEYS_MAX = 50

_FIXED = {
    "AuthorizeRemoteTxRequests": "false",
    "ClockAlignedDataInterval": "0",
    "ConnectionTimeOut": "0",  # a vehicle has to be plugged in before an order is made
    "ConnectorPhaseRotation": "NotApplicable",
    "GetConfigurationMaxKeys": str(KEYS_MAX),
    "LocalAuthorizeOffline": "true",  # a driver's order does not wait for the central system
    "LocalPreAuthorize": "true",
    "MeterValuesAlignedData": "",
    "MeterValuesSampledData": mapping.MEASURANDS,
    "ResetRetries": "0",
    "StopTransactionOnEVSideDisconnect": "true",
    "StopTransactionOnInvalidId": "false",  # the driver has confirmed a rate, not an idTag
    "StopTxnAlignedData": "",
    "StopTxnSampledData": mapping.ENERGY,
    "SupportedFeatureProfiles": "Core,RemoteTrigger",
    "TransactionMessageAttempts": str(reporting.ATTEMPTS),
    "UnlockConnectorOnEVSideDisconnect": "false",
}


def answer(asked: list[str] | None, connectors: int, changeable: dict[str, int]) -> dict[str, Any]:
    """The payload of GetConfiguration.conf. changeable: the values of the keys that are not fixed."""
    known = _FIXED | {"NumberOfConnectors": str(connectors)} | {k: str(v) for k, v in changeable.items()}
    wanted = list(known) if not asked else asked[:KEYS_MAX]
    found = [
        {"key": key, "readonly": key not in (HEARTBEAT, SAMPLE), "value": known[key]}
        for key in wanted
        if key in known
    ]
    unknown = [key for key in wanted if key not in known]
    return {"configurationKey": found} | ({"unknownKey": unknown} if unknown else {})


def changed(key: str, value: str) -> tuple[str, int]:
    """(status of ChangeConfiguration.conf, the value where it is Accepted)."""
    if key not in (HEARTBEAT, SAMPLE):
        known = key in _FIXED or key in ("NumberOfConnectors", "TransactionMessageRetryInterval")
        return ("Rejected" if known else "NotSupported"), 0
    if not value.isascii() or not value.isdigit() or len(value) > 5:
        return "Rejected", 0
    seconds = int(value)
    if key == HEARTBEAT:
        is_allowed = HEARTBEAT_MIN_S <= seconds <= HEARTBEAT_MAX_S
    else:
        is_allowed = seconds == 0 or seconds <= SAMPLE_MAX_S
    return ("Accepted", seconds) if is_allowed else ("Rejected", 0)
