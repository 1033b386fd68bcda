"""The cycle around the pure controller: reads every driver once, steps once, commands every relay once."""

import asyncio
import time

PERIOD_MS = 100
CONFIRM_MS = 10  # the period while a relay switches, so that its feedback is acted on at once


class Shell:
    """equipment: the board's Equipment for each connector of the controller, in the same order.

    rest_ms: the cycle's period while no order runs. All relays are commanded open then, so a slower cycle
    delays no opening; it shows a pulled plug or a fault that much later. An order ends the rest at once, and
    its first cycle reads every input anew before a relay closes.

    run() and follow() run beside each other.
    """

    def __init__(self, controller, equipment, watchdog, rest_ms=PERIOD_MS):
        self.late_max_ms = 0  # the most that a cycle began later than it was due
        self.on_cycle = None  # called after each cycle
        self._controller = controller
        self._equipment = equipment
        self._refused = 0  # bit i: the relay of connector i refused its last command
        self.watchdog = watchdog  # fed by run()
        self._rest_ms = rest_ms
        self._busy = asyncio.Event()  # a message waits, or a relay switches

    def wake(self):
        """A message has been queued: the next cycle begins at once."""
        self._busy.set()

    def cycle(self):
        """One cycle. Returns whether the next one is due at once."""
        controller = self._controller
        now_ms = controller.clock.tick(time.ticks_ms())
        i = 0
        for connector in controller.connectors:
            read(connector.readings, self._equipment[i], now_ms)
            if self._refused >> i & 1:
                connector.readings.driver_error = True
            i += 1
        self._refused = 0
        controller.step(now_ms)
        i = 0
        for connector in controller.connectors:
            try:
                self._equipment[i].relay.set(connector.commanded)
            except OSError:
                self._refused |= 1 << i
            i += 1
        again = controller.work(now_ms)
        if self.on_cycle:
            self.on_cycle()
        if again or self._is_switching():
            self._busy.set()
        return again

    async def run(self):
        """A cycle every PERIOD_MS for ever, and the watchdog fed after each."""
        due_ms = time.ticks_ms()
        while True:
            self.cycle()
            self.watchdog.feed()
            resting = self._rest_ms > PERIOD_MS and not self._is_charging()
            due_ms = time.ticks_add(due_ms, self._rest_ms if resting else PERIOD_MS)
            wait_ms = time.ticks_diff(due_ms, time.ticks_ms())
            if wait_ms < 0:
                self.late_max_ms = max(self.late_max_ms, -wait_ms)
                due_ms = time.ticks_ms()
                wait_ms = 0
            if resting:
                try:
                    await asyncio.wait_for_ms(self._busy.wait(), wait_ms)
                except asyncio.TimeoutError:
                    pass
                due_ms = time.ticks_ms()
            else:
                await asyncio.sleep_ms(wait_ms)

    async def follow(self):
        """Cycles without a pause while messages wait, and every CONFIRM_MS while a relay switches."""
        while True:
            await self._busy.wait()
            self._busy.clear()
            # A pause only for the relay's contacts: a message that comes meanwhile would wait for its end.
            await asyncio.sleep_ms(CONFIRM_MS if not self.cycle() and self._is_switching() else 0)

    def _is_charging(self):
        for connector in self._controller.connectors:
            if connector.order is not None:
                return True
        return False

    def _is_switching(self):
        for connector in self._controller.connectors:
            if connector.is_switching():
                return True
        return False


def describe(readings, meter):
    """Copies what a meter says of itself, once, at the start; step_mwh follows with each sample."""
    traits = readings.meter
    traits.refresh_ms = meter.refresh_ms
    traits.interval_ms = meter.interval_ms
    traits.current_interval_ms = meter.current_interval_ms
    traits.settle_ms = meter.settle_ms
    traits.remembers = meter.remembers


def read(readings, equipment, now_ms):
    """Fills `readings` from the drivers of one connector; now_ms is the pile's clock.

    The relay's feedback is read before the meter, so a sample is never older than the feedback that confirmed
    an opening. A driver that raises OSError gives an invalid reading, and the pile is told by driver_error.
    """
    readings.driver_error = False
    relay = equipment.relay
    if relay.has_feedback:
        try:
            _take(readings.relay_closed, relay.is_closed(), now_ms)
        except OSError:
            _fail(readings, readings.relay_closed)
    _read_meter(readings, equipment.meter, now_ms)
    _read_input(readings, readings.plugged, equipment.plug, now_ms)
    _read_input(readings, readings.temperature_c, equipment.thermometer, now_ms)
    readings.estop = _read_contact(readings, equipment.estop, readings.estop)
    readings.stop_button = _read_contact(readings, equipment.stop_button, readings.stop_button)
    readings.ground_fault = _read_contact(readings, equipment.ground_fault, readings.ground_fault)


def _take(sample, value, at_ms):
    if value is None:
        sample.lose()
    else:
        sample.take(value, at_ms)


def _fail(readings, sample):
    sample.lose()
    readings.driver_error = True


def _read_meter(readings, meter, now_ms):
    register = readings.register_mwh
    try:
        if not meter.poll():
            register.lose()
            readings.power_mw.lose()
            if meter.measures_current:
                readings.current_ma.lose()
            return
        at_ms = now_ms - time.ticks_diff(time.ticks_ms(), meter.sampled_ms)
        if register.value != meter.register_mwh:
            readings.meter.step_mwh = meter.step_mwh()
        register.take(meter.register_mwh, at_ms)
        _take(readings.power_mw, meter.power_mw(), at_ms)
        if meter.measures_current:
            at_ms = now_ms - time.ticks_diff(time.ticks_ms(), meter.current_sampled_ms)
            _take(readings.current_ma, meter.current_ma(), at_ms)
    except OSError:
        _fail(readings, register)


def _read_input(readings, sample, driver, now_ms):
    if driver is not None:  # else it stays ABSENT
        try:
            _take(sample, driver.read(), now_ms)
        except OSError:
            _fail(readings, sample)


def _read_contact(readings, driver, before):
    """Whether the contact is active; what it was before, while it cannot be read."""
    if driver is None:
        return False
    try:
        active = driver.read()
    except OSError:
        readings.driver_error = True
        active = None
    return before if active is None else active


def open_all(equipment):
    """Opens every relay, whatever else fails: the last act on every way out."""
    for one in equipment:
        try:
            one.relay.set(False)
        except Exception as error:  # noqa: BLE001 - one relay's driver must not keep the next one closed
            print("relay driver:", repr(error))
