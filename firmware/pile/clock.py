"""Milliseconds that only go forward, and the UTC that somebody trustworthy told."""

# ESP32: time.ticks_ms() wraps after this, every 12.4 days. 2**30 itself would take heap, ten times a second.
TICKS_MASK_MS = (1 << 30) - 1

UNSET = "Unset"
NTP = "Ntp"
CLOUD = "Cloud"


class Clock:
    """`now_ms` counts from boot. `at()` is Unix seconds UTC, or None until a source has told the time.

    A told time takes effect at once, in both directions. A running order does not notice: its session keeps
    a time base of its own, the UTC at its start and the ticks since then.
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
        """What to judge by what has expired: `at()` by the cloud's word alone, else None. Whoever forges an
        answer of NTP could revive an order that ran long ago.
        """
        return self.at() if self.source == CLOUD else None

    def tell(self, at, source):
        """UTC is `at` now, says NTP or CLOUD. NTP does not overrule the cloud, which judges expires_at."""
        if source == NTP and self.source == CLOUD:
            return
        self._base_at = at
        self._base_ms = self.now_ms
        self.source = source
