"""The ready-made "ESP32_Relay X4" board with four relays: four e-bike sockets, each with an S0 pulse meter.

The relay and light pins are as others found them, to be verified on the board in hand: board.md.
The file to edit for your own wiring; board.md has the drawing. `make check` proves the pins.
"""

from machine import Pin

NAME = "esp32-relay-x4"

RELAYS = (32, 33, 25, 26)
RELAY_CLOSED_LEVEL = 1
METER_PULSES = (18, 19, 21, 22)  # S0+ of each socket's meter, S0- to ground
ESTOP = 27  # normally closed, to ground; one for all four
RESIDUAL = 13  # the residual current device's signal contact, normally closed, to ground; one for all four
NTC = 34  # 10 kohm to 3.3 V, NTC 10 kohm to ground, in the enclosure
LED = 23

IMP_PER_KWH = 1000  # printed on the meters
MAX_POWER_W = 2_000  # of one socket
# "Full" must outlast two pulses at full_power_mw (15 W unless told): 2 x 3,600,000 s / (imp x W).
LIMITS = {"max_temperature_c": 70, "full_power_mw": 8_000, "full_after_ms": 960_000}


def outputs_safe():
    """Opens the relays; boot.py's first act, so it imports nothing more than it needs."""
    for pin in RELAYS:
        Pin(pin, Pin.OUT, value=1 - RELAY_CLOSED_LEVEL)


def equipment():
    from drivers.equipment import Equipment
    from drivers.esp32.counters import counter
    from drivers.esp32.inputs import Inputs, Ntc, estop, ground_fault
    from drivers.esp32.pulse import s0
    from drivers.esp32.relay import Relay

    # Sockets without a plug switch: what draws power is plugged in.
    inputs = Inputs(None, estop(ESTOP), ground_fault(RESIDUAL), Ntc(NTC))
    return [
        Equipment(
            Relay(relay, RELAY_CLOSED_LEVEL),
            s0(counter(unit, METER_PULSES[unit]), IMP_PER_KWH, MAX_POWER_W),
            inputs,
            LIMITS,
        )
        for unit, relay in enumerate(RELAYS)
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
