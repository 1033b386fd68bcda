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
from pile import recovery
from pile.clock import CALENDAR, Clock
from pile.controller import Controller
from pile.readings import Readings
from pile.safety import Limits
from shell import Shell, describe, read

BASE_AT = 1_750_000_000  # Unix seconds at now_ms 0
CYCLE_MS = 100
POWER_W = 7_000
LOW_POWER_W = 3_000  # in every other POWER_PERIOD_MS of a world whose vehicles draw unevenly
POWER_PERIOD_MS = 6_000
IMP_PER_KWH = 3_200
PULSE_MWH = 1_000_000 // IMP_PER_KWH + 1
DEVICE_ID = "PILE-1"
KEY = bytes(range(32))
MOUNT = "/powercut"
REMEMBERED_MWH = 123_456_789_000  # on a meter with a memory, before the first order
REPLUG_MS = 3_000  # after the power is back
LIMITS = {"pause_ms": 200}  # the rig's orders follow fast after each other
METER_READY_MS = 200  # a meter with a memory is read over a bus, which takes a while after boot


class Spent:
    """How long an order truly had its contacts closed, in all and by power in W, and how long its vehicle has
    stayed on since they opened, while the pile had power. In ms.
    """

    def __init__(self):
        self.closed_ms = 0
        self.by_power_ms = {}
        self.stayed_ms = 0


class Wire:
    """One connector's plant, and for which order its energy flows: {order_id: {price step index: mWh}}.
    spent: {order_id: Spent}.
    """

    def __init__(self):
        self.plant = Plant(POWER_W, 1, 60_000)
        self.order = None
        self.flowed = {}
        self.spent = {}
        self._seen_mwh = 0
        self._last_ms = 0

    def advance(self, now_ms, at, is_dark):
        self.plant.advance(now_ms)
        passed_ms = now_ms - self._last_ms
        self._last_ms = now_ms
        if self.order is not None:
            spent = self.spent.setdefault(self.order.order_id, Spent())
            if self.plant.contact:
                spent.closed_ms += passed_ms
                power_w = self.plant.power_w
                spent.by_power_ms[power_w] = spent.by_power_ms.get(power_w, 0) + passed_ms
                spent.stayed_ms = 0
            elif self.plant.plugged and not is_dark:
                spent.stayed_ms += passed_ms
        delta_mwh = self.plant.delivered_mwh - self._seen_mwh
        self._seen_mwh = self.plant.delivered_mwh
        if delta_mwh and self.order is not None:
            steps = self.flowed.setdefault(self.order.order_id, {})
            index = self.order.step_index(at)
            steps[index] = steps.get(index, 0) + delta_mwh


class Kind:
    """What a meter is like. step_mwh 0: it counts pulses. remembers: it keeps its register without power."""

    def __init__(self, remembers, refresh_ms=0, interval_ms=CYCLE_MS, step_mwh=0):
        self.remembers = remembers
        self.refresh_ms = refresh_ms
        self.interval_ms = interval_ms
        self.step_mwh = step_mwh or PULSE_MWH

    @property
    def hides_mwh(self):
        """How much of what has flowed it may not show yet."""
        if self.interval_ms == CYCLE_MS:
            return self.step_mwh
        return self.step_mwh + POWER_W * (self.refresh_ms + self.interval_ms) // 3_600


PULSES = Kind(False)
MEMORY = Kind(True)
BUS = Kind(True, 500, 1_000, 1_000)  # an SDM with one more meter on its bus
COARSE = Kind(True, 1_000, 4_000, 3_907)  # past 32,768 kWh, and with seven more
SAMPLED = Kind(False, 0, 2_000, 1)  # an HLW8012


class World:
    """kind: of its meters. `durable_order(number)` tells what the flash holds for a connector at this moment:
    see story.py.
    """

    def __init__(self, connectors=1, kind=PULSES, uneven=False):
        self.now_ms = 0
        self.kind = kind
        self._uneven = uneven
        self.wires = [Wire() for _ in range(connectors)]
        self.violations = []
        self.durable_order = None
        self._replug_ms = None

    def at(self):
        return BASE_AT + self.now_ms // 1000

    def pass_ms(self, ms, is_dark=False):
        self.now_ms += ms
        for wire in self.wires:
            wire.advance(self.now_ms, self.at(), is_dark)
            if self._uneven:
                wire.plant.power_w = LOW_POWER_W if self.now_ms // POWER_PERIOD_MS % 2 else POWER_W
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
        self.pass_ms(dark_ms, is_dark=True)

    def ticks_ms(self):
        """What stands in for time.ticks_ms."""
        return self.now_ms

    def ticks_diff(self, end_ms, begin_ms):
        return end_ms - begin_ms

    def violated(self, text):
        self.violations.append(text)


class _Relay:
    has_feedback = True

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
    """One that forgets begins at 0 with each boot. One with a memory is read over a bus, which takes a while
    after boot.
    """

    measures_current = False
    current_interval_ms = 0

    def __init__(self, world, plant):
        kind = world.kind
        self.refresh_ms = kind.refresh_ms
        self.interval_ms = kind.interval_ms
        self.settle_ms = 0
        self.remembers = kind.remembers
        self.register_mwh = None
        self.sampled_ms = None
        self._world = world
        self._plant = plant
        self._base_mwh = REMEMBERED_MWH if kind.remembers else 0
        self._from_mwh = 0 if kind.remembers else plant.delivered_mwh
        self._ready_ms = world.now_ms + (METER_READY_MS if kind.remembers else 0)
        self._renewed_ms = None
        self._renewed_mwh = 0

    def poll(self):
        now_ms = self._world.now_ms
        if self._renewed_ms is None or now_ms - self._renewed_ms >= self.refresh_ms:
            self._renewed_ms = now_ms
            self._renewed_mwh = self._plant.delivered_mwh - self._from_mwh
        if now_ms < self._ready_ms:
            return False
        if self.sampled_ms is None or now_ms - self.sampled_ms >= self.interval_ms:
            self.sampled_ms = now_ms
            self.register_mwh = self._base_mwh + self._in_steps(self._renewed_mwh)
        return True

    def _in_steps(self, mwh):
        step_mwh = self._world.kind.step_mwh
        if step_mwh == PULSE_MWH:
            return mwh * IMP_PER_KWH // 1_000_000 * 1_000_000 // IMP_PER_KWH
        return mwh - mwh % step_mwh

    def step_mwh(self):
        return self._world.kind.step_mwh

    def power_mw(self):
        return self._plant.power_mw()

    def restore(self, register_mwh):
        if not self.remembers:
            self._base_mwh = register_mwh
            self.sampled_ms = None


class _Plug:
    def __init__(self, plant):
        self._plant = plant

    def read(self):
        return self._plant.plugged


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
        self.mount()
        self.start()

    def mount(self):
        vfs.mount(vfs.VfsLfs2(self.device), MOUNT)

    def start(self):
        """As app.py does, on a file system that is mounted. Raises PowerCut."""
        world = self.world
        equipment = [
            Equipment(_Relay(world, i), _Meter(world, wire.plant), _Plug(wire.plant), limits=LIMITS)
            for i, wire in enumerate(world.wires)
        ]
        parts = [(Readings(), Limits(**one.limits)) for one in equipment]
        clock = Clock(world.now_ms)
        if self._rtc:
            clock.tell(world.at(), CALENDAR)
        store = FileStore(MOUNT + "/flash")
        controller = Controller(DEVICE_ID, KEY, store, clock, parts, "rig")
        recovery.take_up(controller, store, KEY)
        for connector, one in zip(controller.connectors, equipment):
            describe(connector.readings, one.meter)
            one.meter.restore(recovery.register_mwh(store, connector.number))
            read(connector.readings, one, clock.now_ms)
        self.controller = controller
        self._cycle = Shell(controller, equipment, None).cycle

    def cycle(self):
        """A tenth of a second. Raises PowerCut."""
        self.world.pass_ms(CYCLE_MS)
        self._cycle_on()

    def receive(self, name, data):
        """A message arrives, and control cycles follow at once. Raises PowerCut."""
        self.controller.receive(name, data)
        self._cycle_on()

    def receive_only(self, name, data):
        """A message arrives and acts, and the power fails before the next control cycle. Raises PowerCut."""
        self.controller.receive(name, data)
        self.controller.work(self.controller.clock.now_ms)

    def _cycle_on(self):
        while self._cycle():
            pass

    def end(self):
        """The power is off."""
        self.device.cut()
        try:
            vfs.umount(MOUNT)
        except OSError:
            pass  # the cut came before the file system was mounted
        gc.collect()  # a file that the cut kept from closing is closed now, and not in a later life
