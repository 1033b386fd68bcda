"""Milliseconds that only go forward, and UTC as the cloud sealed it."""

# ESP32: time.ticks_ms() wraps after this, every 12.4 days. As a mask: 2**30 itself would not fit a small int.
TICKS_MASK_MS = (1 << 30) - 1

UNSET = "Unset"
CALENDAR = "Calendar"
CLOUD = "Cloud"


class Clock:
    """`now_ms` counts from boot. `at()` is Unix seconds UTC, or None until a source has set the time.

    There are two sources. CLOUD: a sealed message. CALENDAR: the chip's calendar, which a sealed message set
    before a restart. NTP is none: whoever forges its answer could choose the price step of an order that a
    power cut interrupted, or make an expired order valid again.

    A new time takes effect at once, in both directions. A running order does not notice: it has a time base
    of its own, the UTC at its start and the ticks since then.
    """

    def __init__(self, ticks_ms):
        self.now_ms = 0
        self.source = UNSET
        self._ticks_ms = ticks_ms
        self._base_at = None
        self._base_ms = 0

    def tick(self, ticks_ms):
        """Takes the hardware's tick count, wrapped or not; call at least once in 12 days. Returns now_ms."""
        self.now_ms += (ticks_ms - self._ticks_ms) & TICKS_MASK_MS
        self._ticks_ms = ticks_ms
        return self.now_ms

    def at(self):
        """Unix seconds UTC, or None."""
        if self._base_at is None:
            return None
        return self._base_at + (self.now_ms - self._base_ms) // 1000

    def cloud_at(self):
        """`at()` if the cloud has told the time since boot, else None. What expires is judged by this
        alone.
        """
        return self.at() if self.source == CLOUD else None

    def tell(self, at, source):
        """UTC is `at` (Unix seconds); source is CALENDAR or CLOUD. CALENDAR does not overrule CLOUD."""
        if source == CALENDAR and self.source == CLOUD:
            return
        self._base_at = at
        self._base_ms = self.now_ms
        self.source = source
