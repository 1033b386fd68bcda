"""Puts the parts together, once, at the start, of what settings.py has read; then its code leaves the heap
(app.start).
"""

import sys
import time

import board

from app import Pile
from net.link import Link, will
from net.mqtt import Client, Options
from net.unload import forget
from net.uplink import Uplink
from pile.clock import CALENDAR, Clock
from pile.controller import Controller
from pile.readings import Readings
from pile.safety import Limits
from pile_protocol import seal
from shell import Shell, describe, read
from update.host import Host

NTP_SERVER = "pool.ntp.org"  # for TLS on Wi-Fi where the configuration names none


def assemble(settings, context, store, equipment, lamp, firmware):
    """The Pile of what settings.read() gave; its shell has no watchdog yet."""
    broker = settings.broker
    controller = build_controller(settings, equipment, store, firmware)
    pile = Pile(controller, Shell(controller, equipment, None, board.REST_MS), lamp, broker, context)
    station = None
    if settings.networks:
        import network

        from net.wifi import Station

        networks = [(each["ssid"], each["password"]) for each in settings.networks]
        station = Station(network.WLAN(network.STA_IF), networks, pile.on_wifi)
    ntp_server = settings.ntp or (NTP_SERVER if context and station else None)
    uplink = Uplink(station, ntp_server, board.set_calendar, context is not None, pile.log)
    options = Options(
        seal.mqtt_client_id(settings.device_id, settings.key),
        settings.device_id,
        seal.mqtt_password(settings.key),
        will(settings.device_id),
        broker.get("keepalive_s", 30),
        broker.get("backoff_max_ms", 30_000),
    )
    client = Client(options, pile.connect, pile.receive, pile.on_broker, uplink.ready)
    link = Link(client, controller, pile.shell.wake, pile.vitals)
    pile.connect_parts(client, link, uplink, station, updates_of(controller, equipment, settings))
    board.log("pile %s, firmware %s, board %s" % (settings.device_id, firmware, board.NAME))
    if context is None and broker["host"] != "127.0.0.1":
        board.log("MQTT is not encrypted: provision this pile with the broker's CA")
    return pile


def build_controller(settings, equipment, store, firmware):
    """The controller, with every meter going on from its last durable reading."""
    parts = [(Readings(), lowered(Limits(**one.limits), settings.limits)) for one in equipment]
    clock = Clock(time.ticks_ms())
    at = board.utc()
    if at is not None:  # the cloud's time has run on through a reset: a running order goes on at once
        clock.tell(at, CALENDAR)
    feed = board.FEED
    if feed and "feed_ma" in settings.limits:
        feed = {"limit_ma": min(feed["limit_ma"], settings.limits["feed_ma"])}
    controller = Controller(settings.device_id, settings.key, store, clock, parts, firmware, feed)
    controller.on_time = board.set_utc  # pyright: ignore[reportAttributeAccessIssue] - it begins with none
    controller.traits = {"chip": board.chip()}
    from pile import recovery

    recovery.take_up(controller, store, settings.key)
    for connector, one in zip(controller.connectors, equipment):
        describe(connector.readings, one.meter)
        one.meter.restore(recovery.register_mwh(store, connector.number))
        read(connector.readings, one, clock.now_ms)
    del recovery
    forget(("pile.recovery",))
    return controller


def lowered(limits, values):
    """`limits` of a connector, where values from over the air are lower than the board's."""
    limits.max_current_ma = min(limits.max_current_ma, values.get("max_current_ma", limits.max_current_ma))
    limits.max_temperature_c = min(
        limits.max_temperature_c, values.get("max_temperature_c", limits.max_temperature_c)
    )
    limits.rated_ma = min(limits.rated_ma, limits.max_current_ma)
    return limits


def updates_of(controller, equipment, settings):
    """The Host of updates over the air; it tells, and begins, what is on trial."""
    from update import slots

    mpy = getattr(sys.implementation, "_mpy", 0)
    mpy = (mpy & 0xFF, mpy >> 8 & 3)
    limits = [Limits(**one.limits) for one in equipment]
    bounds = {
        "max_current_ma": min([each.max_current_ma for each in limits]),
        "max_temperature_c": min([each.max_temperature_c for each in limits]),
        "feed_ma": board.FEED["limit_ma"] if board.FEED else 0,
    }
    host = Host(controller, (board.NAME, mpy, bounds), forget, time)
    state = slots.load()
    controller.traits.update(
        {
            "release": state.release,
            "board": board.NAME,
            "mpy": list(mpy),
            "on_trial": state.on_trial,
            "fetches_manifest": True,
            "config_version": settings.version,
        }
    )
    if state.on_trial:
        from update import trial

        on_time_ms, most_ms = board.TRIAL_MS or (trial.RELEASE_MS, trial.RELEASE_MAX_MS)
        what = {"release": state.release}
        host.begin_trial(trial.Trial(state, what, on_time_ms, most_ms, board.REST_MS), True)
    elif state.fell_back:
        controller.traits["fell_back"] = list(state.fell_back)
        host.tell({"release": state.fell_back[0]}, "FellBack", state.fell_back[1])
    what = {"config_version": settings.version}
    if settings.trial:
        from update import trial

        _, most_ms = board.TRIAL_MS or (0, trial.CONFIGURATION_MAX_MS)
        host.begin_trial(trial.Trial(settings.trial, what, 0, most_ms, board.REST_MS), False)
    elif settings.fell_back:
        host.tell({"config_version": settings.fell_back[0]}, "FellBack", settings.fell_back[1])
    host.offer_waits = slots.is_offer_kept()
    return host
