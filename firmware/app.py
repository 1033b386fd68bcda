"""The one place where the parts are put together: board, controller, link, light."""

import asyncio
import gc
import time

import board

import config
from drivers import patterns
from lamp import Lamp
from net.errors import LinkRefused, LinkUntrusted
from net.link import Link, will
from net.mqtt import Client, Options
from net.transport import open_stream, tls_context
from net.uplink import Uplink
from pile.clock import NTP, Clock
from pile.controller import Controller
from pile.readings import Readings
from pile.safety import Limits
from pile_protocol import seal
from shell import PERIOD_MS, Shell, open_all, read

FIRMWARE = "0.1.0"
GC_STEP_BYTES = 8_192  # collected whenever so much was allocated, so that a small heap stays in one piece
NTP_SERVER = "pool.ntp.org"  # of a pile on Wi-Fi whose configuration names none


class Vitals:
    """What the status message tells of the interpreter; asked for rarely: counting the heap walks it."""

    def __init__(self, shell):
        self._shell = shell
        self._free_min_bytes = gc.mem_free()

    def __call__(self):
        free_bytes = gc.mem_free()
        self._free_min_bytes = min(self._free_min_bytes, free_bytes)
        return free_bytes, self._free_min_bytes, self._shell.late_max_ms


def broker_context(broker):
    """The TLS context of the configured CA; None without one. Raises ConfigError."""
    if "ca" not in broker:
        return None
    try:
        with open(broker["ca"], "rb") as file:
            return tls_context(file.read())
    except OSError:
        raise config.ConfigError("there is no %s: provision this pile again" % broker["ca"])
    except ValueError:
        raise config.ConfigError("%s is not a certificate: provision this pile again" % broker["ca"])


def build_controller(settings, equipment, store):
    """The controller, with every meter going on from its last durable reading."""
    parts = [(Readings(), Limits(**one.limits)) for one in equipment]
    clock = Clock(time.ticks_ms())
    at = board.utc()
    if at is not None:  # a watchdog's reset: an order that was running goes on at once
        clock.tell(at, NTP)
    controller = Controller(settings.device_id, settings.key, store, clock, parts, FIRMWARE)
    for connector, one in zip(controller.connectors, equipment):
        one.meter.restore(controller.journal.register_mwh(connector.number))
        read(connector.readings, one)
    return controller


def build_uplink(settings, controller, lamp, is_connected):
    """(uplink, station); station is None where no Wi-Fi is configured. is_connected: to the broker."""

    def tell_time(at):
        controller.clock.tell(at, NTP)
        board.set_utc(at)

    def on_wifi(problem):
        if problem:
            lamp.trouble = patterns.NO_WIFI
        else:  # the chip keeps its address for a while: a connection may have outlived the gap
            lamp.trouble = None if is_connected() else patterns.NO_BROKER
        board.log(problem or "Wi-Fi: connected to '%s'" % settings.wifi["ssid"])
        uplink.wifi_changed()

    station = None
    if settings.wifi:
        import network

        from net.wifi import Station

        station = Station(
            network.WLAN(network.STA_IF), settings.wifi["ssid"], settings.wifi["password"], on_wifi
        )
    ntp_server = settings.ntp or (NTP_SERVER if station else None)
    uplink = Uplink(station, ntp_server, tell_time, "ca" in settings.broker, board.log)
    return uplink, station


def how_to_mend(error):
    """What a person can do about a LinkError."""
    if isinstance(error, LinkUntrusted):
        return "check the CA and the broker's name in the configuration, and the pile's clock"
    if isinstance(error, LinkRefused):
        return "provision this pile again, or register it at the cloud"
    return "tried again by itself; check the address, and that the broker runs"


def build_link(settings, context, controller, shell, uplink, lamp):
    """(client, link) for the configured broker."""
    broker = settings.broker

    async def connect():
        return await open_stream(broker["host"], broker["port"], context, uplink.name_server)

    def on_change(error):
        if error is None:
            lamp.trouble = None
            board.log("connected to the broker")
        elif uplink.ready.is_set():  # without Wi-Fi that is what to tell
            lamp.trouble = patterns.UNTRUSTED if isinstance(error, LinkUntrusted) else patterns.NO_BROKER
            board.log("%s (%s:%d): %s" % (error, broker["host"], broker["port"], how_to_mend(error)))

    options = Options(
        seal.mqtt_client_id(settings.device_id, settings.key),
        settings.device_id,
        seal.mqtt_password(settings.key),
        will(settings.device_id),
        broker.get("keepalive_s", 30),
        broker.get("backoff_max_ms", 30_000),
    )
    client = Client(options, connect, lambda publish: link.receive(publish), on_change, uplink.ready)
    link = Link(client, controller, shell.cycle, Vitals(shell))
    return client, link


async def run(settings, context, controller, equipment, watchdog, lamp):
    """The pile at work; returns only by an error."""
    shell = Shell(controller, equipment, watchdog, getattr(board, "REST_MS", PERIOD_MS))
    uplink, station = build_uplink(settings, controller, lamp, lambda: client.up.is_set())
    client, link = build_link(settings, context, controller, shell, uplink, lamp)

    def after_cycle():
        link.poke()
        lamp.step(controller.connectors)

    shell.on_cycle = after_cycle
    board.log("pile %s, firmware %s, board %s" % (settings.device_id, FIRMWARE, board.NAME))
    if context is None and settings.broker["host"] != "127.0.0.1":
        board.log("MQTT is not encrypted: provision this pile with the broker's CA")
    tasks = [shell.run(), shell.follow(), uplink.run(), client.run(), link.run()]
    if station:
        tasks.append(station.run())
    await asyncio.gather(*tasks)


def start(equipment, lamp):
    """Runs the pile; every way out opens the relays. Returns the pattern that the light is to keep."""
    watchdog = None
    try:
        settings = config.load()
        context = broker_context(settings.broker)
        try:
            store = board.store()
        except OSError as error:
            board.log("the flash cannot be used (%r): remove the file that is in its way" % error)
            return patterns.NO_FLASH
        # Not before: a pile that waits for its configuration must not be reset while somebody writes it, nor
        # one that reads hundreds of settlements. Where that fails, the watchdog is what begins anew.
        try:
            controller = build_controller(settings, equipment, store)
        finally:
            watchdog = board.watchdog()
        asyncio.run(run(settings, context, controller, equipment, watchdog, lamp))
    except config.ConfigError as error:
        board.log(str(error))
        return patterns.NO_CONFIG
    except KeyboardInterrupt:
        open_all(equipment)
        board.log("stopped from the console; the relays are open")
        if watchdog:
            watchdog.hand_over()
        return patterns.STARTING
    finally:
        open_all(equipment)
    return patterns.CRASHED


def main():
    gc.collect()  # what the imports left behind
    gc.threshold(getattr(board, "GC_STEP_BYTES", GC_STEP_BYTES))
    equipment = board.equipment()
    lamp = Lamp(board.indicator())
    pattern = patterns.CRASHED
    try:
        pattern = start(equipment, lamp)
    finally:
        lamp.keep(pattern)
