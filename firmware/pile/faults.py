"""The latched faults of all connectors, and their file in flash.

A latched fault keeps its relay open, across restarts, until its cause has been gone for a while or a person
resets it: SELF_HEALING tells which. docs/field-guide.md has the same table.
"""

from pile_protocol.errors import ProtocolError

from .readings import INVALID, VALID

# Fault code: how long its cause must be gone before the fault is taken back without a person, ms.
# InternalError: only where a driver's error caused it. All other faults need a person.
SELF_HEALING = {
    "PowerMeterFailure": 10_000,
    "HighTemperature": 10_000,
    "SensorFailure": 10_000,
    "InternalError": 60_000,
}
COOLED_C = 10  # HighTemperature: how far below the limit the temperature must be
HEALINGS_MAX = 3  # within HEALINGS_WITHIN_MS; the next fault needs a person
HEALINGS_WITHIN_MS = 3_600_000


def _is_cause_gone(code, readings, limits):
    if code == "PowerMeterFailure":
        return readings.register_mwh.state == VALID
    temperature = readings.temperature_c
    if code == "HighTemperature":
        return temperature.state == VALID and temperature.value <= limits.max_temperature_c - COOLED_C
    if code == "SensorFailure":
        return INVALID not in (temperature.state, readings.plugged.state, readings.relay_closed.state)
    return not readings.driver_error


class Latch:
    """One connector's latched fault: `code`, or None. `at`: when it was latched, Unix seconds or None."""

    def __init__(self):
        self.code = None
        self.at = None
        self._heal_ms = 0  # how long its cause must be gone; 0: a person must reset it
        self._gone_ms = None  # since when its cause is gone
        self._healed_ms = []  # when faults of the last hour were taken back

    def set(self, code, clock, needs_person=False):
        """Latches `code`. Returns whether that changed anything: an earlier fault stays, unless it would heal
        by itself and this one does not.
        """
        heal_ms = 0 if needs_person else SELF_HEALING.get(code, 0)
        if len(self._healed_ms) >= HEALINGS_MAX:
            heal_ms = 0
        if self.code and (heal_ms or not self._heal_ms):
            return False
        self.code = code
        self.at = clock.at()
        self._heal_ms = heal_ms
        self._gone_ms = None
        return True

    def restore(self, code, at):
        """A fault found in flash. A driver's error is not kept there, so an InternalError needs a person."""
        self.code = code
        self.at = at
        self._heal_ms = 0 if code == "InternalError" else SELF_HEALING.get(code, 0)

    def clear(self):
        self.code = None
        self.at = None

    @property
    def is_durable(self):
        """A driver's error is not: whether it is still there shows after a restart."""
        return self.code is not None and not (self.code == "InternalError" and self._heal_ms)

    def heal(self, now_ms, readings, limits):
        """Takes the fault back once its cause has been gone for long enough. Returns whether it did."""
        while self._healed_ms and now_ms - self._healed_ms[0] > HEALINGS_WITHIN_MS:
            self._healed_ms.pop(0)
        if not (self.code and self._heal_ms):
            return False
        if not _is_cause_gone(self.code, readings, limits):
            self._gone_ms = None
        elif self._gone_ms is None:
            self._gone_ms = now_ms
        elif now_ms - self._gone_ms >= self._heal_ms:
            self._healed_ms.append(now_ms)
            self.clear()
            return True
        return False


class Faults:
    """latches: one for each of `count` connectors, in their order."""

    def __init__(self, journal, count):
        self.latches = [Latch() for _ in range(count)]
        self._journal = journal
        self._saved = {}

    def load(self, rows):
        """The faults in flash: {connector: [code, latched at]}. Those of connectors that the board does not
        have are kept there.
        """
        self._saved = rows
        for i, latch in enumerate(self.latches):
            if i + 1 in rows:
                latch.restore(*rows[i + 1])

    def save(self):
        """Makes the latched faults durable. Raises OSError where the flash refuses."""
        self._save(self._rows())

    def reset(self, number, issued_at):
        """A person's reset of connector `number`, made at issued_at. Raises ProtocolError where there is no
        fault that the command could know of, OSError where the flash refuses; the fault then stays.
        """
        latch = self.latches[number - 1] if 1 <= number <= len(self.latches) else None
        if latch is None or not latch.code or issued_at < (latch.at or 0):
            raise ProtocolError("no fault to reset that the command could know of")
        rows = self._rows()
        rows.pop(number, None)
        self._save(rows)
        latch.clear()

    def _rows(self):
        rows = dict(self._saved)
        for i, latch in enumerate(self.latches):
            if latch.is_durable:
                rows[i + 1] = [latch.code, latch.at]
            else:
                rows.pop(i + 1, None)
        return rows

    def _save(self, rows):
        if rows != self._saved:
            self._journal.save_faults(rows)
            self._saved = rows
