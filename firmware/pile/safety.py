"""What is wrong at one connector at this moment. Finds faults only: faults.py latches them and takes them
back.
"""

from .readings import ABSENT, INVALID, VALID

FEEDBACK_GRACE_MS = 1_000  # for the contact to follow its command
WELD_ENERGY_MWH = 3_000  # energy through an open relay that proves a weld: over two pulses of 800 imp/kWh ...
WELD_WINDOW_MS = 600_000  # ... within this time, so that stray pulses over days prove nothing
METER_GRACE_MS = 3_000  # beyond the time that the meter itself names
OVERCURRENT_MS = 2_000
SENSOR_GRACE_MS = 10_000


class Limits:
    """What one connector's wiring bears, and how long it waits for vehicles. A board sets its own."""

    def __init__(
        self,
        max_current_ma=35_000,
        max_temperature_c=80,
        full_power_mw=15_000,
        full_after_ms=180_000,
        full_after_max_ms=14_400_000,
        begin_within_ms=1_800_000,
        begin_within_max_ms=43_200_000,
        gap_ms=120_000,
        replug_ms=5_000,
        pause_ms=1_000,
        rated_ma=None,
    ):
        self.max_current_ma = max_current_ma
        self.max_temperature_c = max_temperature_c
        self.full_power_mw = full_power_mw  # a vehicle that draws less than this draws next to nothing
        self.full_after_ms = full_after_ms  # next to nothing for so long, after it drew: it is full
        self.full_after_max_ms = full_after_max_ms  # the most that an order may ask for
        self.begin_within_ms = begin_within_ms  # for its first draw
        self.begin_within_max_ms = begin_within_max_ms  # the most that an order may ask for
        # Without a plug switch: power that comes back after so long may be another vehicle's. Less than
        # full_after_ms.
        self.gap_ms = gap_ms
        self.replug_ms = replug_ms  # how long an order waits for a plug that was pulled; 0: it ends at once
        self.pause_ms = pause_ms  # from the opening of the relay to the next order
        self.rated_ma = rated_ma or max_current_ma  # what the connector takes of a shared supply


class Watch:
    """Judges one connector's readings, once per step, before the relay is commanded."""

    def __init__(self, limits):
        self._limits = limits
        self._commanded = False
        self._last_ms = None
        self.restart()

    def restart(self):
        """Begins every grace period anew."""
        self._mismatch_ms = self._silent_ms = self._blind_ms = 0
        self._weld_mwh = None  # the register at the baseline, taken with an open relay
        self._weld_ms = 0
        self._over_ms = None  # when the first of the samples above the limit was taken
        self._over_last_ms = 0

    def find(self, now_ms, readings, commanded, opened_ms):
        """The fault code that holds now, or None. commanded: the relay's command until now; opened_ms: when
        the relay was confirmed open, None while it is not.
        """
        passed_ms = 0 if self._last_ms is None else now_ms - self._last_ms
        self._last_ms = now_ms
        if commanded != self._commanded:
            self._commanded = commanded
            self._mismatch_ms = 0
        if readings.ground_fault:
            return "GroundFailure"
        if self._is_contact_wrong(passed_ms, readings):
            return "PowerSwitchStuckOpen" if commanded else "PowerSwitchFailure"
        if self._is_welded(now_ms, readings, opened_ms):
            return "PowerSwitchFailure"
        if self._is_over_current(readings):
            return "OverCurrentFailure"
        temperature = readings.temperature_c
        if temperature.state == VALID and temperature.value > self._limits.max_temperature_c:
            return "HighTemperature"
        if self._is_meter_silent(now_ms, passed_ms, readings):
            return "PowerMeterFailure"
        blind = (
            temperature.state == INVALID
            or readings.plugged.state == INVALID
            or readings.relay_closed.state == INVALID
        )
        self._blind_ms = self._blind_ms + passed_ms if blind else 0
        if self._blind_ms > SENSOR_GRACE_MS:
            return "SensorFailure"
        return "InternalError" if readings.driver_error else None

    def _is_contact_wrong(self, passed_ms, readings):
        relay = readings.relay_closed
        wrong = relay.state == VALID and relay.value != self._commanded
        self._mismatch_ms = self._mismatch_ms + passed_ms if wrong else 0
        return self._mismatch_ms > FEEDBACK_GRACE_MS

    def _is_welded(self, now_ms, readings, opened_ms):
        """Whether energy flows through the open relay. The baseline is a sample that already shows everything
        that flowed before the opening. A single step of the register may be of energy that leaked for hours:
        it proves a weld only while the meter shows power too.
        """
        register = readings.register_mwh
        meter = readings.meter
        if opened_ms is None:
            self._weld_mwh = None
        elif register.state == VALID and register.at_ms - meter.refresh_ms >= opened_ms:
            if self._weld_mwh is None or now_ms - self._weld_ms > WELD_WINDOW_MS:
                self._weld_mwh = register.value
                self._weld_ms = now_ms
            else:
                energy_mwh = register.value - self._weld_mwh
                power = readings.power_mw
                return energy_mwh > WELD_ENERGY_MWH and (
                    energy_mwh > meter.step_mwh
                    or (power.state == VALID and power.value >= self._limits.full_power_mw)
                )
        return False

    def _is_over_current(self, readings):
        """Only the time between samples counts: one that the meter holds proves nothing after it was taken,
        and two that are further apart than the meter's own interval prove nothing about the time between
        them.
        """
        current = readings.current_ma
        if current.state != VALID:
            return False
        if current.value <= self._limits.max_current_ma:
            self._over_ms = None
            return False
        gap_ms = 2 * readings.meter.current_interval_ms + readings.meter.settle_ms
        if self._over_ms is None or current.at_ms - self._over_last_ms > gap_ms:
            self._over_ms = current.at_ms
        self._over_last_ms = current.at_ms
        return current.at_ms - self._over_ms > OVERCURRENT_MS

    def _is_meter_silent(self, now_ms, passed_ms, readings):
        """Only while the relay is commanded closed; a meter that is silent at rest just gets no order."""
        register = readings.register_mwh
        meter = readings.meter
        grace_ms = meter.interval_ms + meter.settle_ms + METER_GRACE_MS
        if not self._commanded or (register.state == VALID and now_ms - register.at_ms <= grace_ms):
            self._silent_ms = 0
        else:
            self._silent_ms += passed_ms
        return self._silent_ms > grace_ms


def is_unplugged(readings):
    """Whether the plug switch says that no vehicle is there; False if it is absent or invalid."""
    return readings.plugged.state == VALID and not readings.plugged.value


def has_plug_switch(readings):
    return readings.plugged.state != ABSENT
