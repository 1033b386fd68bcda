"""What the status light shows: a fault first, then a pressed emergency stop or stop button, then a charge,
then what keeps the pile from its broker, and last that every connector is out of service.
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
    charging = estop = stop = serving = False
    for connector in connectors:
        if connector.fault:
            return patterns.FAULT
        if connector.readings.estop:
            estop = True
        if connector.readings.stop_button:
            stop = True
        if connector.order is not None:
            charging = True
        if not connector.out_of_service:
            serving = True
    if estop:
        return patterns.ESTOP
    if stop:
        return patterns.STOP_PRESSED
    if charging:
        return patterns.CHARGING
    return trouble or (patterns.READY if serving else patterns.OUT_OF_SERVICE)
