"""One supply that several connectors share: which orders may draw from it at the same time."""

from . import session as phases

OVERLOAD_MS = 2_000
BACK_AFTER_MS = 30_000  # the least time that a suspended order waits


class Feed:
    """limit_ma: what the supply bears. An order waits at most session.FEED_WAIT_MS for room."""

    def __init__(self, limit_ma):
        self._limit_ma = limit_ma
        self._overload_ms = None  # since when the measured sum is above the limit

    def has_room(self, connectors, connector):
        """Whether the rated currents of all open orders leave room for an order on `connector`."""
        rated_ma = connector.limits.rated_ma
        for other in connectors:
            if other is not connector and other.order is not None:
                rated_ma += other.limits.rated_ma
        return rated_ma <= self._limit_ma

    def step(self, now_ms, connectors):
        """Once per cycle: suspends the newest order while the measured sum is above the limit, and lets the
        oldest one back when its rated current fits.
        """
        total_ma = 0
        for connector in connectors:
            total_ma += connector.current_ma()
        if total_ma > self._limit_ma:
            if self._overload_ms is None:
                self._overload_ms = now_ms
            elif now_ms - self._overload_ms >= OVERLOAD_MS:
                self._overload_ms = None
                self._suspend_newest(now_ms, connectors)
            return
        self._overload_ms = None
        for connector in connectors:
            if connector.order is None or connector.order.session.held_ms is None:
                continue
            session = connector.order.session
            fits = total_ma + connector.limits.rated_ma <= self._limit_ma
            if fits and now_ms - session.held_ms >= BACK_AFTER_MS:
                session.held_ms = None
                return

    def _suspend_newest(self, now_ms, connectors):
        newest = None
        for connector in connectors:
            if connector.order is None or connector.order.session.phase != phases.CHARGING:
                continue
            session = connector.order.session
            if newest is None or session.metering.started_at >= newest.metering.started_at:
                newest = session
        if newest is not None:
            newest.held_ms = now_ms
