"""The physical world of one connector: what current flows, whatever the firmware believes."""

CONSTANT_POWER_PERCENT = 80  # of the battery; above it the power tapers, as lithium cells are charged
TAPER_FLOOR_PERCENT = 2
TICKS_PERIOD_MS = 1 << 30  # where a 32-bit interpreter's ticks begin anew


class Plant:
    """Integrates mW over ms into mWh, `speed` times faster than the clock.

    power_w is the vehicle's constant power, battery_wh what it takes in all. refresh_ms: how often the meter
    renews its register, whoever asks; 0: it is always current.
    """

    def __init__(self, power_w, speed, battery_wh, refresh_ms=0):
        self.power_w = power_w
        self.battery_wh = battery_wh
        self.plugged = True
        self.estop = False
        self.stop_button = False
        self.ground_fault = False
        self.welded = False
        self.stuck_open = False
        self.meter_ok = True
        self.temperature_c = 25  # None: the sensor cannot be read
        self.current_ma = None  # None: what the power gives at 230 V
        self.coil = False  # what the relay is told
        self.delivered_mwh = 0
        self.register_mwh = 0  # what was delivered when the meter renewed its register last
        self._refresh_ms = refresh_ms
        self._renew_in_ms = refresh_ms
        self._speed = speed
        self._rest = 0  # of the integral, in mW x ms
        self._last_ms = None

    @property
    def contact(self):
        """Whether the contacts conduct."""
        return (self.coil and not self.stuck_open) or self.welded

    def power_mw(self):
        """What flows now."""
        if not (self.contact and self.plugged):
            return 0
        charged_percent = self.delivered_mwh * 100 // (self.battery_wh * 1000)
        if charged_percent >= 100:
            return 0
        power_mw = self.power_w * 1000
        if charged_percent > CONSTANT_POWER_PERCENT:
            left_percent = (100 - charged_percent) * 100 // (100 - CONSTANT_POWER_PERCENT)
            power_mw = power_mw * max(left_percent, TAPER_FLOOR_PERCENT) // 100
        return power_mw

    def recall(self, delivered_mwh):
        """The world was there before: what it has delivered, the meter's register shows."""
        self.delivered_mwh = self.register_mwh = delivered_mwh

    def advance(self, now_ms):
        """Lets the world run until now_ms, a tick count."""
        if self._last_ms is not None:
            passed_ms = (now_ms - self._last_ms) % TICKS_PERIOD_MS
            if self._refresh_ms:
                while passed_ms >= self._renew_in_ms:
                    passed_ms -= self._renew_in_ms
                    self._integrate(self._renew_in_ms)
                    self.register_mwh = self.delivered_mwh
                    self._renew_in_ms = self._refresh_ms
                self._renew_in_ms -= passed_ms
            self._integrate(passed_ms)
        if not self._refresh_ms:
            self.register_mwh = self.delivered_mwh
        self._last_ms = now_ms

    def _integrate(self, passed_ms):
        self._rest += self.power_mw() * passed_ms * self._speed
        self.delivered_mwh += self._rest // 3_600_000
        self._rest %= 3_600_000
