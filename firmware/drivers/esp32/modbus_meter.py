"""Energy meters on Modbus RTU, each with a register of its own that survives a power cut.

SDM120, SDM630: input registers of the "Eastron SDM120 / SDM630 Modbus Protocol" documents; IEEE 754 single
precision, high word first: kWh, W, A. Up to 16,777 kWh such a number still tells 1 Wh apart.
PZEM-004T v3: input registers of its manual; low word first: 1 Wh, 0.1 W, 1 mA. Energy ends at 9,999.99 kWh.
"""

import time

from .modbus import request

STALE_MS = 5_000  # a reading older than this is none
SLACK_MWH = 2_000  # how far a reading may run ahead of full power


def single(data, at, scale):
    """`scale` times the IEEE 754 number in four bytes, to the nearest integer; None for NaN and infinity.

    In integers only: an ESP32's float cannot hold the result.
    """
    exponent = (data[at] & 127) << 1 | data[at + 1] >> 7
    if exponent == 255:
        return None
    if not exponent:
        return 0
    value = (0x80 | data[at + 1] & 127) << 16 | data[at + 2] << 8 | data[at + 3]
    value *= scale
    shift = 150 - exponent
    value = (value + (1 << shift >> 1)) >> shift if shift > 0 else value << -shift
    return -value if data[at] & 128 else value


def _word(data, at):
    return data[at] << 8 | data[at + 1]


def _low_first(data, at):
    return _word(data, at + 2) << 16 | _word(data, at)


def _sdm_energy(meter, data, at):
    meter.take_register(single(data, at, 1_000_000))


def _sdm_power(meter, data, at):
    meter.take_power(single(data, at, 1_000))


def _sdm_current(meter, data, at):
    meter.take_current(single(data, at, 1_000))


def _sdm_currents(meter, data, at):
    """The highest of three phases: each has its own wire to protect."""
    highest_ma = None
    for phase in range(3):
        current_ma = single(data, at + 4 * phase, 1_000)
        if current_ma is not None and (highest_ma is None or current_ma > highest_ma):
            highest_ma = current_ma
    meter.take_current(highest_ma)


def _pzem(meter, data, at):
    meter.take_current(_low_first(data, at + 2))
    meter.take_power(_low_first(data, at + 6) * 100)
    meter.take_register(_low_first(data, at + 10) * 1_000)


# What to ask, in turn: (first register, registers, what to do with the answer).
SDM120 = ((0x48, 2, _sdm_energy), (0x0C, 2, _sdm_power), (0x48, 2, _sdm_energy), (0x06, 2, _sdm_current))
SDM630 = ((0x48, 2, _sdm_energy), (0x34, 2, _sdm_power), (0x48, 2, _sdm_energy), (0x06, 6, _sdm_currents))
PZEM004T = ((0x00, 10, _pzem),)


class ModbusMeter:
    """kind: SDM120, SDM630 or PZEM004T. max_power_w: what the connector can carry at the very most.

    A register is believed when it follows from the one before: not lower, and not higher than max_power_w
    allows (a checksum of 16 bits lets one damaged answer in 65,536 pass). So a meter that was exchanged or
    set back gives no valid reading until the pile restarts.
    """

    def __init__(self, bus, address, kind, max_power_w):
        self.address = address
        self.answer_bytes = 0  # of the request under way
        self.answer_words = 0
        self._kind = kind
        self._requests = [request(address, start, words) for start, words, _ in kind]
        self._turn = len(kind) - 1
        self._max_power_w = max_power_w
        self._register_mwh = None
        self._confirmed = False  # a first reading counts only when the next one agrees with it
        self._fresh = False
        self._read_ms = 0
        self._power_mw = 0
        self._current_ma = None
        self._bus = bus
        bus.attach(self)

    def restore(self, register_mwh):
        """Its memory is its own."""

    def register_mwh(self):
        self._bus.poll(self)
        if self._fresh and time.ticks_diff(time.ticks_ms(), self._read_ms) > STALE_MS:
            self._fresh = False
            self._power_mw = 0
            self._current_ma = None
        return self._register_mwh if self._fresh and self._confirmed else None

    def power_mw(self):
        return self._power_mw

    def current_ma(self):
        return self._current_ma

    # -- for the bus ----------------------------------------------------------------------------------------

    def next_request(self):
        self._turn = (self._turn + 1) % len(self._kind)
        self.answer_words = self._kind[self._turn][1]
        self.answer_bytes = 5 + 2 * self.answer_words
        return self._requests[self._turn]

    def answered(self, data, at):
        """The registers begin at data[at]; at is -1 where no valid answer came."""
        if at >= 0:
            self._kind[self._turn][2](self, data, at)

    # -- for the tables -------------------------------------------------------------------------------------

    def take_register(self, register_mwh):
        if register_mwh is None or register_mwh < 0:
            return
        now_ms = time.ticks_ms()
        if self._register_mwh is None:
            self._believe(register_mwh, now_ms)
            return
        passed_ms = time.ticks_diff(now_ms, self._read_ms)
        if passed_ms < 0:  # silent for more than six days
            passed_ms = 1 << 29
        most_mwh = self._max_power_w * passed_ms // 3_600 + SLACK_MWH
        if 0 <= register_mwh - self._register_mwh <= most_mwh:
            self._confirmed = True
            self._believe(register_mwh, now_ms)
        elif not self._confirmed:
            self._believe(register_mwh, now_ms)

    def _believe(self, register_mwh, now_ms):
        self._register_mwh = register_mwh
        self._read_ms = now_ms
        self._fresh = True

    def take_power(self, power_mw):
        self._power_mw = power_mw if power_mw is not None and power_mw > 0 else 0

    def take_current(self, current_ma):
        self._current_ma = None if current_ma is None else abs(current_ma)
