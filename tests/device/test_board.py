"""Relay, counter, thermometer, flash and heap of a real board, by the drivers that its board.py uses."""

from __future__ import annotations

import os

import pytest

from tools.board.deploy.line import Line
from tools.image.bundle import JOINED

REWRITES = 200
REWRITES_AT_ONCE = 10  # a call that says nothing for longer than the line waits counts as a dead board


def test_the_relay_opens_on_construction_and_follows(line: Line) -> None:
    """Without a feedback contact the driver's own pin is all that can be asked."""
    line.use_firmware()
    line.exec(
        "import board, time\nboard.outputs_safe()\nequipment = board.equipment()\nrelay = equipment[0].relay"
    )
    assert line.eval("relay.is_closed()") in (False, None)
    line.exec(
        "relay.set(False)\ntime.sleep_ms(1200)\nrelay.set(True)\nrelay.set(True)\n"
        "time.sleep_ms(300)\nwas = relay.is_closed()\nrelay.set(False)"
    )
    assert line.eval("was") in (True, None)
    line.exec("time.sleep_ms(300)")
    assert line.eval("relay.is_closed()") in (False, None)


def test_the_meter_is_still_while_nothing_flows(line: Line) -> None:
    line.exec(
        "meter = equipment[0].meter\nregisters = set()\n"
        "for _ in range(50):\n time.sleep_ms(100)\n if meter.poll():\n  registers.add(meter.register_mwh)"
    )
    assert line.eval("len(registers)") <= 1


def test_the_thermometer_reads_a_room_or_nothing(line: Line) -> None:
    line.exec("sensor = equipment[0].thermometer\ncelsius = sensor and sensor.read()")
    celsius = line.eval("celsius")
    assert celsius is None or -20 <= celsius <= 60


def test_the_chip_counts_every_edge(line: Line) -> None:
    """A pin that nothing is wired to is pulsed by the program and counted by the chip.

    Making the counter turns the output of its pin off, so the pin is made an output again.
    """
    pin = os.environ.get("RATELOCK_DEVICE_FREE_PIN")
    if not pin or not line.eval("hasattr(__import__('machine'), 'Counter')"):
        pytest.skip("RATELOCK_DEVICE_FREE_PIN names no free pin, or the chip has no counter")
    line.exec(
        f"from machine import Pin, Counter\npin = Pin({int(pin)}, Pin.OUT, value=1)\n"
        "counter = Counter(1, pin, edge=Counter.FALLING)\n"
        f"pin = Pin({int(pin)}, Pin.OUT, value=1)\n"
        "before = counter.value()\n"
        "for _ in range(1000):\n pin.value(0)\n pin.value(1)"
    )
    assert line.eval("counter.value() - before") == 1000


def test_flash_keeps_the_last_of_many_rewrites(line: Line) -> None:
    line.exec("store = board.store()")
    for begin in range(0, REWRITES, REWRITES_AT_ONCE):
        line.exec(
            f"for i in range({begin}, {begin + REWRITES_AT_ONCE}):\n store.write('test-device', b'%d' % i)"
        )
    assert line.eval("store.read('test-device')") == str(REWRITES - 1).encode()
    line.exec("store.remove('test-device')")


def test_there_is_heap_for_the_firmware_and_ram_for_a_tls_handshake(line: Line) -> None:
    """gc.mem_free() of an ESP32 counts the chip's own RAM too; board.memory() tells the two apart."""
    line.exec(f"import gc, {', '.join(JOINED)}\ngc.collect()\nheap, ram, lowest = board.memory()")
    assert line.eval("heap") > 8_000
    ram = line.eval("ram")
    assert ram is None or ram > 30_000
