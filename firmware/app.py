"""The running pile: the calls between its parts, and what each error leads to.

An error of the control cycle ends the program: relays open, and the watchdog resets the chip. An error of the
network drops the connection only; its task begins again after a pause.
"""

import asyncio
import gc
import sys
import time

import board

from drivers import patterns
from lamp import Lamp
from net.errors import LinkDown, LinkNoMemory, LinkRefused, LinkUntrusted
from net.transport import is_ipv4, open_stream
from net.unload import forget
from shell import open_all

FIRMWARE = "0.1.0"
AGAIN_MS = 1_000  # the pause before a network task begins again; doubles up to the next
AGAIN_MAX_MS = 60_000
NO_MEMORY_MAX = 5  # connections in a row that fail for want of memory before the pile restarts ...
NO_MEMORY_MS = 120_000  # ... but not sooner after its start
STACK_CALLS = 20  # deeper than an import of the firmware, and less than 5 KB of a chip's stack
TLS_RAM_BYTES = 32_000  # of the chip's own RAM, which a handshake takes for a moment
ROOM_BYTES = 4_096  # in one piece for messages, set aside while the parts are made


class CannotStart(Exception):
    """The text says what to do; `pattern` is what the light shows until the next reset."""

    def __init__(self, text, pattern):
        super().__init__(text)
        self.pattern = pattern


class Restart(Exception):
    """The pile asks for a reset; the text says why."""


class Pile:
    """The parts of one pile; assembly.py makes them."""

    def __init__(self, controller, shell, lamp, broker, context):
        self.controller = controller
        self.shell = shell
        self.lamp = lamp
        self._broker = broker
        self._context = context
        self._heap_min_bytes = None
        self._no_memory = 0  # connections in a row
        self._restart = None  # why, as soon as no order runs

    def connect_parts(self, client, link, uplink, station, updates):
        """The network's parts, which call back into this object. station: None without Wi-Fi. updates:
        update.host.Host.
        """
        self.updates = updates
        self.client = client
        self.link = link
        self.uplink = uplink
        self.station = station
        self.shell.on_cycle = self.after_cycle

    # -- what the parts call --------------------------------------------------------------------------------

    def after_cycle(self):
        """After each control cycle. Raises Restart where one is due and no order runs."""
        connectors = self.controller.connectors
        self.link.poke()
        self.lamp.step(connectors)
        reason = self.updates.step(self.controller.clock.now_ms)
        if reason:
            raise Restart(reason)
        if self.controller.restart_due:
            raise Restart("the cloud asks for it")
        if self._restart and not [1 for connector in connectors if connector.order is not None]:
            raise Restart(self._restart)

    def receive(self, publish):
        return self.link.receive(publish)

    async def connect(self):
        """A stream to the broker. Raises OSError."""
        host = self._broker["host"]
        address = host
        if self.uplink.name_server and not is_ipv4(host):  # else the system resolves
            from net import dns

            try:
                address = await dns.resolve(host, self.uplink.name_server)
            finally:
                del dns
                forget(("net.dns",))
        return await open_stream(address, self._broker["port"], self._context, host)

    def on_broker(self, error):
        """The connection is up (None), or was lost or refused."""
        if error is not None and self._context and not isinstance(error, LinkRefused):
            ram_bytes = board.memory()[1]
            if ram_bytes is not None and ram_bytes < TLS_RAM_BYTES:  # whatever the error looks like
                error = LinkNoMemory("too little memory for TLS: %d bytes are free" % ram_bytes)
        self._no_memory = self._no_memory + 1 if isinstance(error, LinkNoMemory) else 0
        self._restart = None
        if self._no_memory >= NO_MEMORY_MAX and self.controller.clock.now_ms >= NO_MEMORY_MS:
            self._restart = "%s, %d times in a row" % (error, self._no_memory)
        if error is None:
            self.lamp.trouble = None
            board.log("connected to the broker")
        elif self.uplink.ready.is_set():  # without a network, that is what to show
            self.lamp.trouble = patterns.UNTRUSTED if isinstance(error, LinkUntrusted) else patterns.NO_BROKER
            self.log("broker", error, self._broker["host"], self._broker["port"])

    def on_wifi(self, problem, ssid):
        """The station is connected (None), or says why not."""
        if problem is not None:
            self.lamp.trouble = patterns.NO_WIFI
            self.log("wifi", problem, ssid)
        else:  # a short loss of Wi-Fi does not end a TCP connection
            self.lamp.trouble = None if self.client.up.is_set() else patterns.NO_BROKER
            board.log("Wi-Fi: connected")
        self.uplink.wifi_changed()

    def log(self, what, *values):
        """Logs a line of trouble.py about `what`: the name of its function. If the module cannot be loaded,
        the values alone are logged.
        """
        try:
            import trouble

            text = getattr(trouble, what)(*values)
        except Exception:  # noqa: BLE001 - no room, or a damaged file: no line may stop the network's work
            text = "%s: %r" % (what, values)
        forget(("trouble",))
        board.log(text)

    def vitals(self):
        """The members of the status message that the shell measures; one that cannot be measured is left out.

        A value outside its range in wire.STATUS would make the cloud refuse the whole status, and show the
        pile as offline. Called rarely: counting the heap walks all of it.
        """
        heap_bytes, ram_bytes, ram_min_bytes = board.memory()
        if heap_bytes is not None and (self._heap_min_bytes is None or heap_bytes < self._heap_min_bytes):
            self._heap_min_bytes = heap_bytes
        found = {
            "heap_free_bytes": heap_bytes,
            "heap_min_free_bytes": self._heap_min_bytes,
            "ram_free_bytes": ram_bytes,
            "ram_min_free_bytes": ram_min_bytes,
            "late_max_ms": self.shell.late_max_ms,
            "reset_cause": board.reset_cause(),
            "wifi_rssi_dbm": self.station.rssi_dbm() if self.station else None,
        }
        return {name: found[name] for name in found if found[name] is not None}

    # -- the supervisor -------------------------------------------------------------------------------------

    async def run(self):
        """Returns only by an error of the control cycle, or by Restart."""
        tasks = [self.shell.run(), self.shell.follow()]
        for part in (self.uplink, self.client, self.link, self.station):
            if part:
                tasks.append(self._keep(part))
        await asyncio.gather(*tasks)

    async def _keep(self, part):
        """Runs a part of the network, and again after any error."""
        wait_ms = AGAIN_MS
        while True:
            began_ms = time.ticks_ms()
            try:
                return await part.run()
            except Exception as error:  # noqa: BLE001 - no error of the network may end a charge
                board.log("network: %r; it begins again" % error)
                sys.print_exception(error)  # pyright: ignore[reportAttributeAccessIssue]
            self.client.drop(LinkDown("an error of the network"))
            if time.ticks_diff(time.ticks_ms(), began_ms) > AGAIN_MAX_MS:
                wait_ms = AGAIN_MS
            await asyncio.sleep_ms(wait_ms)
            wait_ms = min(2 * wait_ms, AGAIN_MAX_MS)


def start(equipment, lamp):
    """Runs the pile; every way out opens the relays. Returns the pattern that the light is to keep;
    None where the chip is to restart.
    """
    watchdog = None
    try:
        # After the import, which has left holes below: small objects fill those, and the room stays whole.
        room = bytearray(ROOM_BYTES)
        import settings

        found = settings.read()
        del settings
        forget(("settings", "config"))
        if not found[0].trial:
            forget(("update.slots", "update.overrides"))
        import assembly

        # The watchdog begins after the configuration has been read, because it must not reset a pile while
        # somebody writes it; and after the settlements have been read, because hundreds of them take longer
        # than it waits. If reading them fails, the watchdog restarts the pile.
        try:
            pile = assembly.assemble(*found, equipment, lamp, FIRMWARE)
        finally:
            watchdog = board.watchdog()
        pile.shell.watchdog = watchdog  # pyright: ignore[reportAttributeAccessIssue] - it begins without one
        del assembly, found
        forget(("assembly",))
        if not pile.updates.trials:
            forget(("update.trial", "update.slots", "update.overrides"))
        del room
        overwrite_stack(STACK_CALLS)
        gc.collect()
        asyncio.run(pile.run())
    except CannotStart as error:
        board.log(str(error))
        return error.pattern
    except Restart as error:
        board.log("the pile restarts: %s" % error)
        return None
    except KeyboardInterrupt:
        open_all(equipment)
        board.log("stopped from the console; the relays are open")
        (watchdog or board.watchdog()).hand_over()
        return patterns.STARTING
    finally:
        open_all(equipment)
    return patterns.CRASHED


def overwrite_stack(calls):
    """Overwrites what the imports left on the stack: the collector takes it for pointers, and would keep the
    code that only an import runs, up to 9 KB.
    """
    if calls:
        overwrite_stack(calls - 1)


def main():
    """Runs the pile until an error."""
    overwrite_stack(STACK_CALLS)
    gc.collect()  # what the imports left behind
    gc.threshold(board.GC_STEP_BYTES)
    equipment = board.equipment()
    lamp = Lamp(board.indicator())
    pattern = patterns.CRASHED
    try:
        pattern = start(equipment, lamp)
    finally:
        lamp.keep(pattern or patterns.STARTING)
    if pattern is None:
        board.restart()
