"""What a board puts on one connector."""


class Equipment:
    """relay, meter and inputs keep contracts.py. limits: what the wiring bears, named as in safety.Limits."""

    def __init__(self, relay, meter, inputs, limits=None):
        self.relay = relay
        self.meter = meter
        self.inputs = inputs
        self.limits = limits or {}
