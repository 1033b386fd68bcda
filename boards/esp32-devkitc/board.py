"""Espressif ESP32-DevKitC with an ESP32-WROOM-32: one connector, a contactor, an S0 pulse meter.

The file to edit for your own wiring, with relays.py; board.md has the drawing. `make check` proves the pins.
"""

from relays import RELAY_CLOSED_LEVEL, RELAYS, outputs_safe  # noqa: F401

NAME = "esp32-devkitc"

FEEDBACK = 27  # the contactor's auxiliary contact to ground; None where it has none
METER_PULSE = 32  # S0+, S0- to ground
PLUG = 25  # to ground while a vehicle is plugged in
ESTOP = 33  # normally closed, to ground
STOP_BUTTON = 22  # to ground while pressed
RESIDUAL = 13  # the residual current device's signal contact, normally closed, to ground
NTC = 34  # 15 kohm to 3.3 V; NTC 10 kohm and 39 kohm to ground
LED = 23  # may be the lamp of the stop button

IMP_PER_KWH = 1000  # printed on the meter
MAX_POWER_W = 9_000  # a fifth above what the circuit breaker lets through for long
# "Full" must outlast two pulses at full_power_mw (15 W unless told): 2 x 3,600,000 s / (imp x W).
LIMITS = {"max_temperature_c": 80, "full_after_ms": 500_000}


from drivers.esp32.board import *  # noqa: E402, F403


def equipment():
    from drivers.equipment import Equipment
    from drivers.esp32.counters import counter
    from drivers.esp32.inputs import estop, ground_fault, plug, stop_button
    from drivers.esp32.ntc import Ntc
    from drivers.esp32.pulse import s0
    from drivers.esp32.relay import Relay

    return [
        Equipment(
            Relay(RELAYS[0], RELAY_CLOSED_LEVEL, feedback=FEEDBACK),
            s0(counter(0, METER_PULSE), IMP_PER_KWH, MAX_POWER_W),
            plug=plug(PLUG),
            estop=estop(ESTOP),
            stop_button=stop_button(STOP_BUTTON),
            ground_fault=ground_fault(RESIDUAL),
            thermometer=Ntc(NTC),
            limits=LIMITS,
        )
    ]


def indicator():
    from drivers.esp32.indicator import Led

    return Led(LED)
