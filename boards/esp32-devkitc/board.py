"""Espressif ESP32-DevKitC with an ESP32-WROOM-32: one connector, a contactor, an S0 pulse meter.

The file to edit for your own wiring; board.md has the drawing. `make check` proves the pins.
"""

from machine import Pin

NAME = "esp32-devkitc"

RELAY = 26
RELAY_CLOSED_LEVEL = 1  # 0: a relay module that switches on when its input is pulled to ground
FEEDBACK = 27  # the contactor's auxiliary contact to ground; None where it has none
METER_PULSE = 32  # S0+, S0- to ground
PLUG = 25  # to ground while a vehicle is plugged in
ESTOP = 33  # normally closed, to ground
RESIDUAL = 13  # the residual current device's signal contact, normally closed, to ground
NTC = 34  # 10 kohm to 3.3 V, NTC 10 kohm to ground
LED = 23

IMP_PER_KWH = 1000  # printed on the meter
MAX_POWER_W = 9_000  # a fifth above what the circuit breaker lets through for long
# "Full" must outlast two pulses at full_power_mw (15 W unless told): 2 x 3,600,000 s / (imp x W).
LIMITS = {"max_temperature_c": 80, "full_after_ms": 500_000}


def outputs_safe():
    """Opens the relay; boot.py's first act, so it imports nothing more than it needs."""
    Pin(RELAY, Pin.OUT, value=1 - RELAY_CLOSED_LEVEL)


def equipment():
    from drivers.equipment import Equipment
    from drivers.esp32.counters import counter
    from drivers.esp32.inputs import Inputs, Ntc, estop, ground_fault, plug
    from drivers.esp32.pulse import s0
    from drivers.esp32.relay import Relay

    return [
        Equipment(
            Relay(RELAY, RELAY_CLOSED_LEVEL, feedback=FEEDBACK),
            s0(counter(0, METER_PULSE), IMP_PER_KWH, MAX_POWER_W),
            Inputs(plug(PLUG), estop(ESTOP), ground_fault(RESIDUAL), Ntc(NTC)),
            LIMITS,
        )
    ]


def store():
    from drivers.files import FileStore

    return FileStore("flash")


def watchdog():
    from drivers.esp32.watchdog import Watchdog

    return Watchdog()


def indicator():
    from drivers.esp32.indicator import Led

    return Led(LED)


def set_utc(at):
    from drivers.esp32 import rtc

    rtc.set_utc(at)


def utc():
    from drivers.esp32 import rtc

    return rtc.utc()


def log(text):
    """One line for whoever watches the serial console."""
    print(text)
