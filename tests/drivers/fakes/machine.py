"""A `machine` for the unix port that behaves like the ESP32's, as far as drivers can see; lab.py moves it."""

import time

import lab


def _role(number, role):
    lab.uses.append((number, role))


class Pin:
    """One object per pin, as on the ESP32. An output has a level, an input what is outside, else its pull."""

    IN = 1
    OUT = 3
    PULL_DOWN = 1
    PULL_UP = 2
    IRQ_RISING = 1
    IRQ_FALLING = 2

    def __new__(cls, number, *_arguments, **_named):
        return lab.pins.get(number) or object.__new__(cls)

    def __init__(self, number, mode=None, pull=-1, *, value=None):
        if number not in lab.pins:
            lab.pins[number] = self
            self.number = number
            self.mode = self.IN
            self.pull = None
            self.level = 0
            self.outside = None
            self.handler = None
            self.trigger = 0
        if value is not None:
            self.level = int(bool(value))
            _role(number, "level %d" % self.level)
        if mode is not None:
            self.mode = mode
            _role(number, "output" if mode == self.OUT else "input")
        if pull != -1:
            self.pull = pull
            if pull is not None:
                _role(number, "pull")

    def value(self, level=None):
        if level is not None:
            self.level = int(bool(level))
            return None
        if self.mode == self.OUT:
            return self.level
        if self.outside is not None:
            return self.outside
        return 1 if self.pull == self.PULL_UP else 0

    def irq(self, handler=None, trigger=3):
        self.handler = handler
        self.trigger = trigger


class Counter:
    """The ESP32's: a 16-bit counter that starts again at its limit, and an interrupt that counts how often.
    Making one turns its pin's output off, as the chip's driver does.

    Reading it lets a waiting interrupt run first; two that wait at once are one.
    """

    RISING = 1
    FALLING = 2
    LIMIT = 32_000

    def __init__(self, unit, pin, *, edge=RISING, filter_ns=0):
        self.unit = unit
        self.pin = pin
        self.filter_ns = min(max(0, filter_ns * 80 // 1000), 1023) * 1000 // 80
        self._falling = edge == self.FALLING
        self._count = 0
        self._overflows = 0
        self._overflowed = False
        pin.mode = Pin.IN
        lab.counters.append(self)
        _role(pin.number, "counter %d" % unit)

    def edge(self, falling):
        if falling != self._falling:
            return
        self._count += 1
        if self._count == self.LIMIT:
            self._count = 0
            self._overflowed = True
            lab.schedule(self._overflow, None)

    def _overflow(self, _):
        if self._overflowed:
            self._overflowed = False
            self._overflows += 1

    def value(self):
        self._overflow(None)
        return self._overflows * self.LIMIT + self._count


class ADC:
    """It ends at lab.adc_end_mv: no chip's reads 3,300 mV. A chip without calibration fuses has none."""

    ATTN_11DB = 3

    def __init__(self, pin, *, atten=0):
        if not lab.adc_calibrated:
            raise OSError("calibration")
        self._number = pin.number
        _role(pin.number, "analogue")

    def read_uv(self):
        return min(lab.microvolts.get(self._number, 1_144_000), lab.adc_end_mv * 1000)


class UART:
    """A wire with time on it. `answer`: what the other side does: bytes -> (delay in ms, bytes), or None.
    With `direction`, the number of the transceiver's pin, nothing is heard of what is sent while it is
    low, and nothing received while it is high.
    """

    def __init__(self, unit, *, baudrate, bits=8, parity=None, stop=1, tx=None, rx=None):
        self.unit = unit
        self.answer = None
        self.direction = None
        self.requests = []  # (bytes, whether they reached the other side whole)
        self._char_us = (1 + bits + (parity is not None) + stop) * 1_000_000 // baudrate
        self._sending = None
        self._sent_us = 0
        self._coming = []  # (at, byte)
        self._arrived = bytearray()
        lab.uarts[unit] = self
        _role(tx, "uart %d" % unit)
        _role(tx, "output")
        _role(rx, "input")

    def write(self, data):
        self._sending = bytes(data)
        self._sent_us = time.now_us() + len(data) * self._char_us
        self._whole = self._talking()
        return len(data)

    def txdone(self):
        return time.now_us() >= self._sent_us

    def any(self):
        return len(self._arrived)

    def readinto(self, buffer):
        count = min(len(buffer), len(self._arrived))
        if not count:
            return None
        buffer[:count] = self._arrived[:count]
        self._arrived = self._arrived[count:]
        return count

    def inject(self, data):
        """Bytes that come from nowhere: noise."""
        self._arrived.extend(data)

    def _talking(self):
        return self.direction is None or lab.pins[self.direction].value() == 1

    def tick(self):
        now_us = time.now_us()
        if self._sending is not None:
            if not self._talking() and now_us < self._sent_us:
                self._whole = False
            if now_us >= self._sent_us:
                self._hear()
        while self._coming and self._coming[0][0] <= now_us:
            byte = self._coming.pop(0)[1]
            if self.direction is None or not self._talking():
                self._arrived.append(byte)

    def _hear(self):
        request, self._sending = self._sending, None
        self.requests.append((request, self._whole))
        answer = self.answer(request) if self._whole and self.answer else None
        if answer:
            at_us = self._sent_us + answer[0] * 1000
            for i, byte in enumerate(answer[1]):
                self._coming.append((at_us + (i + 1) * self._char_us, byte))


class Timer:
    ONE_SHOT = 0
    PERIODIC = 1

    def __new__(cls, unit):
        return lab.timers.get(unit) or object.__new__(cls)

    def __init__(self, unit):
        if unit not in lab.timers:
            lab.timers[unit] = self
            self.callback = None

    def init(self, *, mode=PERIODIC, period=0, callback=None):
        self._mode = mode
        self._period_ms = period
        self._left_ms = period
        self.callback = callback

    def deinit(self):
        self.callback = None

    def tick(self):
        if self.callback is None:
            return
        self._left_ms -= 1
        if self._left_ms <= 0:
            callback = self.callback
            self._left_ms = self._period_ms
            if self._mode == self.ONE_SHOT:
                self.callback = None
            lab.schedule(callback, self)


class WDT:
    def __init__(self, *, timeout):
        self.timeout = timeout
        self.feeds = 0
        lab.watchdog = self

    def feed(self):
        self.feeds += 1


PWRON_RESET, HARD_RESET, WDT_RESET, DEEPSLEEP_RESET, SOFT_RESET = 1, 2, 3, 4, 5


def reset_cause():
    return lab.reset_cause


def unique_id():
    return b"\x24\x0a\xc4\x00\x01\x02"


def reset():
    lab.resets += 1


class RTC:
    def datetime(self, value):
        lab.set_calendar(value)

    def memory(self, data=None):
        """2 KB that survive every reset but power-on."""
        if data is None:
            return lab.rtc_memory
        lab.rtc_memory = bytes(data)
        return None


def bitstream(pin, encoding, timing, data):
    lab.bits.append((pin.number, bytes(data)))
