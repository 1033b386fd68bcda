"""What a board puts on one connector."""


class Equipment:
    """relay, meter and inputs keep contracts.py. limits: keyword arguments of pile.safety.Limits, what the wiring bears."""

    def __init__(self, relay, meter, inputs, limits=None):
        self.relay = relay
        self.meter = meter
        self.inputs = inputs
        self.limits = limits or {}
