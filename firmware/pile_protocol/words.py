"""The words that a pile also reads from its own flash: why an order stopped (OCPP 2.1 and our own), and fault
codes (OCPP 1.6 and our own).

The word lists that a pile only writes stand in wire.py, because they would take heap in a pile.
"""

STOP_REASONS = (
    "Remote",
    "Local",  # the stop button at the pile
    "EVDisconnected",
    "EnergyLimitReached",
    "TimeLimitReached",
    "CostLimitReached",
    "EmergencyStop",
    "GroundFault",
    "OvercurrentFault",
    "PowerLoss",  # the power went, and the order could not go on afterwards
    "Reboot",
    "StoppedByEV",  # the vehicle was full
    "Other",  # piles up to 0.1.0: a fault that has a word of its own below
    "Timeout",  # the vehicle never began to draw
    "VehicleChanged",  # the power was gone too long, then came back: it may be another vehicle
    "PowerQuality",  # the order was recovered from too many power cuts
    "FeedBusy",  # the shared supply had no room for this order for too long
    "PowerSwitchStuckOpen",
    "PowerSwitchFailure",
    "MeterFailure",
    "HighTemperature",
    "SensorFailure",
    "InternalError",
)

FAULT_CODES = (
    "PowerSwitchFailure",  # welded: energy flows, or the feedback says closed, although commanded open
    "PowerMeterFailure",
    "OverCurrentFailure",
    "HighTemperature",
    "GroundFailure",
    "InternalError",
    "PowerSwitchStuckOpen",  # commanded closed, but the feedback says open
    "UnderVoltage",  # one order was recovered from too many power cuts
    "SensorFailure",  # a wired thermometer, plug switch or relay feedback cannot be read
)
