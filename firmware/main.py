"""The one place where the parts are put together: board, controller, link. Runs on the pile at power-up."""

import asyncio
import gc
import time

import board
import config
from net.link import Link, will
from net.mqtt import Client, Options
from net.transport import open_stream, tls_context
from pile.clock import Clock
from pile.controller import Controller
from pile.readings import Readings
from pile.safety import Limits
from pile_protocol import seal
from shell import Shell, open_all, read

FIRMWARE = "0.1.0"


class Vitals:
    """What the status message tells of the interpreter; asked for rarely, since counting the heap walks all of it."""

    def __init__(self, shell):
        self._shell = shell
        self._free_min_bytes = gc.mem_free()

    def __call__(self):
        free_bytes = gc.mem_free()
        self._free_min_bytes = min(self._free_min_bytes, free_bytes)
        return free_bytes, self._free_min_bytes, self._shell.late_max_ms


def build_controller(settings, equipment):
    """The controller, with every meter going on from its last durable reading."""
    parts = [(Readings(), Limits(**one.limits)) for one in equipment]
    clock = Clock(time.ticks_ms())
    controller = Controller(settings.device_id, settings.key, board.store(), clock, parts, FIRMWARE)
    for connector, one in zip(controller.connectors, equipment):
        one.meter.restore(controller.journal.register_mwh(connector.number))
        read(connector.readings, one)
    return controller


def build_link(settings, controller, shell):
    """(client, link) for the configured broker."""
    broker = settings.broker
    context = None
    if "ca" in broker:
        with open(broker["ca"], "rb") as file:
            context = tls_context(file.read())

    async def connect():
        return await open_stream(broker["host"], broker["port"], context)

    def on_change(error):
        board.log("connected to the broker" if error is None else str(error))

    options = Options(
        settings.device_id,
        settings.device_id,
        seal.mqtt_password(settings.key),
        will(settings.device_id),
        broker.get("keepalive_s", 30),
        broker.get("backoff_max_ms", 30_000),
    )
    client = Client(options, connect, lambda publish: link.receive(publish), on_change)
    link = Link(client, controller, shell.cycle, Vitals(shell))
    shell.on_cycle = link.poke
    return client, link


async def run(settings, equipment):
    """The pile at work; returns only by an error."""
    controller = build_controller(settings, equipment)
    shell = Shell(controller, equipment, board.watchdog())
    client, link = build_link(settings, controller, shell)
    board.log("pile %s, firmware %s, board %s" % (settings.device_id, FIRMWARE, board.NAME))
    await asyncio.gather(shell.run(), client.run(), link.run())


def main():
    """Every way out opens the relays."""
    equipment = board.equipment()
    try:
        asyncio.run(run(config.load(), equipment))
    except config.ConfigError as error:
        board.log(str(error))
    finally:
        open_all(equipment)


if __name__ == "__main__":
    main()
