"""An ESP32-DevKitC for trying out, with nothing wired to it or with a relay module and a lamp: no input whose
missing wire counts as a fault. Not for a vehicle: it has no emergency stop and no sensor.

The file to edit for your own wiring, with relays.py; board.md has the drawing. `make check` proves the pins.
"""

from relays import RELAY_CLOSED_LEVEL, RELAYS, outputs_safe  # noqa: F401

NAME = "esp32-devkitc-bare"

METER_PULSE = 32  # S0+, S0- to ground; without a meter no pulse comes, and no energy is measured or billed
STOP_BUTTON = 22  # to ground while pressed; may be left out
LED = 23  # may be left out

IMP_PER_KWH = 1000  # printed on the meter
MAX_POWER_W = 2_800  # a fifth above the 10 A at 230 V of a common relay module
# "Full" must outlast two pulses at full_power_mw (15 W unless told): 2 x 3,600,000 s / (imp x W).
LIMITS = {"full_after_ms": 500_000}


from drivers.esp32.board import *  # noqa: E402, F403


def equipment():
    from drivers.equipment import Equipment
    from drivers.esp32.counters import counter
    from drivers.esp32.inputs import stop_button
    from drivers.esp32.pulse import s0
    from drivers.esp32.relay import Relay

    return [
        Equipment(
            Relay(RELAYS[0], RELAY_CLOSED_LEVEL),
            s0(counter(0, METER_PULSE), IMP_PER_KWH, MAX_POWER_W),
            stop_button=stop_button(STOP_BUTTON),
            limits=LIMITS,
        )
    ]


def indicator():
    from drivers.esp32.indicator import Led

    return Led(LED)
