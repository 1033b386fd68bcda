"""Espressif ESP32-S3-DevKitC-1: one connector, a contactor, an S0 pulse meter, the board's own RGB light.

The file to edit for your own wiring, with relays.py; board.md has the drawing. `make check` proves the pins.
"""

from relays import RELAY_CLOSED_LEVEL, RELAYS, outputs_safe  # noqa: F401

NAME = "esp32-s3-devkitc"

FEEDBACK = 6  # the contactor's auxiliary contact to ground; None where it has none
METER_PULSE = 7  # S0+, S0- to ground
PLUG = 15  # to ground while a vehicle is plugged in
ESTOP = 16  # normally closed, to ground
STOP_BUTTON = 8  # to ground while pressed
RESIDUAL = 17  # the residual current device's signal contact, normally closed, to ground
NTC = 1  # 15 kohm to 3.3 V; NTC 10 kohm and 39 kohm to ground
PIXEL = 48  # on board: 48 on version 1.0, 38 on version 1.1

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
    from drivers.esp32.pixel import Pixel

    return Pixel(PIXEL)
