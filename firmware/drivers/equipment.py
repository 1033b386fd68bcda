"""What a board puts on one connector."""


class Equipment:
    """Drivers that keep contracts.py; None for an input that the board does not wire. Connectors may share
    an input.

    limits: what the wiring bears, named as in safety.Limits.
    """

    def __init__(
        self,
        relay,
        meter,
        plug=None,
        estop=None,
        stop_button=None,
        ground_fault=None,
        thermometer=None,
        limits=None,
    ):
        self.relay = relay
        self.meter = meter
        self.plug = plug
        self.estop = estop
        self.stop_button = stop_button
        self.ground_fault = ground_fault
        self.thermometer = thermometer
        self.limits = limits or {}
