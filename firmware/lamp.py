"""What the status light shows: a fault first, then a pressed emergency stop or stop button, then a charge,
and last what keeps the pile from its broker.
"""

from drivers import patterns


class Lamp:
    """indicator: the board's (drivers/contracts.py). trouble: the pattern of what keeps the pile from the
    broker; None while nothing does.
    """

    def __init__(self, indicator):
        self.trouble = patterns.STARTING
        self._indicator = indicator

    def step(self, connectors):
        """Called once per control cycle."""
        self._indicator.show(choose(connectors, self.trouble))
        self._indicator.step()

    def keep(self, pattern):
        """The program ends; the light goes on showing `pattern`."""
        self._indicator.show(pattern)
        self._indicator.step()
        self._indicator.keep()


def choose(connectors, trouble):
    """The pattern for the state of all connectors together."""
    charging = estop = stop = False
    for connector in connectors:
        if connector.fault:
            return patterns.FAULT
        if connector.readings.estop:
            estop = True
        if connector.readings.stop_button:
            stop = True
        if connector.order is not None:
            charging = True
    if estop:
        return patterns.ESTOP
    if stop:
        return patterns.STOP_PRESSED
    if charging:
        return patterns.CHARGING
    return trouble or patterns.READY
