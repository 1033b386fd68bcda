"""The world around one pile, ticked by hand: vehicles, contactors, meters, and what truly flowed for which
order.
"""

import gc

import vfs
from flash import Device

import shell
from drivers.equipment import Equipment
from drivers.files import FileStore
from drivers.sim.plant import Plant
from pile.clock import NTP, Clock
from pile.controller import Controller
from pile.readings import Readings
from pile.safety import Limits
from shell import Shell, read

BASE_AT = 1_750_000_000  # Unix seconds at now_ms 0
CYCLE_MS = 100
POWER_W = 7_000
IMP_PER_KWH = 3_200
PULSE_MWH = 1_000_000 // IMP_PER_KWH + 1
DEVICE_ID = "PILE-1"
KEY = bytes(range(32))
MOUNT = "/powercut"
REMEMBERED_MWH = 123_456_789_000  # on a meter with a memory, before the first order
REPLUG_MS = 3_000  # after the power is back
METER_READY_MS = 200  # a meter with a memory is read over a bus, which takes a while after boot


class Wire:
    """One connector's plant, and for which order its energy flows: {order_id: {price step index: mWh}}."""

    def __init__(self):
        self.plant = Plant(POWER_W, 1, 60_000)
        self.order = None
        self.flowed = {}
        self._seen_mwh = 0

    def advance(self, now_ms, at):
        self.plant.advance(now_ms)
        delta_mwh = self.plant.delivered_mwh - self._seen_mwh
        self._seen_mwh = self.plant.delivered_mwh
        if delta_mwh and self.order is not None:
            steps = self.flowed.setdefault(self.order.order_id, {})
            index = self.order.step_index(at)
            steps[index] = steps.get(index, 0) + delta_mwh


class World:
    """remembers: the meters keep their registers without power. `durable_order(number)` tells what the
    flash holds for a connector at this moment: see story.py.
    """

    def __init__(self, connectors=1, remembers=False):
        self.now_ms = 0
        self.remembers = remembers
        self.wires = [Wire() for _ in range(connectors)]
        self.violations = []
        self.durable_order = None
        self._replug_ms = None

    def at(self):
        return BASE_AT + self.now_ms // 1000

    def pass_ms(self, ms):
        self.now_ms += ms
        for wire in self.wires:
            wire.advance(self.now_ms, self.at())
        if self._replug_ms is not None and self.now_ms >= self._replug_ms:
            self._replug_ms = None
            for wire in self.wires:
                wire.plant.plugged = True

    def cut(self, dark_ms, unplug):
        """The contactors fall, and it stays dark for a while. unplug: the vehicles leave, and others come
        later.
        """
        for wire in self.wires:
            wire.plant.coil = False
            wire.plant.plugged = not unplug
        self._replug_ms = self.now_ms + dark_ms + REPLUG_MS if unplug else None
        self.pass_ms(dark_ms)

    def ticks_ms(self):
        """What stands in for time.ticks_ms."""
        return self.now_ms

    def violated(self, text):
        self.violations.append(text)


class _Relay:
    def __init__(self, world, index):
        self._world = world
        self._index = index

    def set(self, closed):
        wire = self._world.wires[self._index]
        if closed and not wire.plant.coil:
            wire.order = self._world.durable_order(self._index + 1)
            if wire.order is None:
                self._world.violated("relay %d closed for an order that is not durable" % (self._index + 1))
            elif wire.order.state in ("Finishing", "Settled"):
                self._world.violated("relay %d closed for an order that was stopped" % (self._index + 1))
        wire.plant.coil = closed

    def is_closed(self):
        return self._world.wires[self._index].plant.contact


class _Meter:
    """Counts pulses; one that forgets begins at 0 with each boot."""

    def __init__(self, world, plant):
        self._world = world
        self._plant = plant
        self._base_mwh = REMEMBERED_MWH if world.remembers else 0
        self._from_mwh = 0 if world.remembers else plant.delivered_mwh
        self._ready_ms = world.now_ms + (METER_READY_MS if world.remembers else 0)

    def register_mwh(self):
        if self._world.now_ms < self._ready_ms:
            return None
        pulses = (self._plant.delivered_mwh - self._from_mwh) * IMP_PER_KWH // 1_000_000
        return self._base_mwh + pulses * 1_000_000 // IMP_PER_KWH

    def power_mw(self):
        return self._plant.power_mw()

    def current_ma(self):
        return self._plant.power_mw() // 230

    def restore(self, register_mwh):
        if not self._world.remembers:
            self._base_mwh = register_mwh


class _Inputs:
    def __init__(self, plant):
        self._plant = plant

    def plugged(self):
        return self._plant.plugged

    def estop(self):
        return False

    def ground_fault(self):
        return False

    def temperature_c(self):
        return 25


class Pile:
    """One life of the firmware, from power-up on `flash` until the power goes.

    rtc: a clock of its own tells the time at boot, as after a watchdog reset.
    """

    def __init__(self, world, flash, cut_at=0, tear="clean", seed=0, rtc=False):
        self.world = world
        self.device = Device(flash, cut_at, tear, seed)
        shell.time = world  # the shell asks it for ticks_ms, and for nothing else while nobody calls run()
        self.controller = None
        self._rtc = rtc
        self._cycle = None

    def boot(self):
        """As main.py does. Raises PowerCut."""
        vfs.mount(vfs.VfsLfs2(self.device), MOUNT)
        world = self.world
        equipment = [
            Equipment(_Relay(world, i), _Meter(world, wire.plant), _Inputs(wire.plant))
            for i, wire in enumerate(world.wires)
        ]
        parts = [(Readings(), Limits(**one.limits)) for one in equipment]
        clock = Clock(world.now_ms)
        if self._rtc:
            clock.tell(world.at(), NTP)
        controller = Controller(DEVICE_ID, KEY, FileStore(MOUNT + "/flash"), clock, parts, "rig")
        for connector, one in zip(controller.connectors, equipment):
            one.meter.restore(controller.journal.register_mwh(connector.number))
            read(connector.readings, one)
        self.controller = controller
        self._cycle = Shell(controller, equipment, None).cycle

    def cycle(self):
        """A tenth of a second. Raises PowerCut."""
        self.world.pass_ms(CYCLE_MS)
        self._cycle()

    def receive(self, name, data):
        """A message arrives, and the control cycle runs at once, as the link has it. Raises PowerCut."""
        self.controller.receive(name, data)
        self._cycle()

    def end(self):
        """The power is off."""
        self.device.cut()
        try:
            vfs.umount(MOUNT)
        except OSError:
            pass  # the cut came before the file system was mounted
        gc.collect()  # a file that the cut kept from closing is closed now, and not in a later life
