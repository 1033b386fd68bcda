"""The safety latch: it can veto the relay in any state, and a latched fault stays until it is reset."""

# Commanded open, but the feedback says closed, or energy still flows; or closed, but the feedback says open.
FEEDBACK_GRACE_MS = 1_000
WELD_ENERGY_MWH = 3_000  # two pulses of the coarsest meter (800 imp/kWh) and some ...
WELD_WINDOW_MS = 600_000  # ... within this; a stray pulse in a week is no weld
METER_GRACE_MS = 3_000
OVERCURRENT_MS = 2_000


class Limits:
    """What one connector's wiring bears; a board sets its own."""

    def __init__(
        self, max_current_ma=35_000, max_temperature_c=80, full_power_mw=15_000, full_after_ms=180_000
    ):
        self.max_current_ma = max_current_ma
        self.max_temperature_c = max_temperature_c
        self.full_power_mw = full_power_mw  # below this the vehicle counts as full ...
        self.full_after_ms = full_after_ms  # ... when it lasts this long


class SafetyLatch:
    """`fault` is the latched OCPP 1.6 code or None. `check` once per step, before the relay is commanded."""

    def __init__(self, limits, fault=None):
        self.fault = fault
        self._limits = limits
        self._commanded = False
        self._mismatch_ms = 0
        self._weld_register_mwh = None  # more than this with an open relay, and it is not open
        self._weld_ms = 0
        self._no_meter_ms = 0
        self._overcurrent_ms = 0
        self._last_ms = None

    def check(self, now_ms, readings, commanded):
        """Judges `readings` against what the relay was commanded until now. Returns self.fault."""
        passed_ms = 0 if self._last_ms is None else now_ms - self._last_ms
        self._last_ms = now_ms
        if commanded != self._commanded:
            self._commanded = commanded
            self._mismatch_ms = 0
            self._weld_register_mwh = None
        fault = (
            self._ground(readings)
            or self._relay(passed_ms, readings)
            or self._current(passed_ms, readings)
            or self._heat(readings)
            or self._meter(passed_ms, readings)
        )
        if fault and not self.fault:
            self.fault = fault
        return self.fault

    def reset(self):
        """Forgets the fault. A cause that is still there latches again at the next check."""
        self.fault = None
        self._mismatch_ms = self._no_meter_ms = self._overcurrent_ms = 0
        self._weld_register_mwh = None

    def _ground(self, readings):
        return "GroundFailure" if readings.ground_fault else None

    def _relay(self, passed_ms, readings):
        if readings.relay_closed is not None:
            self._mismatch_ms = (
                self._mismatch_ms + passed_ms if readings.relay_closed != self._commanded else 0
            )
            if self._mismatch_ms > FEEDBACK_GRACE_MS:
                return "PowerSwitchFailure"
        register_mwh = readings.register_mwh
        if not self._commanded and register_mwh is not None:
            self._weld_ms += passed_ms
            if self._weld_register_mwh is None or self._weld_ms > WELD_WINDOW_MS:
                self._weld_register_mwh = register_mwh + WELD_ENERGY_MWH
                self._weld_ms = 0
            elif register_mwh > self._weld_register_mwh:
                return "PowerSwitchFailure"
        return None

    def _current(self, passed_ms, readings):
        over = readings.current_ma is not None and readings.current_ma > self._limits.max_current_ma
        self._overcurrent_ms = self._overcurrent_ms + passed_ms if over else 0
        return "OverCurrentFailure" if self._overcurrent_ms > OVERCURRENT_MS else None

    def _heat(self, readings):
        t = readings.temperature_c
        return "HighTemperature" if t is not None and t > self._limits.max_temperature_c else None

    def _meter(self, passed_ms, readings):
        """A meter that is silent while energy flows; one that is silent at rest just gets no order."""
        silent = self._commanded and readings.register_mwh is None
        self._no_meter_ms = self._no_meter_ms + passed_ms if silent else 0
        return "PowerMeterFailure" if self._no_meter_ms > METER_GRACE_MS else None
