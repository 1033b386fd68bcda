"""What the hardware says about one connector, read once per cycle: samples with a time and a validity."""

ABSENT = 0  # not wired: it never has a value
INVALID = 1  # wired, but it cannot be read at this moment
VALID = 2


class Sample:
    """One reading. `value` and `at_ms` are of the newest valid one and stay while the state is INVALID.

    at_ms: when it was taken, on the pile's clock (Clock.now_ms).
    """

    def __init__(self, state=INVALID):
        self.state = state
        self.value = None
        self.at_ms = None

    def take(self, value, at_ms):
        """A new valid reading."""
        self.value = value
        self.at_ms = at_ms
        self.state = VALID

    def lose(self):
        """It cannot be read at this moment."""
        self.state = INVALID


class MeterTraits:
    """What a meter says of itself (drivers/contracts.py, Meter); the shell renews what can change."""

    def __init__(
        self,
        refresh_ms=0,
        interval_ms=100,
        settle_ms=0,
        step_mwh=1,
        remembers=False,
        current_interval_ms=100,
    ):
        self.refresh_ms = refresh_ms
        self.interval_ms = interval_ms
        self.current_interval_ms = current_interval_ms
        self.settle_ms = settle_ms
        self.step_mwh = step_mwh
        self.remembers = remembers


class Readings:
    """Filled by the shell from the drivers of one connector."""

    def __init__(self, meter=None):
        self.meter = meter or MeterTraits()
        self.register_mwh = Sample()
        self.power_mw = Sample()
        self.current_ma = Sample(ABSENT)
        self.plugged = Sample(ABSENT)
        self.relay_closed = Sample(ABSENT)
        self.temperature_c = Sample(ABSENT)
        # A contact cannot tell that it is broken: a broken wire reads as pressed, or as tripped.
        self.estop = False
        self.stop_button = False
        self.ground_fault = False
        self.driver_error = False  # a driver raised an error in this cycle
