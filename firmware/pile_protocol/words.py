"""The closed word lists of the wire. Connector status and fault codes: OCPP 1.6; stop reasons: OCPP 2.1."""

CONNECTOR_STATUSES = (
    "Available",
    "Preparing",
    "Charging",
    "SuspendedEV",
    "SuspendedEVSE",
    "Finishing",
    "Unavailable",
    "Faulted",
)

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

# What a pile says of an order on order/status.
ORDER_STATES = ("Accepted", "Rejected", "Charging", "Finishing", "Settled")

# Why a pile refuses an order; the relay has not moved.
REJECT_REASONS = (
    "Malformed",  # not JSON, a field off, or too large
    "BadSeal",  # the mac is missing, damaged, or made with another key
    "WrongDevice",
    "UnknownConnector",
    "Expired",  # expires_at has passed
    "NotYetValid",  # issued in the pile's future
    "UsedOrder",  # this order_id was accepted or rejected before
    "PricesIncomplete",  # the price steps do not cover the order's longest duration
    "ConnectorBusy",
    "ConnectorFaulted",
    "NotPlugged",
    "NoMeter",  # no valid register reading to start from
    "NoClock",
    "OutboxFull",  # too many settlements wait for the cloud
    "StorageFailure",  # the order could not be made durable
)

CLOCK_STATES = ("Unset", "Ntp", "Cloud")
