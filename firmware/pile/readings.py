"""What the hardware says about one connector, read once per step."""


class Readings:
    """Filled by the shell from the drivers. None means: this board cannot tell, or not validly now."""

    def __init__(self):
        self.register_mwh = None  # cumulative, never backwards; None while the meter gives no valid reading
        self.power_mw = 0
        self.plugged = True  # None: no switch tells, and every order is taken as plugged
        self.estop = False
        self.ground_fault = False
        self.relay_closed = None  # the feedback contact, where one is wired
        self.current_ma = None
        self.temperature_c = None
