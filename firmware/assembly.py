"""Puts the parts together, once, at the start; then its code leaves the heap (app.start)."""

import time

import board

import config
from app import CannotStart, Pile
from drivers import patterns
from net.link import Link, will
from net.mqtt import Client, Options
from net.transport import tls_context
from net.uplink import Uplink
from pile import recovery
from pile.clock import CALENDAR, Clock
from pile.controller import Controller
from pile.readings import Readings
from pile.safety import Limits
from pile_protocol import seal
from shell import Shell, describe, read

NTP_SERVER = "pool.ntp.org"  # for TLS on Wi-Fi where the configuration names none


def read_settings():
    """(configuration, TLS context or None, store). Raises CannotStart."""
    try:
        settings = config.load()
        context = broker_context(settings.broker)
    except config.ConfigError as error:
        raise CannotStart(str(error), patterns.NO_CONFIG)
    try:
        return settings, context, board.store()
    except OSError as error:
        raise CannotStart(
            "the flash cannot be used (%r): remove the file that is in its way" % error, patterns.NO_FLASH
        )


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


def assemble(parts, equipment, lamp, firmware):
    """The Pile of what read_settings() gave; its shell has no watchdog yet."""
    settings, context, store = parts
    broker = settings.broker
    controller = build_controller(settings, equipment, store, firmware)
    pile = Pile(controller, Shell(controller, equipment, None, board.REST_MS), lamp, broker, context)
    station = None
    if settings.wifi:
        import network

        from net.wifi import Station

        station = Station(
            network.WLAN(network.STA_IF), settings.wifi["ssid"], settings.wifi["password"], pile.on_wifi
        )
    ntp_server = settings.ntp or (NTP_SERVER if context and station else None)
    uplink = Uplink(station, ntp_server, board.set_calendar, context is not None, board.log)
    options = Options(
        seal.mqtt_client_id(settings.device_id, settings.key),
        settings.device_id,
        seal.mqtt_password(settings.key),
        will(settings.device_id),
        broker.get("keepalive_s", 30),
        broker.get("backoff_max_ms", 30_000),
    )
    client = Client(options, pile.connect, pile.receive, pile.on_broker, uplink.ready)
    pile.connect_parts(client, Link(client, controller, pile.shell.wake, pile.vitals), uplink, station)
    board.log("pile %s, firmware %s, board %s" % (settings.device_id, firmware, board.NAME))
    if context is None and broker["host"] != "127.0.0.1":
        board.log("MQTT is not encrypted: provision this pile with the broker's CA")
    return pile


def build_controller(settings, equipment, store, firmware):
    """The controller, with every meter going on from its last durable reading."""
    parts = [(Readings(), Limits(**one.limits)) for one in equipment]
    clock = Clock(time.ticks_ms())
    at = board.utc()
    if at is not None:  # the cloud's time has run on through a reset: a running order goes on at once
        clock.tell(at, CALENDAR)
    controller = Controller(settings.device_id, settings.key, store, clock, parts, firmware, board.FEED)
    controller.on_time = board.set_utc  # pyright: ignore[reportAttributeAccessIssue] - it begins with none
    controller.traits = {"chip": board.chip()}
    recovery.take_up(controller, store, settings.key)
    for connector, one in zip(controller.connectors, equipment):
        describe(connector.readings, one.meter)
        one.meter.restore(recovery.register_mwh(store, connector.number))
        read(connector.readings, one, clock.now_ms)
    return controller
