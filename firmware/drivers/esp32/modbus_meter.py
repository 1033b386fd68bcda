"""Energy meters on Modbus RTU, each with a register of its own that survives a power cut.

SDM120, SDM630: input registers of the "Eastron SDM120 / SDM630 Modbus Protocol" documents; IEEE 754 single
precision, high word first: kWh, W, A. They renew the registers every 0.5 to 1 s. The energy moves in steps of
1 Wh; past 16,384 kWh a single-precision number has steps of 2 Wh, past 32,768 kWh of 3.9 Wh.
PZEM-004T v3: input registers of its manual; low word first: 1 Wh, 0.1 W, 1 mA. After 9,999.99 kWh its energy
begins again at 0.
"""

import time

from .modbus import EXCHANGE_MS, LOST_MS, request

SLACK_MWH = 2_000  # how far a reading may run ahead of full power
AWAY_MWH = 100_000_000  # what may have flowed while the pile was off


def single(data, at, scale):
    """`scale` times the IEEE 754 number in four bytes, to the nearest integer; None for NaN and infinity.

    Computed in integers, because an ESP32's float cannot hold the result.
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


# (refresh in ms, where the energy begins again in mWh or 0, what to ask in turn). A request is
# (first register, registers, what to do with the answer). The energy is asked in every second exchange.
SDM120 = (
    1_000,
    0,
    ((0x48, 2, _sdm_energy), (0x0C, 2, _sdm_power), (0x48, 2, _sdm_energy), (0x06, 2, _sdm_current)),
)
SDM630 = (
    1_000,
    0,
    ((0x48, 2, _sdm_energy), (0x34, 2, _sdm_power), (0x48, 2, _sdm_energy), (0x06, 6, _sdm_currents)),
)
PZEM004T = (1_000, 9_999_990_000, ((0x00, 10, _pzem),))


class ModbusMeter:
    """kind: SDM120, SDM630 or PZEM004T. max_power_w: what the connector can carry at the very most.

    A register is believed when it follows from the one before: not lower, and not higher than max_power_w
    allows (a checksum of 16 bits lets one damaged answer in 65,536 pass). So a meter that was exchanged or
    set back gives no valid reading until the pile restarts.

    A sample is as old as the meter's own refresh and the time that an exchange may take.
    """

    remembers = True
    measures_current = True
    interval_ms = settle_ms = current_interval_ms = 0  # set by set_round()

    def __init__(self, bus, address, kind, max_power_w):
        refresh_ms, self._rollover_mwh, asks = kind
        self.address = address
        self.refresh_ms = refresh_ms + EXCHANGE_MS
        self.register_mwh = 0
        self.sampled_ms = 0
        self.current_sampled_ms = 0
        self._asks = asks
        self._requests = [request(address, start, words) for start, words, _ in asks]
        self._turn = len(asks) - 1
        self._max_power_w = max_power_w
        self._base_mwh = 0  # of the rollovers so far
        self._restored_mwh = 0
        self._step_mwh = 1_000
        self._raw_mwh = None  # the newest register that was believed
        self._raw_ms = 0
        self._confirmed = False  # a first reading counts when the next one agrees with it
        self._fresh = False
        self._power_mw = None
        self._current_ma = None
        self._bus = bus
        # For the bus: the request under way; until the first one, the longest answer.
        self.answer_words = max([words for _, words, _ in asks])
        self.answer_bytes = 5 + 2 * self.answer_words
        self.misses = 0
        self.longest_bytes = self.answer_bytes
        bus.attach(self)

    def restore(self, register_mwh):
        """The register is the meter's own; the last durable one tells how often it has begun again."""
        self._restored_mwh = register_mwh

    def step_mwh(self):
        return self._step_mwh

    def poll(self):
        self._bus.poll(self)
        if self._fresh:
            age_ms = time.ticks_diff(time.ticks_ms(), self._raw_ms)
            if not 0 <= age_ms <= self.interval_ms + self.settle_ms:
                self._fresh = False
                self._power_mw = None
                self._current_ma = None
        return self._fresh and self._confirmed

    def power_mw(self):
        return self._power_mw

    def current_ma(self):
        return self._current_ma

    # -- for the bus ----------------------------------------------------------------------------------------

    def set_round(self, round_ms):
        """round_ms: how long the bus takes to ask every meter once."""
        turns = len(self._asks)
        self.interval_ms = round_ms if turns == 1 else 2 * round_ms
        self.current_interval_ms = turns * round_ms
        # The request under way when the disturbance ends may be lost; then it takes an interval as usual.
        self.settle_ms = LOST_MS + self.interval_ms

    def next_request(self):
        self._turn = (self._turn + 1) % len(self._asks)
        self.answer_words = self._asks[self._turn][1]
        self.answer_bytes = 5 + 2 * self.answer_words
        return self._requests[self._turn]

    def answered(self, data, at):
        """The registers begin at data[at]; at is -1 where no valid answer came."""
        turn = self._turn
        if at >= 0:
            self._asks[turn][2](self, data, at)
        elif not turn & 1:
            self._turn = turn - 1  # the energy is asked for again, before the power or current

    # -- for the tables -------------------------------------------------------------------------------------

    def take_register(self, raw_mwh):
        if raw_mwh is None or raw_mwh < 0:
            return
        now_ms = time.ticks_ms()
        base_mwh = self._base_mwh
        if self._raw_mwh is not None:
            passed_ms = time.ticks_diff(now_ms, self._raw_ms)
            if passed_ms < 0:  # silent for more than six days
                passed_ms = 1 << 29
            most_mwh = self._max_power_w * passed_ms // 3_600 + SLACK_MWH
            gain_mwh = raw_mwh - self._raw_mwh
            if gain_mwh < 0 and self._rollover_mwh:
                gain_mwh += self._rollover_mwh
                base_mwh += self._rollover_mwh
            if 0 <= gain_mwh <= most_mwh:
                if not self._confirmed:
                    self._confirmed = True
                    base_mwh += self._rollovers_mwh(base_mwh + raw_mwh)
            elif self._confirmed:
                return
            else:
                base_mwh = 0
        if raw_mwh != self._raw_mwh:
            self._raw_mwh = raw_mwh
            self._step_mwh = 1_000 if self._rollover_mwh else _single_step_mwh(raw_mwh)
        self._base_mwh = base_mwh
        self._raw_ms = now_ms
        self._fresh = True
        if self._confirmed:
            self.register_mwh = base_mwh + raw_mwh
            self.sampled_ms = now_ms

    def _rollovers_mwh(self, register_mwh):
        """What earlier rollovers add, so that the register goes on from the durable one."""
        rollover_mwh = self._rollover_mwh
        behind_mwh = self._restored_mwh - register_mwh
        if not rollover_mwh or behind_mwh <= 0:
            return 0
        missing_mwh = (behind_mwh + rollover_mwh // 2) // rollover_mwh * rollover_mwh
        if missing_mwh - behind_mwh > AWAY_MWH:  # another meter, or one that was set back
            missing_mwh = self._restored_mwh // rollover_mwh * rollover_mwh
        return missing_mwh

    def take_power(self, power_mw):
        self._power_mw = power_mw if power_mw is not None and power_mw > 0 else 0

    def take_current(self, current_ma):
        self._current_ma = None if current_ma is None else abs(current_ma)
        self.current_sampled_ms = time.ticks_ms()


def _single_step_mwh(register_mwh):
    """The step of a single-precision number of kWh, in mWh, rounded up; at least the meter's own 1 Wh."""
    kwh = register_mwh // 1_000_000
    exponent = -1
    while kwh:
        kwh >>= 1
        exponent += 1
    # 24 bits: a number of 2**exponent has steps of 2**(exponent - 23).
    return max(1_000, (1_000_000 << exponent >> 23) + 1) if exponent > 0 else 1_000
