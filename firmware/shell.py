"""Around the pure controller: reads drivers once, steps once, commands relays once, ten times a second."""

import asyncio
import time

PERIOD_MS = 100
CONFIRM_MS = 10  # the period while a relay is on its way: what it confirms is acted on at once


class Shell:
    """equipment: the board's Equipment for each Readings of the controller, in the same order.

    rest_ms: the cycle's period while no order runs. All relays are commanded open then, and nothing that a
    cycle finds can open them further; a longer rest only shows a pulled plug or a fault that much later. An
    order ends the rest at once, and its first cycle reads every input anew before a relay closes. A board
    whose light or watchdog lives on ten cycles a second leaves it at that.

    run() and follow() are to run beside each other.
    """

    def __init__(self, controller, equipment, watchdog, rest_ms=PERIOD_MS):
        self.late_max_ms = 0  # how much later than PERIOD_MS the worst cycle began
        self.on_cycle = _nothing  # called after each cycle
        self._controller = controller
        self._pairs = [(c, e) for c, e in zip(controller.connectors, equipment)]
        self._watchdog = watchdog
        self._rest_ms = rest_ms
        self._switching = asyncio.Event()  # a relay is on its way

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
        if self._is_switching():
            self._switching.set()

    async def run(self):
        """Cycles for ever, and feeds the watchdog after each."""
        due_ms = time.ticks_ms()
        while True:
            self.cycle()
            self._watchdog.feed()
            resting = self._rest_ms > PERIOD_MS and not self._is_charging()
            due_ms = time.ticks_add(due_ms, self._rest_ms if resting else PERIOD_MS)
            wait_ms = time.ticks_diff(due_ms, time.ticks_ms())
            if wait_ms < 0:
                self.late_max_ms = max(self.late_max_ms, -wait_ms)
                due_ms = time.ticks_ms()
                wait_ms = 0
            if resting:
                await self._rest(wait_ms)
                due_ms = time.ticks_ms()
            else:
                await asyncio.sleep_ms(wait_ms)

    async def follow(self):
        """Cycles of CONFIRM_MS while a relay is on its way, whenever that begins: run() may be asleep."""
        while True:
            await self._switching.wait()
            self._switching.clear()
            while self._is_switching():
                await asyncio.sleep_ms(CONFIRM_MS)
                self.cycle()

    def _is_charging(self):
        for connector, _ in self._pairs:
            if connector.session is not None:
                return True
        return False

    def _is_switching(self):
        for connector, _ in self._pairs:
            if connector.is_switching():
                return True
        return False

    async def _rest(self, wait_ms):
        try:
            await asyncio.wait_for_ms(self._switching.wait(), wait_ms)
        except asyncio.TimeoutError:
            pass


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
