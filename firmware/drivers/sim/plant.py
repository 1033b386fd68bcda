"""The physical world of one connector: what current flows, whatever the firmware believes."""

CONSTANT_POWER_PERCENT = 80  # of the battery; above it the power tapers, as lithium cells are charged
TAPER_FLOOR_PERCENT = 2
TICKS_PERIOD_MS = 1 << 30  # where a 32-bit interpreter's ticks begin anew


class Plant:
    """Integrates mW over ms into mWh, `speed` times faster than the clock.

    power_w is the vehicle's constant power, battery_wh what it takes in all.
    """

    def __init__(self, power_w, speed, battery_wh):
        self.power_w = power_w
        self.battery_wh = battery_wh
        self.plugged = True
        self.estop = False
        self.ground_fault = False
        self.welded = False
        self.stuck_open = False
        self.meter_ok = True
        self.temperature_c = 25
        self.current_ma = None  # None: what the power gives at 230 V
        self.coil = False  # what the relay is told
        self.delivered_mwh = 0
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

    def advance(self, now_ms):
        """Lets the world run until now_ms, a tick count."""
        if self._last_ms is not None:
            passed_ms = (now_ms - self._last_ms) % TICKS_PERIOD_MS
            self._rest += self.power_mw() * passed_ms * self._speed
            self.delivered_mwh += self._rest // 3_600_000
            self._rest %= 3_600_000
        self._last_ms = now_ms
