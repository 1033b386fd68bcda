"""Around the pure controller: reads drivers once, steps once, commands relays once, ten times a second."""

import asyncio
import time

PERIOD_MS = 100


class Shell:
    """equipment: the board's Equipment for each Readings of the controller, in the same order."""

    def __init__(self, controller, equipment, watchdog):
        self.late_max_ms = 0  # how much later than PERIOD_MS the worst cycle began
        self.on_cycle = _nothing  # called after each cycle
        self._controller = controller
        self._pairs = [(c, e) for c, e in zip(controller.connectors, equipment)]
        self._watchdog = watchdog

    def cycle(self):
        """One cycle, now."""
        controller = self._controller
        now_ms = controller.clock.tick(time.ticks_ms())
        for connector, equipment in self._pairs:
            read(connector.readings, equipment)
        controller.step(now_ms)
        for connector, equipment in self._pairs:
            equipment.relay.set(connector.commanded)
        controller.record(now_ms)
        self.on_cycle()

    async def run(self):
        """Cycles for ever, and feeds the watchdog after each."""
        due_ms = time.ticks_ms()
        while True:
            self.cycle()
            self._watchdog.feed()
            due_ms = time.ticks_add(due_ms, PERIOD_MS)
            wait_ms = time.ticks_diff(due_ms, time.ticks_ms())
            if wait_ms < 0:
                self.late_max_ms = max(self.late_max_ms, -wait_ms)
                due_ms = time.ticks_ms()
                wait_ms = 0
            await asyncio.sleep_ms(wait_ms)


def _nothing():
    pass


def read(readings, equipment):
    """Fills `readings` from the drivers of one connector."""
    meter = equipment.meter
    inputs = equipment.inputs
    readings.register_mwh = meter.register_mwh()
    readings.power_mw = meter.power_mw()
    readings.current_ma = meter.current_ma()
    readings.relay_closed = equipment.relay.is_closed()
    readings.plugged = inputs.plugged()
    readings.estop = inputs.estop()
    readings.ground_fault = inputs.ground_fault()
    readings.temperature_c = inputs.temperature_c()


def open_all(equipment):
    """Opens every relay, whatever else fails: the last resort on every way out."""
    for one in equipment:
        try:
            one.relay.set(False)
        except Exception as error:  # noqa: BLE001 - one relay's driver must not keep the next one closed
            print("relay driver:", repr(error))
