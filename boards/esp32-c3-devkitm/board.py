"""Espressif ESP32-C3-DevKitM-1: one connector, a contactor, an Eastron SDM120 on RS-485.

This chip has no pulse counter, so a meter with a memory of its own is the better choice: board.md.
The file to edit for your own wiring; board.md has the drawing. `make check` proves the pins.
"""

from machine import Pin

NAME = "esp32-c3-devkitm"

RELAY = 6
RELAY_CLOSED_LEVEL = 1  # 0: a relay module that switches on when its input is pulled to ground
RS485_TX = 4
RS485_RX = 5
RS485_DE = 7  # None for a transceiver that finds its direction by itself
PLUG = 10  # to ground while a vehicle is plugged in
ESTOP = 3  # normally closed, to ground; the residual current device's signal contact in series with it
NTC = 0  # 10 kohm to 3.3 V, NTC 10 kohm to ground
LED = 1

METER_ADDRESS = 1
METER_BAUD = 2400  # as set on the meter
METER_PARITY = None  # None, 0 even, 1 odd
MAX_POWER_W = 9_000  # a fifth above what the circuit breaker lets through for long
LIMITS = {"max_current_ma": 35_000, "max_temperature_c": 80}


def outputs_safe():
    """Opens the relay; boot.py's first act, so it imports nothing more than it needs."""
    Pin(RELAY, Pin.OUT, value=1 - RELAY_CLOSED_LEVEL)


def equipment():
    from drivers.equipment import Equipment
    from drivers.esp32.inputs import Inputs, Ntc, estop, plug
    from drivers.esp32.modbus import Bus
    from drivers.esp32.modbus_meter import SDM120, ModbusMeter
    from drivers.esp32.relay import Relay

    bus = Bus(1, METER_BAUD, RS485_TX, RS485_RX, RS485_DE, METER_PARITY)
    return [
        Equipment(
            Relay(RELAY, RELAY_CLOSED_LEVEL),
            ModbusMeter(bus, METER_ADDRESS, SDM120, MAX_POWER_W),
            Inputs(plug(PLUG), estop(ESTOP), None, Ntc(NTC)),
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
