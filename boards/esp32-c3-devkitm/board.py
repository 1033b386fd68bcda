"""Espressif ESP32-C3-DevKitM-1: one connector, a contactor, an Eastron SDM120 on RS-485.

This chip has no pulse counter, so a meter with a memory of its own is the better choice: board.md.
The file to edit for your own wiring, with relays.py; board.md has the drawing. `make check` proves the pins.
"""

from relays import RELAY_CLOSED_LEVEL, RELAYS, outputs_safe  # noqa: F401

NAME = "esp32-c3-devkitm"

RS485_TX = 4
RS485_RX = 5
RS485_DE = 7  # None for a transceiver that finds its direction by itself
PLUG = 6  # to ground while a vehicle is plugged in
ESTOP = 3  # normally closed, to ground; the residual current device's signal contact in series with it
STOP_BUTTON = 2  # to ground while pressed; 10 kohm to 3.3 V, because it is a strapping pin
NTC = 0  # 15 kohm to 3.3 V; NTC 10 kohm and 39 kohm to ground
LED = 1  # may be the lamp of the stop button

METER_ADDRESS = 1
METER_BAUD = 2400  # as set on the meter
METER_PARITY = None  # None, 0 even, 1 odd
MAX_POWER_W = 9_000  # a fifth above what the circuit breaker lets through for long
LIMITS = {"max_current_ma": 35_000, "max_temperature_c": 80}


from drivers.esp32.board import *  # noqa: E402, F403


def equipment():
    from drivers.equipment import Equipment
    from drivers.esp32.inputs import estop, plug, stop_button
    from drivers.esp32.modbus import Bus
    from drivers.esp32.modbus_meter import SDM120, ModbusMeter
    from drivers.esp32.ntc import Ntc
    from drivers.esp32.relay import Relay

    bus = Bus(1, METER_BAUD, RS485_TX, RS485_RX, RS485_DE, METER_PARITY)
    return [
        Equipment(
            Relay(RELAYS[0], RELAY_CLOSED_LEVEL),
            ModbusMeter(bus, METER_ADDRESS, SDM120, MAX_POWER_W),
            plug=plug(PLUG),
            estop=estop(ESTOP),
            stop_button=stop_button(STOP_BUTTON),
            thermometer=Ntc(NTC),
            limits=LIMITS,
        )
    ]


def indicator():
    from drivers.esp32.indicator import Led

    return Led(LED)
