"""The ready-made "ESP32_Relay X4" board with four relays: four e-bike sockets, each with an S0 pulse meter.

The relay and light pins are as others found them, to be verified on the board in hand: board.md.
The file to edit for your own wiring, with relays.py; board.md has the drawing. `make check` proves the pins.
"""

from machine import Pin
from relays import RELAY_CLOSED_LEVEL, RELAYS, outputs_safe  # noqa: F401

NAME = "esp32-relay-x4"

METER_PULSES = (18, 19, 21, 22)  # S0+ of each socket's meter, S0- to ground
STOP_BUTTONS = (4, 35, 36, 39)  # of each socket, to ground while pressed; 35, 36, 39: with 10 kohm to 3.3 V
ESTOP = 27  # normally closed, to ground; one for all four
RESIDUAL = 13  # the residual current device's signal contact, normally closed, to ground; one for all four
NTC = 34  # 15 kohm to 3.3 V; NTC 10 kohm and 39 kohm to ground, in the enclosure
LED = 23

IMP_PER_KWH = 1000  # printed on the meters
MAX_POWER_W = 2_000  # of one socket
FEED_MA = 16_000  # what the breaker ahead of all four sockets carries for long
RATED_MA = 4_000  # of each socket's fuse; an order that would take the sum beyond FEED_MA is refused
# "Full" must outlast two pulses at full_power_mw: 2 x 3,600,000 s / (imp x W).
LIMITS = {
    "max_temperature_c": 70,
    "full_power_mw": 8_000,
    "full_after_ms": 960_000,
    "rated_ma": RATED_MA,
}


from drivers.esp32.board import *  # noqa: E402, F403

FEED = {"limit_ma": FEED_MA}


def equipment():
    from drivers.equipment import Equipment
    from drivers.esp32.counters import counter
    from drivers.esp32.inputs import estop, ground_fault, stop_button
    from drivers.esp32.ntc import Ntc
    from drivers.esp32.pulse import s0
    from drivers.esp32.relay import Relay

    # The sockets have no plug switch: what draws power is plugged in.
    stop_all = estop(ESTOP)
    residual = ground_fault(RESIDUAL)
    thermometer = Ntc(NTC)
    return [
        Equipment(
            Relay(relay, RELAY_CLOSED_LEVEL),
            s0(counter(unit, METER_PULSES[unit]), IMP_PER_KWH, MAX_POWER_W),
            estop=stop_all,
            stop_button=stop_button(STOP_BUTTONS[unit], None if unit else Pin.PULL_UP),
            ground_fault=residual,
            thermometer=thermometer,
            limits=LIMITS,
        )
        for unit, relay in enumerate(RELAYS)
    ]


def indicator():
    from drivers.esp32.indicator import Led

    return Led(LED)
