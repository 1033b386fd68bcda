"""A release or a configuration on trial: whether it is confirmed, or goes back."""

RELEASE_MS = 60_000  # of control cycles on time, before a release is confirmed
RELEASE_MAX_MS = 1_800_000  # without that, or without the cloud, it goes back
CONFIGURATION_MAX_MS = 600_000

CONFIRMED = "Confirmed"


class Trial:
    """subject: has confirm() and fall_back(reason), which make that durable. what: the member of
    wire.UPDATE_STATUS that names it. on_time_ms: cycles that must be on time, altogether; most_ms: how long
    after the start of the pile it may take; period_ms: of the cycles.
    """

    def __init__(self, subject, what, on_time_ms, most_ms, period_ms):
        self.subject = subject
        self.what = what
        self._on_time_ms = on_time_ms
        self._cycle_max_ms = 2 * period_ms  # what comes later after the cycle before is not on time
        self._end_ms = most_ms
        self._last_ms = 0

    def step(self, now_ms, has_cloud):
        """Once per control cycle. has_cloud: whether the cloud has answered with a good seal since the start.
        Returns None, CONFIRMED, or the reason to go back: a word of wire.UPDATE_REASONS.
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
