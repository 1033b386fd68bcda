"""A release or a configuration on trial: when it is confirmed, and when it falls back."""

RELEASE_MS = 60_000  # of control cycles on time before a release is confirmed
RELEASE_MAX_MS = 1_800_000  # uptime after which a release that is not confirmed falls back
CONFIGURATION_MAX_MS = 600_000

CONFIRMED = "Confirmed"


class Trial:
    """subject: its confirm() and fall_back(reason) write the result to flash. what: the member of
    wire.UPDATE_STATUS that names it. on_time_ms: the required sum of control cycles on time. most_ms: the
    uptime at which the trial ends. period_ms: that of the control cycles.
    """

    def __init__(self, subject, what, on_time_ms, most_ms, period_ms):
        self.subject = subject
        self.what = what
        self._on_time_ms = on_time_ms
        self._cycle_max_ms = 2 * period_ms  # a cycle that begins later after the last one is not on time
        self._end_ms = most_ms
        self._last_ms = 0

    def step(self, now_ms, has_cloud):
        """Called once per control cycle. has_cloud: whether the cloud has answered with a valid seal since
        the start. Returns None, CONFIRMED, or the reason of the fallback, one of wire.UPDATE_REASONS.
        """
        passed_ms = now_ms - self._last_ms
        self._last_ms = now_ms
        if passed_ms <= self._cycle_max_ms:
            self._on_time_ms -= passed_ms
        if has_cloud and self._on_time_ms <= 0:
            return CONFIRMED
        if now_ms >= self._end_ms:
            return "Late" if has_cloud else "NoCloud"
        return None
