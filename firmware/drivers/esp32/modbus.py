"""Modbus RTU (Modbus over Serial Line 1.02) without waiting: one exchange at a time, continued by poll().

A request goes out in one cycle of the control loop; the next cycles look for its answer.
"""

import time

import machine
from machine import Pin

CYCLE_MS = 100  # of the control loop
READ_INPUT_REGISTERS = 4
REPLY_MS = 100  # a working meter begins its answer within this time
ANSWER_MS = 500  # from the request to the last byte of its answer
EXCHANGE_MS = ANSWER_MS + CYCLE_MS  # an answer that is found later is not used: its age is unknown
LATE_MS = 300  # after a lost answer: an answer does not say to which request, and it may still come
LOST_MS = ANSWER_MS + LATE_MS + CYCLE_MS  # what a lost answer costs the bus
MISSES_MAX = 3  # a meter that has not answered so often is asked in every n-th round of n meters
BUFFER_BYTES = 64  # the longest answer (25 bytes) and what noise may put before it

# CRC-16/MODBUS of the sixteen half bytes.
_CRC = (
    0x0000, 0xCC01, 0xD801, 0x1400, 0xF001, 0x3C00, 0x2800, 0xE401,
    0xA001, 0x6C00, 0x7800, 0xB401, 0x5000, 0x9C01, 0x8801, 0x4400,
)  # fmt: skip


def crc16(data, begin, end):
    crc = 0xFFFF
    for i in range(begin, end):
        crc ^= data[i]
        crc = _CRC[crc & 15] ^ (crc >> 4)
        crc = _CRC[crc & 15] ^ (crc >> 4)
    return crc


def request(address, start, words):
    """The frame that asks for `words` input registers from `start` on."""
    frame = bytearray((address, READ_INPUT_REGISTERS, start >> 8, start & 255, 0, words, 0, 0))
    crc = crc16(frame, 0, 6)
    frame[6] = crc & 255  # the low byte first, unlike everything else in Modbus
    frame[7] = crc >> 8
    return frame


def find_answer(data, length, address, words):
    """Where the registers of a whole answer begin in the first `length` bytes, or -1.

    A transceiver that changes direction can put a byte or two of noise before the answer.
    """
    size = 5 + 2 * words
    for at in range(length - size + 1):
        if data[at] == address and data[at + 1] == READ_INPUT_REGISTERS and data[at + 2] == 2 * words:
            end = at + size - 2
            if crc16(data, at, end) == data[end] | data[end + 1] << 8:
                return at + 3
    return -1


class Bus:
    """One UART with one or more meters. de: the pin that lets an RS-485 transceiver send; None for modules
    that find out by themselves. timer: a hardware timer, which takes `de` back before the answer comes.

    The meters are asked in turn, one exchange each. At most one silent meter is asked per round, so that
    the others keep their interval.
    """

    def __init__(self, uart, baud, tx, rx, de=None, parity=None, timer=0):
        self._uart = machine.UART(uart, baudrate=baud, bits=8, parity=parity, stop=1, tx=tx, rx=rx)
        self._char_us = 11_000_000 // baud
        sending_ms = 8 * self._char_us // 1000 + 1
        self._direction = None if de is None else _Direction(self._uart, de, timer, sending_ms)
        self._buffer = bytearray(BUFFER_BYTES)
        self._meters = []
        self._next = 0
        self._round = 0
        self._asked = None  # the meter whose answer is awaited
        self._asked_ms = 0
        self._was_lost = False

    def attach(self, meter):
        """meter.longest_bytes: of its longest answer. Tells all meters how long a round takes."""
        self._meters.append(meter)
        round_ms = 0
        for one in self._meters:
            exchange_ms = (8 + one.longest_bytes) * self._char_us // 1000 + REPLY_MS
            round_ms += (exchange_ms // CYCLE_MS + 2) * CYCLE_MS  # found, and the next one asked, in a cycle
        if len(self._meters) > 1:
            round_ms += LOST_MS
        for one in self._meters:
            one.set_round(round_ms)

    def poll(self, meter):
        """Called by each attached meter once per cycle; the first of them moves the bus."""
        if meter is not self._meters[0]:
            return
        asked = self._asked
        since_ms = time.ticks_diff(time.ticks_ms(), self._asked_ms)
        if asked is None:
            if not self._was_lost or not 0 <= since_ms < ANSWER_MS + LATE_MS:
                self._ask(self._choose())
            return
        waiting = self._uart.any()
        late = not 0 <= since_ms < ANSWER_MS
        if waiting < asked.answer_bytes and not late:
            return
        length = self._uart.readinto(self._buffer) if waiting else 0
        at = -1
        if 0 <= since_ms <= EXCHANGE_MS:
            at = find_answer(self._buffer, length or 0, asked.address, asked.answer_words)
        if at >= 0 or late:  # else the bytes were noise, and the answer may still come
            self._asked = None
            self._was_lost = at < 0
            self._count_miss(asked)
            asked.answered(self._buffer, at)

    def _count_miss(self, asked):
        if self._was_lost:
            asked.misses += 1
            return
        if asked.misses >= MISSES_MAX:
            # It is back. If the whole bus was disturbed, the others are too: each gets one more try at once.
            for meter in self._meters:
                meter.misses = min(meter.misses, MISSES_MAX - 1)
        asked.misses = 0

    def _choose(self):
        """The meter to ask next."""
        while True:
            if self._next >= len(self._meters):
                self._next = 0
                self._round = (self._round + 1) % len(self._meters)
            at = self._next
            self._next += 1
            if at == self._round or self._meters[at].misses < MISSES_MAX:
                return self._meters[at]

    def _ask(self, meter):
        while self._uart.any():  # what came too late
            self._uart.readinto(self._buffer)
        frame = meter.next_request()
        self._asked = meter
        self._asked_ms = time.ticks_ms()
        if self._direction is not None:
            self._direction.take()
        self._uart.write(frame)


class _Direction:
    """Lets the transceiver send, and takes that back by a timer: the answer may come before the next poll."""

    def __init__(self, uart, de, timer, sending_ms):
        self._uart = uart
        self._pin = Pin(de, Pin.OUT, value=0)
        self._timer = machine.Timer(timer)
        self._sending_ms = sending_ms
        self._callback = self._release  # bound once: to bind it each time would be an allocation

    def take(self):
        self._pin.value(1)
        self._timer.init(mode=machine.Timer.ONE_SHOT, period=self._sending_ms, callback=self._callback)

    def _release(self, timer):
        if self._uart.txdone():
            self._pin.value(0)
        else:
            timer.init(mode=machine.Timer.ONE_SHOT, period=1, callback=self._callback)
