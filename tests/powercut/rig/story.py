"""A whole story of one pile, told again for every cut: lives under power until all orders are over, then
the verdict.
"""

import json

import vfs
from cloud import CLOCK_MS, Cloud, Order
from flash import CLEAN, Device, Flash, PowerCut
from world import (
    BUS,
    COARSE,
    CYCLE_MS,
    DEVICE_ID,
    KEY,
    MEMORY,
    MOUNT,
    POWER_W,
    PULSES,
    SAMPLED,
    Pile,
    World,
)

from drivers.files import FileStore
from pile.checksum import unframed
from pile.journal import Journal
from pile.session import RECOVERY_WAIT_MS
from pile_protocol import messages, pricing, seal, wire

STORY_MAX_MS = 600_000
LOST_MAX_MS = 2_000  # of charging, at each cut
CLOCK_SLACK_MWH = POWER_W * 2_500 // 3_600  # whole seconds on both sides, and a cycle


class Plot:
    """What distinguishes one story from another.

    connectors; kind: of its meters. After a cut: dark_ms, clock_ms until the cloud tells the time,
    unplug (the vehicles leave), rtc (the pile knows the time by itself).
    """

    def __init__(self, connectors=1, kind=PULSES, dark_ms=20_000, clock_ms=CLOCK_MS, unplug=False, rtc=False):
        self.connectors = connectors
        self.kind = kind
        self.dark_ms = dark_ms
        self.clock_ms = clock_ms
        self.unplug = unplug
        self.rtc = rtc

    @property
    def resumes(self):
        """Whether everything allows an order to go on after a cut."""
        return not self.unplug and self.clock_ms < RECOVERY_WAIT_MS

    def orders(self):
        first = Order("A-1", 1, {"duration_s": 3_600}, stop_ms=12_500)
        second = Order("A-2", 1, {"duration_s": 3_600, "energy_mwh": 10_000}, after=first)
        if self.connectors == 1:
            return [first, second]
        other = Order("B-1", 2, {"duration_s": 3_600, "cost_minor": 51}, delay_ms=2_000)
        return [first, other, second]


PLOTS = {
    "pulse": Plot(),
    "memory": Plot(kind=MEMORY),
    "two": Plot(connectors=2),
    "two-memory": Plot(connectors=2, kind=MEMORY),
    "no-clock": Plot(clock_ms=RECOVERY_WAIT_MS + 10_000),
    "no-clock-memory": Plot(clock_ms=RECOVERY_WAIT_MS + 10_000, kind=MEMORY),
    "unplugged": Plot(unplug=True),
    "bus": Plot(kind=BUS),
    "coarse": Plot(kind=COARSE),
    "two-sampled": Plot(connectors=2, kind=SAMPLED),
    "watchdog": Plot(dark_ms=1_500, rtc=True, kind=MEMORY),
}


class Cut:
    """operation: the how many-th of this life; tear: what it leaves (flash.TEARS); seed: of the noise."""

    def __init__(self, operation, tear=CLEAN, seed=0):
        self.operation = operation
        self.tear = tear
        self.seed = seed


class Verdict:
    """operations: of each life. Of the worst order: lost_mwh was in the pile's RAM at a cut and is not
    billed; unbilled_mwh was delivered and is not billed, whether the meter had shown it or not.
    """

    def __init__(self):
        self.operations = []
        self.cuts = 0
        self.violations = []
        self.lost_mwh = 0
        self.unbilled_mwh = 0


def used_flash(age):
    """Formatted flash that has seen `age` checkpoints of an earlier order, so that littlefs erases
    elsewhere.
    """
    flash = Flash()
    vfs.VfsLfs2.mkfs(Device(flash))
    if age:
        vfs.mount(vfs.VfsLfs2(Device(flash)), MOUNT)
        journal = Journal(FileStore(MOUNT + "/flash"))
        for i in range(age):
            journal.keep_reading(1, "A-0", 1_749_000_000 + i, 0)
        vfs.umount(MOUNT)
    return flash


def tell(plot, flash, cuts):
    """Runs the story on a copy of `flash`, one life for each of `cuts` and a last one. Returns its
    Verdict.
    """
    verdict = Verdict()
    flash = flash.copy()
    world = World(plot.connectors, plot.kind)
    cloud = Cloud(world, plot.orders(), CLOCK_MS)
    world.durable_order = lambda number: _durable_order(flash, cloud.plan, number)
    cloud.settled_claims = lambda order_id: _expect_settlement(world, flash, order_id)
    known = {}  # order id: the most energy that the pile knew of at a cut, mWh
    for cut in cuts + [None]:
        rtc = plot.rtc and verdict.cuts > 0
        if cut is None:
            pile = Pile(world, flash, rtc=rtc)
        else:
            pile = Pile(world, flash, cut.operation, cut.tear, cut.seed, rtc)
        try:
            _live(pile, cloud)
            _check_end(world, pile.controller)
            pile.end()
            verdict.operations.append(pile.device.operations)
            break
        except PowerCut:
            verdict.cuts += 1
            _note_known(pile.controller, known)
        pile.end()
        verdict.operations.append(pile.device.operations)
        world.cut(plot.dark_ms, plot.unplug)
        cloud.clock_ms = plot.clock_ms
    _check_books(world, cloud, known, verdict)
    _check_reasons(world, plot, cloud.stored)
    verdict.violations = world.violations
    return verdict


def _note_known(controller, known):
    """controller: None where the power failed during the start."""
    for connector in controller.connectors if controller else ():
        if connector.order is not None:
            order_id = connector.order.order_id
            energy_mwh = connector.order.session.metering.energy_mwh
            known[order_id] = max(known.get(order_id, 0), energy_mwh)


def _live(pile, cloud):
    """One life: until the power goes (PowerCut), or all is done."""
    world = pile.world
    pile.boot()
    cloud.connected()
    while not cloud.finished(pile.controller):
        if world.now_ms > STORY_MAX_MS:
            world.violated("the story does not end")
            return
        pile.cycle()
        cloud.cycle(pile)


# -- what is durable, seen through a second mount of the same flash ------------------------------------------


def _files(flash):
    return vfs.VfsLfs2(Device(flash))


def _durable_order(flash, plan, number):
    """The order of the plan that the flash holds for a connector, or None."""
    try:
        with _files(flash).open("/flash/order-%d" % number, "rb") as file:
            content = unframed(file.read())
    except OSError:
        return None
    for order in plan:
        if content is not None and order.sealed is not None and content.endswith(b"\n" + order.sealed):
            return order
    return None


def _expect_settlement(world, flash, order_id):
    files = _files(flash)
    for entry in files.ilistdir("/flash"):
        if entry[0].startswith("out-"):
            with files.open("/flash/" + entry[0], "rb") as file:
                if b'"order_id":"%s"' % order_id.encode() in file.read():
                    return
    world.violated("%s was told as settled before that was durable" % order_id)


# -- the verdict -------------------------------------------------------------------------------------------


def _check_end(world, controller):
    status = controller.status({})
    if status["damaged"]:
        world.violated("%d records counted as damaged by a mere cut" % status["damaged"])
    for connector in status["connectors"]:
        if connector["status"] != "Available" and connector["plugged"]:
            world.violated("connector %(connector)d ends as %(status)s" % connector)


def _check_books(world, cloud, known, verdict):
    """Every promise, held against what truly flowed."""
    cuts = verdict.cuts
    settlements = [_settlement(world, sealed) for sealed in cloud.stored]
    _check_chain(world, settlements)
    refused = 0
    in_all_mwh = [0] * len(world.wires)  # delivered and not billed
    for order in cloud.plan:
        flowed = world.wires[order.connector - 1].flowed.get(order.order_id)
        mine = [settlement for settlement in settlements if settlement["order_id"] == order.order_id]
        if len(mine) > 1 or (flowed and not mine):
            world.violated("%s has %d settlements" % (order.order_id, len(mine)))
        elif order.state in ("Rejected", "Expired"):
            refused += not mine
        elif not mine:
            world.violated("%s was neither settled nor refused" % order.order_id)
        if mine:
            unbilled_mwh = _check_bill(world, order, mine[0], flowed or {}, cuts)
            verdict.unbilled_mwh = max(verdict.unbilled_mwh, unbilled_mwh)
            lost_mwh = known.get(order.order_id, 0) - mine[0]["energy_mwh"]
            verdict.lost_mwh = max(verdict.lost_mwh, lost_mwh)
            if lost_mwh * 3_600 // POWER_W > cuts * LOST_MAX_MS:
                world.violated("%s lost %d mWh that the pile knew of" % (order.order_id, lost_mwh))
            in_all_mwh[order.connector - 1] += unbilled_mwh
            if in_all_mwh[order.connector - 1] < 0:
                world.violated("%s: more billed in all than flowed" % order.order_id)
    if refused > cuts:  # a cut may use up the id of the order that it hit, and of no other
        world.violated("%d orders were refused" % refused)


def _hidden_mwh(world):
    """What the last reading before a cut may not show, because the meter is not read in each cycle."""
    return world.kind.hides_mwh if world.kind.interval_ms > CYCLE_MS else 0


def _settlement(world, sealed):
    seal.check(sealed, KEY)
    settlement = json.loads(sealed)
    messages.validate(wire.SETTLEMENT, settlement)
    if settlement["device_id"] != DEVICE_ID:
        world.violated("a settlement of " + settlement["device_id"])
    return settlement


def _check_reasons(world, plot, stored):
    """An order that could go on went on; and what a cut had no part in does not say so."""
    for sealed in stored:
        settlement = json.loads(sealed)
        if plot.resumes and settlement["stop_reason"] == "PowerLoss":
            world.violated(settlement["order_id"] + " was ended by the cut, and could have gone on")
        if settlement["stop_reason"] == "PowerLoss" and not settlement["recovered"]:
            world.violated(settlement["order_id"] + " knows of no power cut")


def _check_chain(world, settlements):
    mac = None
    registers = {}
    for i, settlement in enumerate(settlements):
        if settlement["seq"] != i + 1 or settlement["prev_mac"] != mac:
            world.violated("the chain is broken at number %d" % (i + 1))
        mac = settlement["mac"]
        number = settlement["connector"]
        if settlement["start_register_mwh"] < registers.get(number, 0):
            world.violated("register %d ran backwards between two settlements" % number)
        registers[number] = settlement["end_register_mwh"]


def _check_bill(world, order, settlement, flowed, cuts):
    """One settlement against the energy of its order. Returns what was delivered and not billed."""
    name = order.order_id
    delivered_mwh = sum(flowed.values())
    lost_mwh = delivered_mwh - settlement["energy_mwh"]
    step_mwh = world.kind.step_mwh
    if lost_mwh < -step_mwh:  # a step that an earlier order began
        world.violated("%s bills %d mWh more than flowed" % (name, -lost_mwh))
    # At a cut: what flowed after the last durable reading, and what that reading did not show yet.
    if lost_mwh > cuts * (LOST_MAX_MS * POWER_W // 3_600 + _hidden_mwh(world)) + (0 if cuts else step_mwh):
        world.violated("%s lost %d mWh" % (name, lost_mwh))
    if settlement["end_register_mwh"] - settlement["start_register_mwh"] != settlement["energy_mwh"]:
        world.violated("%s: the registers do not give the energy" % name)
    energies = []
    for period in settlement["periods"]:
        index = order.step_index(period[0])
        if order.rate["steps"][index] != period[:4]:
            world.violated("%s: period %d is not of the locked rate" % (name, index))
        if period[4] > flowed.get(index, 0) + CLOCK_SLACK_MWH + world.kind.hides_mwh:
            world.violated("%s: more energy at price %d than flowed while it held" % (name, index))
        energies.append((index, period[4]))
    total_minor, _, periods = pricing.bill(order.rate, energies, order.limits.get("cost_minor"))
    if total_minor != settlement["total_minor"] or periods != settlement["periods"]:
        world.violated("%s: the total is not that of its periods" % name)
    if sum([mwh for _, mwh in energies]) != settlement["energy_mwh"]:
        world.violated("%s: the periods do not add up" % name)
    return lost_mwh
