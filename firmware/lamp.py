"""What the status light is to say: a fault before a charge, a charge before what only the operator minds."""

from drivers import patterns


class Lamp:
    """indicator: the board's (drivers/contracts.py). trouble: the pattern of what keeps the pile from the
    broker, None while nothing does.
    """

    def __init__(self, indicator):
        self.trouble = patterns.STARTING
        self._indicator = indicator

    def step(self, connectors):
        """Once per control cycle."""
        self._indicator.show(choose(connectors, self.trouble))
        self._indicator.step()

    def keep(self, pattern):
        """The program ends; the light goes on."""
        self._indicator.show(pattern)
        self._indicator.step()
        self._indicator.keep()


def choose(connectors, trouble):
    """The pattern for the state of all connectors together."""
    charging = stopped = False
    for connector in connectors:
        if connector.latch.fault:
            return patterns.FAULT
        if connector.readings.estop:
            stopped = True
        if connector.session is not None:
            charging = True
    if stopped:
        return patterns.ESTOP
    if charging:
        return patterns.CHARGING
    return trouble or patterns.READY
