"""The laboratory behind the fake `machine`: what a test does to the pins, and what the code under test did.

Interrupts are soft, as on the ESP32: handlers run between bytecodes, so while `interpreter_busy` they wait in
a queue of SCHEDULER_DEPTH, and what does not fit is dropped without a word.
"""

import time

SCHEDULER_DEPTH = 8

pins = {}  # Pin by number
counters = []
uarts = {}
timers = {}
microvolts = {}  # what an ADC pin sees
adc_end_mv = 3_120  # where the chip's ADC ends at 11 dB
adc_calibrated = True
watchdog = None
rtc = None  # the calendar, as it was set
rtc_memory = b""
reset_cause = 1  # power-on
resets = 0  # by machine.reset()
bits = []  # (pin number, bytes) of every bitstream
uses = []  # (pin number, role): what a board's code asked of its pins, in order
dropped = 0
interpreter_busy = False
_queue = []


def drive(number, level):
    """Something outside pulls a pin to a level; None lets it go."""
    pin = pins[number]
    before = pin.value()
    pin.outside = level
    _edge(pin, before, 1_000_000_000)


def pulse(number, width_ns=30_000_000):
    """A low pulse, as an open collector makes it."""
    pin = pins[number]
    before = pin.value()
    pin.outside = 0
    _edge(pin, before, width_ns)
    pin.outside = None
    _edge(pin, 0, width_ns)


def _edge(pin, before, width_ns):
    after = pin.value()
    if after == before:
        return
    falling = after < before
    for counter in counters:
        if counter.pin is pin and width_ns > counter.filter_ns:
            counter.edge(falling)
    if pin.handler is not None and pin.trigger & (2 if falling else 1):
        schedule(pin.handler, pin)


def set_calendar(value):
    """value: (year, month, day, weekday, hours, minutes, seconds, subseconds)."""
    global rtc
    rtc = value
    time.set_calendar(value[:3] + value[4:7])


def schedule(handler, argument):
    """micropython.schedule as an interrupt uses it."""
    global dropped
    if not interpreter_busy:
        handler(argument)
    elif len(_queue) >= SCHEDULER_DEPTH:
        dropped += 1
    else:
        _queue.append((handler, argument))


def busy(is_busy):
    """Whether the interpreter is kept from running handlers (by a TLS handshake, say)."""
    global interpreter_busy
    interpreter_busy = is_busy
    while _queue and not interpreter_busy:
        handler, argument = _queue.pop(0)
        handler(argument)


def advance(ms):
    """Lets time pass on the hand clock, millisecond by millisecond, with timers and wires at work."""
    for _ in range(ms):
        time.advance_ms(1)
        for timer in list(timers.values()):
            timer.tick()
        for uart in uarts.values():
            uart.tick()
