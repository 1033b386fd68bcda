"""The kinds of events that receivers may ask for, in groups.

`order` and `settlement` events are told to receivers only: the order's own row and the settlements keep them.
"""

ORDER, SETTLEMENT, PILE, FAULT, FLAGGED, PAYMENT = GROUPS = (
    "order",
    "settlement",
    "pile",
    "fault",
    "flagged",
    "payment",
)

_GROUPED = {
    # One for each state of an order.
    ORDER: (
        *("OrderPending", "OrderAccepted", "OrderCharging", "OrderFinishing", "OrderSettled", "OrderPaid"),
        *("OrderRejected", "OrderExpired", "OrderCancelled", "OrderLost"),
    ),
    SETTLEMENT: ("SettlementStored",),
    PILE: ("PileOnline", "PileOffline", "PileLost", "PileRemoved", "TwoBoards"),
    FAULT: ("FaultReported", "FaultCleared", "EmergencyStopPressed", "EmergencyStopReleased"),
    FLAGGED: ("SettlementFlagged", "SettlementReviewed"),
    PAYMENT: (
        *("HoldMade", "HoldRefused", "HoldCaptured", "HoldReleased", "PaymentRefunded"),
        *("CaptureRefused", "ReleaseRefused", "RefundRefused", "BillCredited"),
    ),
}
GROUP_OF = {kind: group for group, kinds in _GROUPED.items() for kind in kinds}
