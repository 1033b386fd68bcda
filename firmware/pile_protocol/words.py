"""The words that a pile also reads, from its own flash. Stop reasons: OCPP 2.1; fault codes: OCPP 1.6.

The word lists that it only writes stand in wire.py: a pile saves the heap of them.
"""

STOP_REASONS = (
    "Remote",
    "Local",
    "EVDisconnected",
    "EnergyLimitReached",
    "TimeLimitReached",
    "CostLimitReached",
    "EmergencyStop",
    "GroundFault",
    "OvercurrentFault",
    "PowerLoss",
    "Reboot",
    "StoppedByEV",
    "Other",
)

FAULT_CODES = (
    "PowerSwitchFailure",
    "PowerMeterFailure",
    "OverCurrentFailure",
    "HighTemperature",
    "GroundFailure",
    "InternalError",
)
